// The files of a model folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace minke {

bool is_folder(const std::string& path);
bool file_exists(const std::string& path);
std::string path_in(std::string_view folder, std::string_view name);
// The folder that a file is in; "." for a bare name.
std::string folder_of(const std::string& path);
std::string file_name(const std::string& path);

// Names of the regular files (and links to them) in a folder, sorted.
Result<std::vector<std::string>> list_files(const std::string& folder);

// The refusal of a folder without a model, by what it holds instead.
tl::unexpected<Error> no_weights(const std::string& folder);

}  // namespace minke
