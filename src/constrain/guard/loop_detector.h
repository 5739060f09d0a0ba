// Finds text that goes round in circles: the last tokens repeat with a period, or one run of tokens comes again and again. What
// it keeps is bounded, whatever the text.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/token_id.h"

namespace minke::constrain {

struct LoopLimits {
  int64_t max_period = 256;  // tokens
  int64_t min_repeats = 4;   // of a period, the first included
  int64_t min_tokens = 96;   // in all of them: short runs are ordinary ("----", rows of a table)
  int64_t n_gram = 16;       // tokens of a run that comes again, not always after the same distance
  int64_t max_n_gram_repeats = 8;
  int64_t window = 4096;  // tokens in which runs are counted
};

class LoopDetector {
 public:
  explicit LoopDetector(LoopLimits limits = {});

  enum class State { kNone, kNearly, kLoop };  // nearly: half of what makes a loop
  State accept(TokenId token);
  State state() const { return state_; }
  // The token that would go on with the repetition, when there is nearly one: without it the text has to leave the circle.
  std::optional<TokenId> next_of_circle() const;

 private:
  TokenId back(int64_t distance) const;  // 1: the last token
  struct Runs {
    int64_t n = 0;         // in the window
    int64_t distance = 0;  // from the last to the one before it
  };
  Runs count_n_gram();

  LoopLimits limits_;
  State state_ = State::kNone;
  int64_t period_ = 0;  // after which the last tokens come again, 0: they do not
  int64_t n_tokens_ = 0;
  std::vector<TokenId> ring_;     // the last `window` tokens
  std::vector<int64_t> same_;     // [max_period + 1] by period: how many of the last tokens equal the one a period before
  std::vector<uint64_t> hashes_;  // of the run that ends at each token of the ring
  struct Count {
    int64_t n = 0;
    int64_t last = 0;  // n_tokens_ when the run came last
  };
  std::unordered_map<uint64_t, Count> counts_;  // of the hashes in the ring
};

}  // namespace minke::constrain
