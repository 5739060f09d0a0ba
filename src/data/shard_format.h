// The bytes of a shard's header; see docs/formats.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace minke {

constexpr std::string_view kShardMagic = "MNKSHARD";
constexpr uint32_t kShardVersion = 1;
constexpr size_t kShardDigestBytes = 32;  // SHA-256
constexpr uint64_t kShardAlignment = 64;  // of sections
constexpr size_t kShardHeaderBytes = 256;
constexpr size_t kDocumentEntryBytes = 16;  // u64 end, u64 hash

struct ShardSection {
  uint64_t offset = 0;
  uint64_t n_bytes = 0;
  std::array<std::byte, kShardDigestBytes> digest{};
};

// Field for field as in the file, which is little-endian as this machine is.
struct ShardHeader {
  std::array<char, 8> magic{};
  uint32_t version = 0;
  uint32_t token_bytes = 0;
  uint64_t vocab_size = 0;
  uint64_t n_tokens = 0;
  uint64_t n_documents = 0;
  uint64_t n_loss_tokens = 0;
  std::array<std::byte, kShardDigestBytes> tokenizer_digest{};
  ShardSection tokens, mask, documents;               // mask: n_bytes 0 when every token counts
  std::array<std::byte, kShardDigestBytes> digest{};  // of all bytes before it
};
static_assert(sizeof(ShardHeader) == kShardHeaderBytes);

std::array<std::byte, kShardDigestBytes> shard_digest(std::span<const std::byte> bytes);
std::array<std::byte, kShardDigestBytes> digest_from_hex(std::string_view hex);  // 64 digits
std::string hex_from_digest(std::span<const std::byte> digest);

}  // namespace minke
