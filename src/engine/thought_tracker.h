// Where a sequence stands with its thought, by token id: DeepSeek-R1's <think> and </think>.
#pragma once

#include <span>

#include "base/token_id.h"

namespace minke {

// Where reasoning starts and ends. -1: the model has no such tokens.
struct ThoughtTokens {
  TokenId open = -1;
  TokenId close = -1;
};

class ThoughtTracker {
 public:
  ThoughtTracker() = default;
  // The prompt may end inside a thought: R1's template opens it.
  ThoughtTracker(const ThoughtTokens& tokens, std::span<const TokenId> prompt) : tokens_(tokens) {
    if (tokens.open < 0 || tokens.close < 0) return;
    for (size_t i = prompt.size(); i-- > 0;) {
      if (prompt[i] == tokens.close) return;
      if (prompt[i] == tokens.open) {
        is_inside_ = true;
        return;
      }
    }
  }

  struct Place {
    bool is_thought = false;  // inside the thought, its tags included
    bool is_mark = false;     // the opening or closing tag: not text
  };
  // The next token of the sequence.
  Place see(TokenId token) {
    const bool opens = token == tokens_.open && !is_inside_, closes = token == tokens_.close && is_inside_;
    const Place place = {is_inside_ || opens, opens || closes};
    is_inside_ = (is_inside_ || opens) && !closes;
    return place;
  }
  bool is_inside() const { return is_inside_; }

 private:
  ThoughtTokens tokens_;
  bool is_inside_ = false;
};

}  // namespace minke
