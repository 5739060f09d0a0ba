#include "engine/prompt_lookup.h"

#include <algorithm>

#include "base/rng.h"

namespace minke {

void PromptLookup::clear() {
  text_.clear();
  latest_end_.clear();
  earlier_end_.clear();
}

void PromptLookup::push(TokenId token) {
  text_.push_back(token);
  earlier_end_.resize(text_.size() + 1);
  size_t end = text_.size();
  if (end < kMinMatch) return;
  uint64_t hash = 0;
  for (size_t i = end - kMinMatch; i < end; i++) hash = mix_seed(hash, static_cast<uint64_t>(text_[i]));
  size_t& latest = latest_end_[hash];
  earlier_end_[end] = latest;
  latest = end;
}

// How many tokens before `end` are those before the text's end.
size_t PromptLookup::match_length(size_t end) const {
  size_t length = 0, most = std::min(end, kMaxMatch);
  while (length < most && text_[end - 1 - length] == text_[text_.size() - 1 - length]) length++;
  return length;
}

std::vector<TokenId> PromptLookup::draft(int64_t n_max) const {
  size_t best_end = 0, best_length = kMinMatch - 1, end = text_.empty() ? 0 : earlier_end_[text_.size()];
  for (int i = 0; i < kMaxCandidates && end > 0 && best_length < kMaxMatch; i++, end = earlier_end_[end]) {
    size_t length = match_length(end);
    if (length > best_length) {
      best_length = length;
      best_end = end;
    }
  }
  std::vector<TokenId> draft;
  if (best_end == 0) return draft;
  size_t period = text_.size() - best_end;
  for (size_t i = 0; i < static_cast<size_t>(n_max); i++) draft.push_back(i < period ? text_[best_end + i] : draft[i - period]);
  return draft;
}

}  // namespace minke
