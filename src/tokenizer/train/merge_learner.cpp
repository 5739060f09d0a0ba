#include "tokenizer/train/merge_learner.h"

#include <algorithm>

#include "base/check.h"

namespace minke {

void MergeLearner::add_piece(std::span<const TokenId> ids, int64_t count) {
  CHECK(!counted_, "a piece after the first merge");
  if (ids.size() < 2) return;
  pieces_.push_back({ids_.size(), static_cast<uint32_t>(ids.size()), count});
  ids_.insert(ids_.end(), ids.begin(), ids.end());
}

void MergeLearner::change(TokenId left, TokenId right, int64_t by, uint32_t piece) {
  Pair& pair = pairs_[key_of(left, right)];
  pair.count += by;
  if (by < 0) return;
  if (pair.pieces.empty() || pair.pieces.back() != piece) pair.pieces.push_back(piece);
  if (counted_) grown_.push_back(key_of(left, right));
}

void MergeLearner::count_pairs() {
  for (uint32_t i = 0; i < pieces_.size(); i++) {
    const TokenId* ids = ids_.data() + pieces_[i].begin;
    for (uint32_t k = 0; k + 1 < pieces_[i].size; k++) change(ids[k], ids[k + 1], pieces_[i].count, i);
  }
  for (const auto& [key, pair] : pairs_) heap_.push_back({pair.count, key});
  std::make_heap(heap_.begin(), heap_.end());
  counted_ = true;
}

std::optional<MergeLearner::Best> MergeLearner::best_pair() {
  if (!counted_) count_pairs();
  while (!heap_.empty()) {
    const Entry top = heap_.front();
    auto found = pairs_.find(top.key);
    const int64_t count = found == pairs_.end() ? 0 : found->second.count;
    if (count == top.count)
      return Best{static_cast<TokenId>(top.key >> 32), static_cast<TokenId>(top.key & 0xFFFFFFFFu), count};
    std::pop_heap(heap_.begin(), heap_.end());
    heap_.pop_back();
    if (count <= 0) continue;
    heap_.push_back({count, top.key});
    std::push_heap(heap_.begin(), heap_.end());
  }
  return std::nullopt;
}

void MergeLearner::forget(TokenId left, TokenId right) { pairs_.erase(key_of(left, right)); }

void MergeLearner::merge(TokenId left, TokenId right, TokenId result) {
  auto found = pairs_.find(key_of(left, right));
  CHECK(found != pairs_.end(), "{} {}", left, right);
  const std::vector<uint32_t> pieces = std::move(found->second.pieces);
  grown_.clear();
  for (uint32_t piece : pieces) merge_piece(piece, left, right, result);
  forget(left, right);  // after the pieces: runs of one token change the count of the pair itself
  std::sort(grown_.begin(), grown_.end());
  grown_.erase(std::unique(grown_.begin(), grown_.end()), grown_.end());
  for (uint64_t key : grown_) {
    auto pair = pairs_.find(key);
    if (pair == pairs_.end()) continue;
    heap_.push_back({pair->second.count, key});
    std::push_heap(heap_.begin(), heap_.end());
  }
}

void MergeLearner::merge_piece(uint32_t piece, TokenId left, TokenId right, TokenId result) {
  Piece& place = pieces_[piece];
  TokenId* ids = ids_.data() + place.begin;
  uint32_t n_out = 0;
  for (uint32_t i = 0; i < place.size; i++) {
    const bool match = i + 1 < place.size && ids[i] == left && ids[i + 1] == right;
    if (!match) {
      ids[n_out++] = ids[i];
      continue;
    }
    if (n_out > 0) {
      change(ids[n_out - 1], left, -place.count, piece);
      change(ids[n_out - 1], result, place.count, piece);
    }
    if (i + 2 < place.size) {
      change(right, ids[i + 2], -place.count, piece);
      change(result, ids[i + 2], place.count, piece);
    }
    ids[n_out++] = result;
    i++;
  }
  place.size = n_out;
}

}  // namespace minke
