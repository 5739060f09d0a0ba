// How a user names a model: "org/name", "org/name:Q4_K_M", "org/name@revision", "org/name/file.gguf", with or without
// "hf.co/" or "https://huggingface.co/" before it; the addresses of a browser (/blob/main/x, /resolve/main/x, /tree/main)
// are understood as well.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace minke::hub {

struct ModelReference {
  std::string repo;      // "org/name"
  std::string quant;     // as written after ':'; empty: none asked
  std::string file;      // one file of the repository; empty: choose
  std::string revision;  // as written after '@'; empty: HubOptions::revision
};

Result<ModelReference> parse_reference(std::string_view text);

// "org/name:Q4_K_M@v1", for messages and for commands that the user can type again.
std::string to_text(const ModelReference& reference);

}  // namespace minke::hub
