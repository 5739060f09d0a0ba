// The page, web/dist, inside of the program: no file of it is looked for at run time.
#pragma once

#include <span>

#include "server/app_state.h"

namespace minke::serve {

std::span<const server::StaticFile> page_files();

}  // namespace minke::serve
