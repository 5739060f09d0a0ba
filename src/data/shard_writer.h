// Writes a shard document by document; the file appears under its name when finish() has synced it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/token_id.h"
#include "data/shard.h"

namespace minke {

class ShardWriter {
 public:
  // tokenizer_digest: vocabulary_digest(), hex.
  static Result<ShardWriter> create(const std::string& path, int64_t vocab_size, const std::string& tokenizer_digest);

  // A part of the current document. mask: one value per token, or empty when all count. Ids are below vocab_size.
  Status append(std::span<const TokenId> tokens, std::span<const uint8_t> mask);
  // Ends the current document, which has at least one token. hash: of its text; it decides the document's split.
  void end_document(uint64_t hash);
  int64_t n_tokens() const { return info_.n_tokens; }

  // An error when there were no documents.
  Result<ShardInfo> finish();

 private:
  ShardWriter(AtomicFile file, std::string path, ShardInfo info);
  Status flush();
  void set_mask(std::span<const uint8_t> mask, size_t n);
  // Where a section begins: zeros up to the alignment are written.
  Result<uint64_t> align();

  AtomicFile file_;
  std::string path_;
  ShardInfo info_;
  Digest token_digest_ = Digest::sha256();
  std::vector<std::byte> buffer_;    // tokens that are not written yet
  std::vector<uint8_t> mask_;        // bits; empty until a token does not count
  std::vector<uint64_t> documents_;  // end, hash
};

}  // namespace minke
