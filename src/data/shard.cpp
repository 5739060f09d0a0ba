#include "data/shard.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/checked.h"
#include "base/digest.h"
#include "data/shard_format.h"

namespace minke {
namespace {

constexpr size_t kDigestOffset = offsetof(ShardHeader, digest);

template <typename T>
T load(std::span<const std::byte> bytes, size_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

// Where a section must lie: right behind the one before, aligned. None when the numbers overflow.
std::optional<uint64_t> section_end(const ShardSection& section, uint64_t begin, uint64_t n_items, uint64_t item_bytes) {
  auto n_bytes = checked_mul(n_items, item_bytes);
  if (!n_bytes || section.offset != begin || section.n_bytes != *n_bytes) return std::nullopt;
  return checked_add(section.offset, section.n_bytes);
}

Status check_header(const ShardHeader& header, std::span<const std::byte> bytes) {
  if (header.version != kShardVersion)
    return error("byte 8: version {}, expected {}: make the shard again", header.version, kShardVersion);
  if (shard_digest(bytes.first(kDigestOffset)) != header.digest)
    return error("byte {}: the header's SHA-256 does not match: the file is damaged, make it again", kDigestOffset);
  if (header.token_bytes != 2 && header.token_bytes != 4)
    return error("byte 12: tokens of {} bytes, expected 2 or 4", header.token_bytes);
  if (header.vocab_size == 0 || header.vocab_size > (uint64_t{1} << 31))
    return error("byte 16: a vocabulary of {}, expected 1 to 2^31", header.vocab_size);
  if (header.n_documents == 0) return error("byte 32: no documents");
  if (header.n_loss_tokens > header.n_tokens)
    return error("byte 40: {} of {} tokens count in the loss", header.n_loss_tokens, header.n_tokens);
  return {};
}

// The sections follow one another and fill the file.
Status check_layout(const ShardHeader& header, uint64_t file_bytes) {
  auto misplaced = [](std::string_view name, size_t offset) {
    return error("byte {}: offset and size of the {} section do not fit the counts", offset, name);
  };
  auto tokens_end = section_end(header.tokens, kShardHeaderBytes, header.n_tokens, header.token_bytes);
  if (!tokens_end) return misplaced("token", offsetof(ShardHeader, tokens));
  auto begin = checked_align(*tokens_end, kShardAlignment);
  if (begin && header.mask.n_bytes > 0) {
    auto mask_end = section_end(header.mask, *begin, header.n_tokens / 8 + (header.n_tokens % 8 != 0), 1);
    if (!mask_end) return misplaced("mask", offsetof(ShardHeader, mask));
    begin = checked_align(*mask_end, kShardAlignment);
  }
  auto end = begin ? section_end(header.documents, *begin, header.n_documents, kDocumentEntryBytes) : std::nullopt;
  if (!end) return misplaced("document", offsetof(ShardHeader, documents));
  if (file_bytes < *end) return error("byte {}: the file ends here, expected {} bytes: it was cut short", file_bytes, *end);
  if (file_bytes > *end) return error("byte {}: {} bytes too many", *end, file_bytes - *end);
  return {};
}

Status check_section(std::string_view name, const ShardSection& section, std::span<const std::byte> bytes) {
  if (shard_digest(bytes) == section.digest) return {};
  return error("byte {}: the SHA-256 of the {} bytes of the {} section does not match: the file is damaged, make it again",
               section.offset, section.n_bytes, name);
}

}  // namespace

std::string hex_from_digest(std::span<const std::byte> digest) {
  std::string hex;
  for (std::byte byte : digest) hex += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return hex;
}

std::array<std::byte, kShardDigestBytes> digest_from_hex(std::string_view hex) {
  CHECK(hex.size() == 2 * kShardDigestBytes, "{} digits", hex.size());
  std::array<std::byte, kShardDigestBytes> out;
  auto digit = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
  for (size_t i = 0; i < out.size(); i++) out[i] = static_cast<std::byte>(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
  return out;
}

std::array<std::byte, kShardDigestBytes> shard_digest(std::span<const std::byte> bytes) {
  Digest digest = Digest::sha256();
  digest.update(bytes);
  return digest_from_hex(digest.finish_hex());
}

Result<Shard> Shard::open(const std::string& path) {
  std::shared_ptr<const MappedFile> file = TRY(MappedFile::open(path));
  Shard shard = TRY(parse(file->bytes(), path));
  shard.file_ = std::move(file);
  return shard;
}

Result<Shard> Shard::parse(std::span<const std::byte> bytes, std::string_view where) {
  Shard shard;
  TRY_IN(where, shard.read(bytes));
  return shard;
}

Status Shard::read(std::span<const std::byte> bytes) {
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), kShardMagic.size()));
  if (!kShardMagic.starts_with(start))
    return error("byte 0: this is not a shard: expected \"{}\"; minke shards make writes shards", kShardMagic);
  if (bytes.size() < kShardHeaderBytes)
    return error("byte {}: the file ends inside the header of {} bytes", bytes.size(), kShardHeaderBytes);
  ShardHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  TRY(check_header(header, bytes));
  TRY(check_layout(header, bytes.size()));
  tokens_ = bytes.subspan(header.tokens.offset, header.tokens.n_bytes);
  if (header.mask.n_bytes > 0) mask_ = bytes.subspan(header.mask.offset, header.mask.n_bytes);
  documents_ = bytes.subspan(header.documents.offset, header.documents.n_bytes);
  info_.token_bytes = static_cast<int>(header.token_bytes);
  info_.vocab_size = static_cast<int64_t>(header.vocab_size);
  info_.n_tokens = static_cast<int64_t>(header.n_tokens);
  info_.n_documents = static_cast<int64_t>(header.n_documents);
  info_.n_loss_tokens = static_cast<int64_t>(header.n_loss_tokens);
  info_.has_mask = !mask_.empty();
  info_.tokenizer_digest = hex_from_digest(header.tokenizer_digest);
  info_.digest = hex_from_digest(header.digest);
  TRY(check_section("token", header.tokens, tokens_));
  if (info_.has_mask) TRY(check_section("mask", header.mask, mask_));
  TRY(check_section("document", header.documents, documents_));
  TRY(check_documents(header.documents.offset));
  TRY(check_mask(header.mask.offset));
  return check_tokens(header.tokens.offset);
}

