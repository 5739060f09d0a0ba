#include "constrain/guard/thinking_guard.h"

#include "base/check.h"

namespace minke::constrain {

std::string_view thought_end_name(ThoughtEnd end) {
  switch (end) {
    case ThoughtEnd::kOpen:
      return "open";
    case ThoughtEnd::kFinished:
      return "finished";
    case ThoughtEnd::kBudget:
      return "budget";
    case ThoughtEnd::kLoop:
      return "loop";
    case ThoughtEnd::kUser:
      return "user";
  }
  return "";
}

bool ThinkingGuard::is_likely_to_close(std::span<const float> logits) const {
  if (static_cast<size_t>(close_) >= logits.size()) return false;
  int64_t n_better = 0;
  for (float logit : logits) n_better += logit > logits[static_cast<size_t>(close_)];
  return n_better < limits_.soft_rank;
}

std::optional<TokenId> ThinkingGuard::forced(std::span<const float> logits) {
  if (!is_open_) return std::nullopt;
  if (reason_ == ThoughtEnd::kOpen) {
    // The farewell counts as well: a thought has no more than hard_tokens.
    int64_t with_farewell = n_tokens_ + static_cast<int64_t>(limits_.farewell.size());
    bool is_hard = limits_.hard_tokens >= 0 && with_farewell >= limits_.hard_tokens;
    bool is_soft = limits_.soft_tokens >= 0 && n_tokens_ >= limits_.soft_tokens && is_likely_to_close(logits);
    if (is_hard || is_soft) end(ThoughtEnd::kBudget);
    // With a soft close the model itself comes to its end.
    if (is_soft && !is_hard) n_farewell_ = limits_.farewell.size();
  }
  if (reason_ == ThoughtEnd::kOpen) return std::nullopt;
  return n_farewell_ < limits_.farewell.size() ? limits_.farewell[n_farewell_] : close_;
}

void ThinkingGuard::accept(TokenId token) {
  CHECK(is_open_);
  if (token == close_) {
    is_open_ = false;
    if (reason_ == ThoughtEnd::kOpen) reason_ = ThoughtEnd::kFinished;
    return;
  }
  n_tokens_++;
  if (reason_ != ThoughtEnd::kOpen) n_farewell_++;
}

void ThinkingGuard::end(ThoughtEnd reason) {
  CHECK(reason != ThoughtEnd::kOpen && reason != ThoughtEnd::kFinished);
  if (is_open_ && reason_ == ThoughtEnd::kOpen) reason_ = reason;
}

}  // namespace minke::constrain
