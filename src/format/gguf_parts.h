// Names of the parts of a split GGUF model: <prefix>-%05d-of-%05d.gguf, counted from 1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace minke {

struct GgufPartName {
  std::string prefix;  // with the folder
  int64_t index = 0;   // from 0, as in the key split.no
  int64_t n_parts = 1;

  std::string path_of(int64_t part_index) const;
};

// None when the path is not named like a part.
std::optional<GgufPartName> gguf_part_name(const std::string& path);

}  // namespace minke
