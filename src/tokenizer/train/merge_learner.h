// Learns merges from counted pieces. Counts of pairs are kept up to date by going only through the pieces that have the merged
// pair; a heap gives the most frequent one, and entries whose count has changed are put back when they come up.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/token_id.h"

namespace minke {

class MergeLearner {
 public:
  // A piece as the ids of its bytes, and how often it occurs. To be called before the first best_pair().
  void add_piece(std::span<const TokenId> ids, int64_t count);

  struct Best {
    TokenId left, right;
    int64_t count;
  };
  // The most frequent pair; equally frequent ones by the smaller left, then right id. None when there are no pairs.
  std::optional<Best> best_pair();
  // Makes every occurrence of the pair `result`.
  void merge(TokenId left, TokenId right, TokenId result);
  // Never gives this pair again.
  void forget(TokenId left, TokenId right);

 private:
  struct Piece {
    uint64_t begin;  // in ids_
    uint32_t size;
    int64_t count;
  };
  struct Pair {
    int64_t count = 0;
    std::vector<uint32_t> pieces;  // that may have it
  };
  struct Entry {
    int64_t count;
    uint64_t key;
    bool operator<(const Entry& other) const { return count != other.count ? count < other.count : key > other.key; }
  };
  static uint64_t key_of(TokenId left, TokenId right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  void count_pairs();
  void change(TokenId left, TokenId right, int64_t by, uint32_t piece);
  void merge_piece(uint32_t piece, TokenId left, TokenId right, TokenId result);

  std::vector<TokenId> ids_;
  std::vector<Piece> pieces_;
  std::unordered_map<uint64_t, Pair> pairs_;
  std::vector<Entry> heap_;
  std::vector<uint64_t> grown_;  // pairs that a merge made more frequent
  bool counted_ = false;
};

}  // namespace minke
