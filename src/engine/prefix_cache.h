// Beginnings of earlier sequences that stay in the KV cache, so that a prompt which starts alike need not be read again. Pages
// are shared with whoever goes on from them; when pages run out the beginnings that were used longest ago make room.
#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/token_id.h"
#include "model/kv_cache.h"

namespace minke {

class PrefixCache {
 public:
  // The cache outlives this. max_tokens: kept at most, in all; 0 keeps nothing.
  PrefixCache(KvCache& cache, int64_t max_tokens) : cache_(&cache), max_tokens_(max_tokens) {}
  PrefixCache(const PrefixCache&) = delete;

  // A sequence that holds as much of the beginning of `tokens` as is known, but for the last `n_fresh` tokens: these are to be
  // run. Empty when nothing is known.
  Result<SequenceCache> take(std::span<const TokenId> tokens, int64_t n_fresh);
  // `sequence` holds exactly these tokens; it is kept or given back.
  void keep(std::vector<TokenId> tokens, SequenceCache sequence);
  // Makes room until so many pages are free, or nothing is left to give; whether they are.
  bool release(int64_t n_pages);
  void clear();

  int64_t n_tokens() const { return n_tokens_; }
  int64_t n_entries() const { return static_cast<int64_t>(entries_.size()); }

 private:
  struct Entry {
    std::vector<TokenId> tokens;
    SequenceCache sequence;
  };
  void drop_oldest();

  KvCache* cache_;
  int64_t max_tokens_;
  int64_t n_tokens_ = 0;
  std::list<Entry> entries_;  // the last used in front
};

}  // namespace minke
