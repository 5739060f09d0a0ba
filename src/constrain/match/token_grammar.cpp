#include "constrain/match/token_grammar.h"

#include <algorithm>

namespace minke::constrain {
namespace {

void set_bit(std::span<uint64_t> mask, TokenId id) { mask[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64); }

// Walks the tree below `first` (inclusive, unless it is the root), from the set before it, and calls visit(node, set) for every
// node that the text can go on with.
template <typename Visit>
void walk_tree(const Vocabulary& vocabulary, FrameStore& store, uint32_t first, SetId before, Visit&& visit) {
  std::span<const Vocabulary::TreeNode> tree = vocabulary.tree();
  uint32_t end = tree[first].end;
  uint32_t node = first == 0 ? 1 : first;
  if (node >= end) return;
  uint32_t base = tree[node].depth;
  std::vector<SetId>& path = store.path();
  path.resize(vocabulary.max_token_bytes() + 1);
  path[0] = before;
  while (node < end) {
    const Vocabulary::TreeNode& here = tree[node];
    size_t depth = here.depth - base;
    SetId set = store.step(path[depth], here.byte);
    if (set == kNoFrames) {
      node = here.end;
      continue;
    }
    visit(node, set);
    path[depth + 1] = set;
    node++;
  }
}

}  // namespace

void LocalMask::add_to(std::span<uint64_t> mask) const {
  for (size_t i = 0; i < words.size(); i++) mask[i] |= words[i];
  for (TokenId id : list) set_bit(mask, id);
}

TokenGrammar::TokenGrammar(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const Vocabulary> vocabulary,
                           size_t max_cache_bytes)
    : grammar_(std::move(grammar)), vocabulary_(std::move(vocabulary)), max_cache_bytes_(max_cache_bytes) {}

int64_t TokenGrammar::canonical_count(const Frame& frame) const {
  int32_t id = grammar_->counter_of(frame.state);
  if (id < 0) return frame.count;
  const Counter& counter = grammar_->counter(id);
  auto reach = static_cast<int64_t>(vocabulary_->max_token_bytes());
  bool upper_is_far = counter.max == kUnbounded || counter.max - frame.count > reach;
  if (!upper_is_far) return frame.count;
  if (frame.count >= counter.min) return counter.min;
  return counter.min - frame.count > reach ? 0 : frame.count;
}

std::shared_ptr<const LocalMask> TokenGrammar::local_mask(FrameStore& store, const Frame& frame) const {
  Key key{frame.state, canonical_count(frame)};
  {
    std::lock_guard lock(mutex_);
    auto known = masks_.find(key);
    if (known != masks_.end()) return known->second;
  }
  auto mask = make_local_mask(store, {key.state, kNoFrames, key.count});
  std::lock_guard lock(mutex_);
  if (cache_bytes_ + mask->n_bytes() > max_cache_bytes_) {
    masks_.clear();
    cache_bytes_ = 0;
  }
  if (masks_.try_emplace(key, mask).second) cache_bytes_ += mask->n_bytes();
  return mask;
}

std::shared_ptr<const LocalMask> TokenGrammar::make_local_mask(FrameStore& store, const Frame& frame) const {
  auto mask = std::make_shared<LocalMask>();
  for (const TokenEdge& edge : grammar_->token_edges(frame.state)) mask->list.push_back(edge.token);
  std::vector<uint32_t> ends;  // nodes behind which the rule can end
  std::span<const Vocabulary::TreeNode> tree = vocabulary_->tree();
  walk_tree(*vocabulary_, store, 0, store.above_bottom(frame.state, frame.count), [&](uint32_t node, SetId set) {
    for (TokenId id : vocabulary_->tokens_at(node)) mask->list.push_back(id);
    if (!store.has_bottom(set)) return;
    for (uint32_t child = node + 1; child < tree[node].end; child = tree[child].end) ends.push_back(child);
  });
  if (mask->list.size() * sizeof(TokenId) > vocabulary_->n_mask_words() * sizeof(uint64_t)) {
    mask->words.resize(vocabulary_->n_mask_words());
    for (TokenId id : mask->list) set_bit(mask->words, id);
    mask->list.clear();
  }
  mask->list.shrink_to_fit();
  for (uint32_t node : ends) mask->first_of[size_t{tree[node].byte} + 1]++;
  for (size_t byte = 0; byte < 256; byte++) mask->first_of[byte + 1] += mask->first_of[byte];
  mask->nodes.resize(ends.size());
  std::array<uint32_t, 257> next = mask->first_of;
  for (uint32_t node : ends) mask->nodes[next[tree[node].byte]++] = node;
  return mask;
}

void TokenGrammar::walk(FrameStore& store, uint32_t node, SetId before, std::span<uint64_t> mask) const {
  walk_tree(*vocabulary_, store, node, before, [&](uint32_t visited, SetId) {
    for (TokenId id : vocabulary_->tokens_at(visited)) set_bit(mask, id);
  });
}

}  // namespace minke::constrain
