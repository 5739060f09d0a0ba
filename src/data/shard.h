// A shard: tokens of documents with a loss mask and the documents' ends, in one file that is mapped, not read. docs/formats.md
// has the layout. Opening checks every size, digest and id, so that reading needs no checks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/token_id.h"

namespace minke {

struct ShardInfo {
  int token_bytes = 0;  // 2 or 4
  int64_t vocab_size = 0;
  int64_t n_tokens = 0;
  int64_t n_documents = 0;
  int64_t n_loss_tokens = 0;  // tokens whose prediction counts; all when there is no mask
  bool has_mask = false;
  std::string tokenizer_digest;  // vocabulary_digest(), hex
  std::string digest;            // of the header, and with it of everything: the name of this shard's content
};

class Shard {
 public:
  Shard() = default;  // empty, until one is assigned
  static Result<Shard> open(const std::string& path);
  // `bytes` outlive the shard.
  static Result<Shard> parse(std::span<const std::byte> bytes, std::string_view where);

  const ShardInfo& info() const { return info_; }

  // Tokens of a document are [document_begin, document_end).
  int64_t document_begin(int64_t document) const { return document == 0 ? 0 : document_end(document - 1); }
  int64_t document_end(int64_t document) const;
  uint64_t document_hash(int64_t document) const;

  TokenId token(int64_t index) const;
  // Whether predicting this token counts in the loss.
  bool counts(int64_t index) const;
  // Appends tokens [begin, end), or their mask.
  void append_tokens(std::vector<TokenId>& out, int64_t begin, int64_t end) const;
  void append_mask(std::vector<uint8_t>& out, int64_t begin, int64_t end) const;

 private:
  Status read(std::span<const std::byte> bytes);
  Status check_documents(uint64_t offset) const;
  Status check_mask(uint64_t offset) const;
  Status check_tokens(uint64_t offset) const;

  std::shared_ptr<const MappedFile> file_;
  ShardInfo info_;
  std::span<const std::byte> tokens_, mask_, documents_;
};

}  // namespace minke
