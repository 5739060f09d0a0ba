// Bounds a thought: a soft limit closes it where the model is about to close it anyway, a hard one where it is. Closing writes
// the real token; a closing tag spelled with ordinary tokens would be read as text.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/token_id.h"

namespace minke::constrain {

struct ThinkingLimits {
  int64_t soft_tokens = -1;  // -1: none. From here on the thought closes once its end is among the soft_rank best tokens
  int64_t hard_tokens = -1;  // -1: none
  int64_t soft_rank = 8;
  std::vector<TokenId> farewell = {};  // written before the closing token when a limit or a loop ends the thought; may be empty
};

enum class ThoughtEnd { kOpen, kFinished, kBudget, kLoop, kUser };
std::string_view thought_end_name(ThoughtEnd end);  // "open", "finished", "budget", "loop", "user"

class ThinkingGuard {
 public:
  ThinkingGuard(ThinkingLimits limits, TokenId close) : limits_(std::move(limits)), close_(close) {}

  // The token that must come next, none when the model may choose. `logits` are those that it would choose by.
  std::optional<TokenId> forced(std::span<const float> logits);
  void accept(TokenId token);
  // Closes the thought with the next tokens.
  void end(ThoughtEnd reason);

  bool is_open() const { return is_open_; }
  // Why it closed, or is being closed.
  ThoughtEnd reason() const { return reason_; }
  int64_t n_tokens() const { return n_tokens_; }  // without the closing one

 private:
  bool is_likely_to_close(std::span<const float> logits) const;

  ThinkingLimits limits_;
  TokenId close_;
  bool is_open_ = true;
  ThoughtEnd reason_ = ThoughtEnd::kOpen;
  int64_t n_tokens_ = 0;
  size_t n_farewell_ = 0;  // tokens of the farewell written
};

}  // namespace minke::constrain
