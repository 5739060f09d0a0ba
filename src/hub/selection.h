// Which files of a repository a pull takes. Pickle files (*.bin, *.pt, *.pth, ...) can run code when they are loaded and are
// never taken, whatever the patterns say.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hub/listing.h"
#include "hub/options.h"
#include "hub/reference.h"

namespace minke::hub {

// In this order: the reference's file (with the other parts of its set); include/exclude patterns; a GGUF set when a
// quantisation is asked or there are no safetensors; safetensors with configuration, tokenizer and licence.
Result<std::vector<RemoteFile>> select_files(const std::vector<RemoteFile>& files, const ModelReference& reference,
                                             const HubOptions& options);

bool is_pickle(std::string_view path);

// Shell pattern over the whole path: '*' also matches '/', "dir/" means "dir/*".
bool glob_matches(const std::string& pattern, const std::string& path);

}  // namespace minke::hub
