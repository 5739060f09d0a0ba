#include "serve/guided_sample.h"

#include <algorithm>

namespace minke::serve {

TokenGuide::Rule GuidedSample::next(std::span<const float> logits) {
  const constrain::SequenceGuard::Next next = shared_->guard.next(logits);
  if (next.forced) return {*next.forced, {}};
  if (next.mask.empty()) {
    if (may_begin_thought_ || answer_mask_ == nullptr) return {};
    return {-1, *answer_mask_};
  }
  if (std::all_of(next.mask.begin(), next.mask.end(), [](uint64_t word) { return word == 0; })) {
    shared_->is_stuck = true;
    return {end_, {}};
  }
  return {-1, next.mask};
}

void GuidedSample::accept(TokenId token) {
  may_begin_thought_ = false;
  if (!shared_->is_stuck) shared_->guard.accept(token);
}

}  // namespace minke::serve
