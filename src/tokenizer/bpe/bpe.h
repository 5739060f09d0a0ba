// Byte-pair encoding of one piece of text: start from bytes or characters, and merge the best neighbouring pair until there is
// none. Best is the lowest rank of a merge list, or the highest score of the merged token (SentencePiece).
// Sources: huggingface/tokenizers models/bpe, google/sentencepiece bpe_model.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tokenizer/bpe/vocabulary.h"
#include "tokenizer/spec.h"

namespace minke {

class Bpe {
 public:
  // Reusable memory of encode(), one per thread.
  struct Scratch {
    struct Symbol {
      TokenId id;
      int32_t prev;
      int32_t next;
      uint32_t begin;  // bytes of the piece
      uint32_t size;   // 0: merged into its left neighbour
    };
    // A possible merge; the heap gives the lowest rank first, then the leftmost.
    struct Candidate {
      int32_t rank;
      int32_t left;
      TokenId result;
      uint32_t size;  // of the merged symbol, to see whether the candidate is still true
    };
    std::vector<Symbol> symbols;
    std::vector<Candidate> heap;
  };

  Bpe() = default;
  // token_bytes: by id, what the model looks up; they outlive the Bpe. in_model: which ids the model itself may produce.
  Bpe(const TokenizerSpec& spec, const std::vector<std::string>& token_bytes, const std::vector<bool>& in_model);

  // Appends the ids of a piece. Characters that the vocabulary cannot spell become unk, or nothing when there is no unk: as
  // the reference does.
  void encode(std::string_view piece, std::vector<TokenId>& out, Scratch& scratch) const;

 private:
  using Symbol = Scratch::Symbol;
  using Candidate = Scratch::Candidate;
  struct MergeSlot {
    uint64_t pair = ~uint64_t{0};
    int32_t rank = 0;
    TokenId result = 0;
  };

  void add_merges(const std::vector<Merge>& merges);
  void rank_scores(const std::vector<float>& scores);
  void merge(std::string_view piece, std::vector<TokenId>& out, Scratch& scratch) const;
  bool find_pair(std::string_view piece, const Symbol& left, const Symbol& right, Candidate& found) const;
  void start_symbols(std::string_view piece, std::vector<Symbol>& symbols) const;
  void start_characters(std::string_view piece, std::vector<Symbol>& symbols) const;
  void merge_short(std::string_view piece, std::vector<Symbol>& symbols) const;
  void merge_long(std::string_view piece, Scratch& scratch) const;
  void finish_by_score(std::string_view piece, const std::vector<Symbol>& symbols, std::vector<TokenId>& out) const;

  bool byte_level_ = false;
  bool by_score_ = false;
  bool byte_fallback_ = false;
  bool ignore_merges_ = false;
  bool fuse_unk_ = false;
  std::optional<TokenId> unk_;
  std::vector<int32_t> score_ranks_;  // by id: 0 for the highest score; equal scores share a rank
  TokenMap by_bytes_;
  std::array<TokenId, 256> byte_ids_{};  // the token of a byte, -1 if there is none
  std::vector<MergeSlot> merges_;
  size_t merge_mask_ = 0;

  // Whether merging the token's own bytes gives the token: most pieces are one token, and this answers for them without
  // merging. Found out at first use; races are harmless, as every thread stores the same answer.
  enum Whole : uint8_t { kUnasked = 0, kYes = 1, kNo = 2 };
  std::unique_ptr<std::atomic<uint8_t>[]> whole_;
};

}  // namespace minke
