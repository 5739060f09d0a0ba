#include "engine/prompt_lookup.h"

#include <algorithm>
#include <bit>

#include "base/rng.h"

namespace minke {

void PromptLookup::clear() {
  text_.clear();
  std::fill(latest_end_.begin(), latest_end_.end(), 0);
  earlier_end_.clear();
}

void PromptLookup::reserve(size_t n_tokens) {
  text_.reserve(n_tokens);
  earlier_end_.reserve(n_tokens + 1);
  if (n_tokens <= latest_end_.size()) return;
  latest_end_.assign(std::bit_ceil(n_tokens), 0);
  for (size_t end = kMinMatch; end <= text_.size(); end++) chain(end);
}

void PromptLookup::push(TokenId token) {
  if (text_.size() == latest_end_.size()) reserve(std::max(2 * text_.size(), kMaxMatch));
  text_.push_back(token);
  earlier_end_.resize(text_.size() + 1);
  if (text_.size() >= kMinMatch) chain(text_.size());
}

// Puts the occurrence that ends here at the head of its chain.
void PromptLookup::chain(size_t end) {
  uint64_t hash = 0;
  for (size_t i = end - kMinMatch; i < end; i++) hash = mix_seed(hash, static_cast<uint64_t>(text_[i]));
  size_t& latest = latest_end_[hash & (latest_end_.size() - 1)];
  earlier_end_[end] = latest;
  latest = end;
}

// How many tokens before `end` are those before the text's end.
size_t PromptLookup::match_length(size_t end) const {
  size_t length = 0, most = std::min(end, kMaxMatch);
  while (length < most && text_[end - 1 - length] == text_[text_.size() - 1 - length]) length++;
  return length;
}

void PromptLookup::draft(std::vector<TokenId>& draft, int64_t n_max) const {
  draft.clear();
  size_t best_end = 0, best_length = kMinMatch - 1, end = text_.empty() ? 0 : earlier_end_[text_.size()];
  for (int i = 0; i < kMaxCandidates && end > 0 && best_length < kMaxMatch; i++, end = earlier_end_[end]) {
    size_t length = match_length(end);
    if (length > best_length) {
      best_length = length;
      best_end = end;
    }
  }
  if (best_end == 0) return;
  size_t period = text_.size() - best_end;
  for (size_t i = 0; i < static_cast<size_t>(n_max); i++) draft.push_back(i < period ? text_[best_end + i] : draft[i - period]);
}

}  // namespace minke
