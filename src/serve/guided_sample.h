// A SequenceGuard as the engine asks for it. Beside what the guard knows, an answer has none of the marks that would begin a
// second thought, or a call of a tool that there is not.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "constrain/guard/sequence_guard.h"
#include "engine/token_guide.h"

namespace minke::serve {

// What engine and request both see of one sample. The engine's thread alone uses it between steps; within one, the thread that
// draws.
struct SampleGuard {
  explicit SampleGuard(constrain::SequenceGuardOptions options) : guard(std::move(options)) {}
  constrain::SequenceGuard guard;
  // No token of the vocabulary can go on with the grammar.
  bool is_stuck = false;
};

class GuidedSample final : public TokenGuide {
 public:
  // answer_mask: what an answer without a grammar may have, null: everything. end: written when nothing else may come.
  GuidedSample(std::shared_ptr<SampleGuard> shared, std::shared_ptr<const std::vector<uint64_t>> answer_mask,
               bool may_begin_thought, TokenId end)
      : shared_(std::move(shared)), answer_mask_(std::move(answer_mask)), may_begin_thought_(may_begin_thought), end_(end) {}

  Rule next(std::span<const float> logits) override;
  void accept(TokenId token) override;

 private:
  std::shared_ptr<SampleGuard> shared_;
  std::shared_ptr<const std::vector<uint64_t>> answer_mask_;
  bool may_begin_thought_;
  TokenId end_;
};

}  // namespace minke::serve
