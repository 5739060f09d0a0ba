// Beginnings of earlier sequences that stay in the KV cache, so that a prompt which starts alike need not be read again. Pages
// are shared with whoever goes on from them; when pages run out the beginnings that were used longest ago make room, what
// stands behind their prompts first: a chat that leaves old thoughts out begins with the prompt again, not with what followed.
// With a store the whole pages of prompts that make room go to the disk, if whoever asked allows it. In memory clients share
// nothing, so that nobody learns from the clock or from the count of cached tokens what another one has asked; what is on the
// disk belongs to the one person whose chats are kept.
#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/token_id.h"
#include "engine/prefix_store.h"
#include "model/kv_cache.h"

namespace minke {

class PrefixCache {
 public:
  // The cache outlives this. max_tokens: kept at most, in all; 0 keeps nothing.
  PrefixCache(KvCache& cache, int64_t max_tokens) : cache_(&cache), max_tokens_(max_tokens) {}
  // Outlives this, or is replaced; null: none. What is here must not have been made for another one.
  void use_store(PrefixStore* store, std::string origin);
  PrefixCache(const PrefixCache&) = delete;

  // A sequence that holds as much of the beginning of `tokens` as is known of this client, but for the last `n_fresh` tokens:
  // these are to be run. Empty when nothing is known.
  Result<SequenceCache> take(std::span<const TokenId> tokens, int64_t n_fresh, std::string_view client);
  // Goes on with pages that are on the disk. It takes no more pages of the cache than reading the tokens would.
  Status load(SequenceCache& sequence, std::span<const TokenId> tokens, int64_t n_fresh);
  // `sequence` holds exactly these tokens, of which the first n_prompt were asked for, and the first n_storable may go to the
  // store. It is kept, as far as there is room for it, or given back.
  void keep(std::vector<TokenId> tokens, SequenceCache sequence, int64_t n_prompt, int64_t n_storable, std::string client);
  // Makes room until so many pages are free. False, and nothing goes, when all that is here would not do.
  bool release(int64_t n_pages);
  // Writes what is here to the store, as far as it keeps it.
  void save() const;
  // Forgets what is here, without a word to the store.
  void clear();

  int64_t n_tokens() const { return n_tokens_; }
  int64_t n_entries() const { return static_cast<int64_t>(entries_.size()); }

 private:
  struct Entry {
    std::vector<TokenId> tokens;
    SequenceCache sequence;
    int64_t n_prompt, n_storable;
    std::string client;
  };
  void cut(Entry& entry, int64_t n_tokens);
  void shrink_oldest();
  void save(const Entry& entry) const;
  // Names of the first pages.
  std::vector<PrefixStore::Name> names_of(std::span<const TokenId> tokens, int64_t n_pages) const;
  void drop_oldest();
  // Pages that nobody but the beginnings here uses.
  int64_t n_own_pages() const;

  KvCache* cache_;
  PrefixStore* store_ = nullptr;
  std::string origin_;
  int64_t max_tokens_;
  int64_t n_tokens_ = 0;
  std::list<Entry> entries_;  // the last used in front
};

}  // namespace minke
