// Byte strings to token ids, and the GPT-2 alphabet in which byte-level vocabularies spell bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/spec.h"

namespace minke {

// An open-addressing hash map from keys to ids. The keys are views: whoever owns the map owns their text.
class TokenMap {
 public:
  explicit TokenMap(size_t n_keys = 0);
  // False if the key is there already.
  bool insert(std::string_view key, TokenId id);
  std::optional<TokenId> find(std::string_view key) const;

 private:
  struct Slot {
    uint32_t hash = 0;
    TokenId id = -1;
    std::string_view key;
  };
  std::vector<Slot> slots_;
  size_t mask_;
};

// The printable character that stands for a byte: bytes 21-7E, A1-AC, AE-FF themselves, the other 68 in order from U+0100.
char32_t byte_to_symbol(uint8_t byte);
// The bytes that a byte-level token spells; none if a character is not of the alphabet.
std::optional<std::string> bytes_from_symbols(std::string_view text);
std::string symbols_from_bytes(std::string_view bytes);

// "<0x0A>" is the byte 0A.
std::optional<uint8_t> parse_byte_token(std::string_view text);
std::string byte_token(uint8_t byte);

}  // namespace minke
