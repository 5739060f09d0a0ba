#include "engine/prefix_cache.h"

#include <algorithm>
#include <unordered_map>

#include "base/check.h"

namespace minke {
namespace {

int64_t n_common(std::span<const TokenId> a, std::span<const TokenId> b) {
  return std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
}

}  // namespace

Result<SequenceCache> PrefixCache::take(std::span<const TokenId> tokens, int64_t n_fresh, std::string_view client) {
  const int64_t n_most = std::max<int64_t>(0, static_cast<int64_t>(tokens.size()) - n_fresh);
  auto best = entries_.end();
  int64_t n_best = 0;
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->client != client) continue;
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

void PrefixCache::keep(std::vector<TokenId> tokens, SequenceCache sequence, int64_t n_prompt, int64_t n_storable,
                       std::string client) {
  CHECK(static_cast<int64_t>(tokens.size()) == sequence.n_tokens, "{} tokens, {} cached", tokens.size(), sequence.n_tokens);
  Entry kept = {std::move(tokens), std::move(sequence), n_prompt, n_storable, std::move(client)};
  n_tokens_ += static_cast<int64_t>(kept.tokens.size());
  if (kept.sequence.n_tokens > max_tokens_) cut(kept, max_tokens_ / kPageSize * kPageSize);
  const auto n = static_cast<int64_t>(kept.tokens.size());
  if (n == 0) return cut(kept, 0);
  const auto known = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.client == kept.client && n_common(kept.tokens, entry.tokens) == n;
  });
  if (known != entries_.end()) {
    known->n_storable = std::max(known->n_storable, kept.n_storable);
    return cut(kept, 0);
  }
  // What this one goes on from is in it.
  std::erase_if(entries_, [&](Entry& entry) {
    if (entry.client != kept.client || n_common(entry.tokens, kept.tokens) < std::ssize(entry.tokens)) return false;
    kept.n_storable = std::max(kept.n_storable, entry.n_storable);
    cut(entry, 0);
    return true;
  });
  entries_.push_front(std::move(kept));
  while (n_tokens_ > max_tokens_) shrink_oldest();
}

void PrefixCache::cut(Entry& entry, int64_t n_tokens) {
  n_tokens_ -= static_cast<int64_t>(entry.tokens.size()) - n_tokens;
  cache_->truncate(entry.sequence, n_tokens);
  entry.tokens.resize(static_cast<size_t>(n_tokens));
  entry.n_storable = std::min(entry.n_storable, n_tokens);
}

void PrefixCache::drop_oldest() {
  save(entries_.back());
  cut(entries_.back(), 0);
  entries_.pop_back();
}

// To whole pages: a page that another sequence shares cannot be cut.
void PrefixCache::shrink_oldest() {
  Entry& entry = entries_.back();
  const int64_t n_kept = entry.n_prompt / kPageSize * kPageSize;
  if (n_kept == 0 || n_kept >= entry.sequence.n_tokens) return drop_oldest();
  cut(entry, n_kept);
}

int64_t PrefixCache::n_own_pages() const {
  std::unordered_map<int32_t, int64_t> n_users;
  for (const Entry& entry : entries_) {
    for (int32_t page : entry.sequence.page_table) n_users[page]++;
  }
  return std::count_if(n_users.begin(), n_users.end(),
                       [&](const auto& page) { return page.second == cache_->n_users(page.first); });
}

bool PrefixCache::release(int64_t n_pages) {
  const int64_t n_lacking = n_pages - cache_->n_free_pages();
  if (n_lacking <= 0) return true;
  if (n_own_pages() < n_lacking) return false;
  while (cache_->n_free_pages() < n_pages) shrink_oldest();
  return true;
}

void PrefixCache::clear() {
  for (Entry& entry : entries_) cut(entry, 0);
  entries_.clear();
}

void PrefixCache::use_store(PrefixStore* store, std::string origin) {
  store_ = store;
  origin_ = std::move(origin);
}

std::vector<PrefixStore::Name> PrefixCache::names_of(std::span<const TokenId> tokens, int64_t n_pages) const {
  std::vector<PrefixStore::Name> names;
  PrefixStore::Name name = store_->start(origin_);
  for (int64_t i = 0; i < n_pages; i++) {
    name = store_->next(name, tokens.subspan(static_cast<size_t>(i * kPageSize), static_cast<size_t>(kPageSize)));
    names.push_back(name);
  }
  return names;
}

Status PrefixCache::load(SequenceCache& sequence, std::span<const TokenId> tokens, int64_t n_fresh) {
  if (store_ == nullptr) return {};
  const int64_t n_pages = std::max<int64_t>(0, static_cast<int64_t>(tokens.size()) - n_fresh) / kPageSize;
  const std::vector<PrefixStore::Name> names = names_of(tokens, n_pages);
  const int64_t first = sequence.n_tokens / kPageSize;
  int64_t last = first;
  while (last < n_pages && store_->contains(names[static_cast<size_t>(last)])) last++;
  if (last * kPageSize <= sequence.n_tokens) return {};
  cache_->truncate(sequence, first * kPageSize);
  std::vector<std::byte> page(static_cast<size_t>(cache_->whole_page_bytes()));
  for (int64_t i = first; i < last && cache_->n_free_pages() > 0; i++) {
    if (!store_->read(page, names[static_cast<size_t>(i)], i)) return {};
    TRY(cache_->append_page(sequence, page));
  }
  return {};
}

// What follows a prompt is short when it is not thought, and thought is seldom asked for again.
void PrefixCache::save(const Entry& entry) const {
  if (store_ == nullptr) return;
  const int64_t n_pages = entry.n_storable / kPageSize;
  const std::vector<PrefixStore::Name> names = names_of(entry.tokens, n_pages);
  for (int64_t i = 0; i < n_pages; i++) {
    if (store_->contains(names[static_cast<size_t>(i)])) continue;
    std::vector<std::byte> page(static_cast<size_t>(cache_->whole_page_bytes()));
    cache_->copy_page(page, entry.sequence, i);
    store_->write(std::move(page), names[static_cast<size_t>(i)], i);
  }
}

void PrefixCache::save() const {
  if (store_ == nullptr) return;
  // The last used comes last, so that it stays when not all find room; what waits to be written is held in memory.
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    save(*entry);
    store_->flush();
  }
}

}  // namespace minke
