// Long texts in parts that can be encoded on their own.
#pragma once

#include <cstddef>
#include <string_view>

namespace minke {

// The end of the next part of `text` from `begin`: the first place at least n_bytes further on that is a border between pieces
// for every byte-level pre-tokenizer of pre_table, or the end of the text. Such a place is behind a line break that stands
// alone, before an ASCII letter or digit or a character beyond ASCII: no known pattern has a piece that goes on there.
size_t next_chunk_end(std::string_view text, size_t begin, size_t n_bytes);

}  // namespace minke
