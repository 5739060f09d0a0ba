// What a sample may go on with: a grammar, a thinking budget, a lock of languages. The engine asks before each token and tells
// what was taken; it knows nothing of what a guide is for. Guides of different samples are asked from several threads at once.
#pragma once

#include <cstdint>
#include <span>

#include "base/token_id.h"

namespace minke {

class TokenGuide {
 public:
  virtual ~TokenGuide() = default;

  struct Rule {
    TokenId forced = -1;                // this one, whatever the logits say; -1: drawn
    std::span<const uint64_t> allowed;  // bit t % 64 of word t / 64: token t may be drawn; empty: every token
  };
  // `logits` are those that the next token is drawn from. Valid until accept(). At least one token is allowed.
  virtual Rule next(std::span<const float> logits) = 0;
  virtual void accept(TokenId token) = 0;
};

}  // namespace minke