Status Shard::check_documents(uint64_t offset) const {
  uint64_t before = 0;
  for (size_t i = 0; i < static_cast<size_t>(info_.n_documents); i++) {
    auto end = load<uint64_t>(documents_, 2 * i);
    if (end <= before || end > static_cast<uint64_t>(info_.n_tokens)) {
      return error("byte {}: document {} ends at token {}, expected {} to {}", offset + i * kDocumentEntryBytes, i, end,
                   before + 1, info_.n_tokens);
    }
    before = end;
  }
  if (before == static_cast<uint64_t>(info_.n_tokens)) return {};
  return error("byte {}: the last document ends at token {} of {}", offset + documents_.size() - kDocumentEntryBytes, before,
               info_.n_tokens);
}

Status Shard::check_mask(uint64_t offset) const {
  int64_t n_set = info_.has_mask ? 0 : info_.n_tokens;
  for (std::byte byte : mask_) n_set += std::popcount(static_cast<uint8_t>(byte));
  if (n_set != info_.n_loss_tokens)
    return error("byte {}: the mask has {} tokens, the header {}", offset, n_set, info_.n_loss_tokens);
  if (info_.has_mask && info_.n_tokens % 8 != 0 && static_cast<uint8_t>(mask_.back()) >> (info_.n_tokens % 8) != 0)
    return error("byte {}: the mask goes on behind the last token", offset + mask_.size() - 1);
  return {};
}

Status Shard::check_tokens(uint64_t offset) const {
  for (int64_t i = 0; i < info_.n_tokens; i++) {
    const auto id = static_cast<uint32_t>(token(i));
    if (id < static_cast<uint64_t>(info_.vocab_size)) continue;
    return error("byte {}: token {} is {}, expected less than the vocabulary's {}",
                 offset + static_cast<uint64_t>(i * info_.token_bytes), i, id, info_.vocab_size);
  }
  return {};
}

int64_t Shard::document_end(int64_t document) const {
  return static_cast<int64_t>(load<uint64_t>(documents_, 2 * static_cast<size_t>(document)));
}

uint64_t Shard::document_hash(int64_t document) const {
  return load<uint64_t>(documents_, 2 * static_cast<size_t>(document) + 1);
}

TokenId Shard::token(int64_t index) const {
  const auto i = static_cast<size_t>(index);
  return info_.token_bytes == 2 ? load<uint16_t>(tokens_, i) : static_cast<TokenId>(load<uint32_t>(tokens_, i));
}

bool Shard::counts(int64_t index) const {
  return !info_.has_mask || (static_cast<uint8_t>(mask_[static_cast<size_t>(index / 8)]) >> (index % 8) & 1) != 0;
}

void Shard::append_tokens(std::vector<TokenId>& out, int64_t begin, int64_t end) const {
  CHECK(begin >= 0 && begin <= end && end <= info_.n_tokens, "{} to {} of {}", begin, end, info_.n_tokens);
  for (int64_t i = begin; i < end; i++) out.push_back(token(i));
}

void Shard::append_mask(std::vector<uint8_t>& out, int64_t begin, int64_t end) const {
  CHECK(begin >= 0 && begin <= end && end <= info_.n_tokens, "{} to {} of {}", begin, end, info_.n_tokens);
  for (int64_t i = begin; i < end; i++) out.push_back(counts(i) ? 1 : 0);
}

}  // namespace minke
