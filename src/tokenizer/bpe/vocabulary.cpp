#include "tokenizer/bpe/vocabulary.h"

#include <array>
#include <bit>
#include <functional>

#include "base/check.h"
#include "base/utf8.h"

namespace minke {
namespace {

constexpr bool is_own_symbol(uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

struct Alphabet {
  std::array<char32_t, 256> symbol{};
  std::array<int16_t, 0x144> byte{};  // by code point; -1: not in the alphabet
};

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  for (auto& byte : alphabet.byte) byte = -1;
  char32_t next = 0x100;
  for (uint32_t byte = 0; byte < 256; byte++) {
    char32_t symbol = is_own_symbol(byte) ? static_cast<char32_t>(byte) : next++;
    alphabet.symbol[byte] = symbol;
    alphabet.byte[symbol] = static_cast<int16_t>(byte);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

TokenMap::TokenMap(size_t n_keys) : slots_(std::bit_ceil(n_keys * 2 + 16)), mask_(slots_.size() - 1) {}

bool TokenMap::insert(std::string_view key, TokenId id) {
  size_t hash = std::hash<std::string_view>{}(key);
  size_t i = hash & mask_;
  for (; slots_[i].id >= 0; i = (i + 1) & mask_) {
    if (slots_[i].hash == static_cast<uint32_t>(hash >> 32) && slots_[i].key == key) return false;
  }
  slots_[i] = {static_cast<uint32_t>(hash >> 32), id, key};
  return true;
}

std::optional<TokenId> TokenMap::find(std::string_view key) const {
  size_t hash = std::hash<std::string_view>{}(key);
  for (size_t i = hash & mask_; slots_[i].id >= 0; i = (i + 1) & mask_) {
    if (slots_[i].hash == static_cast<uint32_t>(hash >> 32) && slots_[i].key == key) return slots_[i].id;
  }
  return std::nullopt;
}

char32_t byte_to_symbol(uint8_t byte) { return kAlphabet.symbol[byte]; }

std::optional<std::string> bytes_from_symbols(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) {
    Utf8Step step = utf8_decode(text, pos);
    if (!step.valid || step.code_point >= kAlphabet.byte.size() || kAlphabet.byte[step.code_point] < 0) return std::nullopt;
    bytes += static_cast<char>(kAlphabet.byte[step.code_point]);
    pos += step.n_bytes;
  }
  return bytes;
}

std::string symbols_from_bytes(std::string_view bytes) {
  std::string text;
  for (char byte : bytes) utf8_append(text, byte_to_symbol(static_cast<uint8_t>(byte)));
  return text;
}

std::optional<uint8_t> parse_byte_token(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return std::nullopt;
  uint32_t value = 0;
  for (char c : text.substr(3, 2)) {
    uint32_t digit = c >= '0' && c <= '9'   ? static_cast<uint32_t>(c - '0')
                     : c >= 'A' && c <= 'F' ? static_cast<uint32_t>(c - 'A' + 10)
                                            : 16;
    if (digit == 16) return std::nullopt;
    value = value * 16 + digit;
  }
  return static_cast<uint8_t>(value);
}

std::string byte_token(uint8_t byte) { return fmt::format("<0x{:02X}>", byte); }

}  // namespace minke
