#include "data/shard_writer.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/checked.h"
#include "data/shard_format.h"

namespace minke {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

ShardSection section_of(uint64_t offset, std::span<const std::byte> bytes) {
  return {offset, bytes.size(), shard_digest(bytes)};
}

}  // namespace

Result<ShardWriter> ShardWriter::create(const std::string& path, int64_t vocab_size, const std::string& tokenizer_digest) {
  AtomicFile file = TRY(AtomicFile::create(path));
  TRY(file.write(std::string(kShardHeaderBytes, '\0')));
  ShardInfo info;
  info.token_bytes = vocab_size <= (int64_t{1} << 16) ? 2 : 4;
  info.vocab_size = vocab_size;
  info.tokenizer_digest = tokenizer_digest;
  return ShardWriter(std::move(file), path, std::move(info));
}

ShardWriter::ShardWriter(AtomicFile file, std::string path, ShardInfo info)
    : file_(std::move(file)), path_(std::move(path)), info_(std::move(info)) {}

Status ShardWriter::append(std::span<const TokenId> tokens, std::span<const uint8_t> mask) {
  CHECK(mask.empty() || mask.size() == tokens.size(), "{} tokens, {} of mask", tokens.size(), mask.size());
  for (TokenId token : tokens) {
    CHECK(token >= 0 && token < info_.vocab_size, "token {} of {}", token, info_.vocab_size);
    const auto* bytes = reinterpret_cast<const std::byte*>(&token);
    buffer_.insert(buffer_.end(), bytes, bytes + info_.token_bytes);
  }
  set_mask(mask, tokens.size());
  info_.n_tokens += static_cast<int64_t>(tokens.size());
  return buffer_.size() < kBufferBytes ? Status() : flush();
}

void ShardWriter::end_document(uint64_t hash) {
  const auto end = static_cast<uint64_t>(info_.n_tokens);
  CHECK(end > (documents_.empty() ? 0 : documents_[documents_.size() - 2]), "a document without tokens at {}", end);
  info_.n_documents++;
  documents_.push_back(end);
  documents_.push_back(hash);
}

void ShardWriter::set_mask(std::span<const uint8_t> mask, size_t n) {
  const auto n_before = static_cast<size_t>(info_.n_tokens);
  const auto n_counted = static_cast<size_t>(std::count_if(mask.begin(), mask.end(), [](uint8_t m) { return m != 0; }));
  info_.n_loss_tokens += static_cast<int64_t>(mask.empty() ? n : n_counted);
  if (!info_.has_mask && (mask.empty() || n_counted == n)) return;
  auto set = [&](size_t i) { mask_[i / 8] = static_cast<uint8_t>(mask_[i / 8] | 1 << (i % 8)); };
  mask_.resize((n_before + n + 7) / 8);
  if (!info_.has_mask) {  // everything before counted
    for (size_t i = 0; i < n_before; i++) set(i);
  }
  info_.has_mask = true;
  for (size_t i = 0; i < n; i++) {
    if (mask.empty() || mask[i] != 0) set(n_before + i);
  }
}

Status ShardWriter::flush() {
  token_digest_.update(buffer_);
  TRY(file_.write(buffer_));
  buffer_.clear();
  return {};
}

Result<uint64_t> ShardWriter::align() {
  const uint64_t begin = *checked_align(file_.n_written(), kShardAlignment);
  TRY(file_.write(std::string(begin - file_.n_written(), '\0')));
  return begin;
}

Result<ShardInfo> ShardWriter::finish() {
  if (info_.n_documents == 0) return error("{}: there are no documents to write", path_);
  TRY(flush());
  ShardHeader header;
  std::copy(kShardMagic.begin(), kShardMagic.end(), header.magic.begin());
  header.version = kShardVersion;
  header.token_bytes = static_cast<uint32_t>(info_.token_bytes);
  header.vocab_size = static_cast<uint64_t>(info_.vocab_size);
  header.n_tokens = static_cast<uint64_t>(info_.n_tokens);
  header.n_documents = static_cast<uint64_t>(info_.n_documents);
  header.n_loss_tokens = static_cast<uint64_t>(info_.n_loss_tokens);
  header.tokenizer_digest = digest_from_hex(info_.tokenizer_digest);
  header.tokens = {kShardHeaderBytes, file_.n_written() - kShardHeaderBytes, digest_from_hex(token_digest_.finish_hex())};
  uint64_t begin = TRY(align());
  if (info_.has_mask) {
    auto bytes = std::as_bytes(std::span(mask_));
    header.mask = section_of(begin, bytes);
    TRY(file_.write(bytes));
    begin = TRY(align());
  }
  auto bytes = std::as_bytes(std::span(documents_));
  header.documents = section_of(begin, bytes);
  TRY(file_.write(bytes));
  auto header_bytes = std::as_bytes(std::span(&header, 1));
  header.digest = shard_digest(header_bytes.first(offsetof(ShardHeader, digest)));
  info_.digest = hex_from_digest(header.digest);
  TRY(file_.write_at(0, header_bytes));
  TRY(file_.commit());
  return info_;
}

}  // namespace minke
