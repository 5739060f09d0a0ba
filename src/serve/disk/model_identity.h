// What tells a model from others without reading all of it, so that a cache on the disk is used for no other.
#pragma once

#include <string>

#include "base/error.h"
#include "format/model_file.h"

namespace minke::serve {

// SHA-256, in hex, of each weight file's size, time of change and first bytes, of the configuration, and of bytes from many
// tensors: who changes weights in place changes the time, and another model in its place has other bytes.
Result<std::string> model_identity(const ModelFiles& files);

}  // namespace minke::serve
