#include "engine/prefix_cache.h"

#include <algorithm>

#include "base/check.h"

namespace minke {
namespace {

int64_t n_common(std::span<const TokenId> a, std::span<const TokenId> b) {
  return std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
}

}  // namespace

Result<SequenceCache> PrefixCache::take(std::span<const TokenId> tokens, int64_t n_fresh) {
  const int64_t n_most = std::max<int64_t>(0, static_cast<int64_t>(tokens.size()) - n_fresh);
  auto best = entries_.end();
  int64_t n_best = 0;
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    const int64_t n = std::min(n_common(tokens, entry->tokens), n_most);
    if (n > n_best) {
      n_best = n;
      best = entry;
    }
  }
  if (best == entries_.end()) return SequenceCache{};
  entries_.splice(entries_.begin(), entries_, best);
  // A page that is not shared whole is copied and needs a free one; without one the whole pages do.
  if (n_best % kPageSize != 0 && cache_->n_free_pages() == 0) n_best -= n_best % kPageSize;
  return cache_->fork(best->sequence, n_best);
}

void PrefixCache::keep(std::vector<TokenId> tokens, SequenceCache sequence) {
  CHECK(static_cast<int64_t>(tokens.size()) == sequence.n_tokens, "{} tokens, {} cached", tokens.size(), sequence.n_tokens);
  const auto n = static_cast<int64_t>(tokens.size());
  const bool is_known =
      std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) { return n_common(tokens, entry.tokens) == n; });
  if (n > max_tokens_ || n == 0 || is_known) {
    cache_->truncate(sequence, 0);
    return;
  }
  // What this one goes on from is in it.
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto n_entry = static_cast<int64_t>(entry->tokens.size());
    if (n_common(entry->tokens, tokens) < n_entry) {
      ++entry;
      continue;
    }
    cache_->truncate(entry->sequence, 0);
    n_tokens_ -= n_entry;
    entry = entries_.erase(entry);
  }
  entries_.push_front({std::move(tokens), std::move(sequence)});
  n_tokens_ += n;
  while (n_tokens_ > max_tokens_) drop_oldest();
}

void PrefixCache::drop_oldest() {
  Entry& entry = entries_.back();
  n_tokens_ -= static_cast<int64_t>(entry.tokens.size());
  cache_->truncate(entry.sequence, 0);
  entries_.pop_back();
}

bool PrefixCache::release(int64_t n_pages) {
  while (cache_->n_free_pages() < n_pages && !entries_.empty()) drop_oldest();
  return cache_->n_free_pages() >= n_pages;
}

void PrefixCache::clear() {
  while (!entries_.empty()) drop_oldest();
}

}  // namespace minke
