#pragma once

#include <CLI/CLI.hpp>

#include "cli/command.h"

namespace minke::cli {

// minke recipe compare.
void add_compare(CLI::App& recipe_command, Job& job);

}  // namespace minke::cli
