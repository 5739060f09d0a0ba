// All that bounds one generated sequence, in the order of its phases: the thought is free but for its budget, circles and
// language; the grammar is armed once it has closed. This is what an engine asks before it samples and tells afterwards.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "constrain/guard/loop_detector.h"
#include "constrain/guard/thinking_guard.h"
#include "constrain/match/matcher.h"

namespace minke::constrain {

struct SequenceGuardOptions {
  std::shared_ptr<const Vocabulary> vocabulary = nullptr;
  std::shared_ptr<const TokenGrammar> answer = nullptr;  // null: any answer
  std::shared_ptr<const TokenGrammar> language =
      nullptr;  // of compile_language_lock(); null: any. Holds for thought and answer
  // Whether the prompt ends inside a thought, the model decides with its first token, or there is none.
  enum class Thought { kNone, kMaybe, kOpen } thought = Thought::kNone;
  TokenId think_open = -1, think_close = -1;
  ThinkingLimits thinking = {};
  LoopLimits loops = {};
};

class SequenceGuard {
 public:
  explicit SequenceGuard(SequenceGuardOptions options);

  struct Next {
    std::optional<TokenId> forced;        // this token, whatever the logits say
    std::span<const uint64_t> mask = {};  // else one of these tokens; empty: any. Valid until the next call
  };
  // `logits` are those that the next token would be sampled from.
  Next next(std::span<const float> logits);
  // False, and nothing changes, for a token that the answer's grammar does not allow.
  bool accept(TokenId token);
  // The user wants the answer now.
  void end_thought();

  bool in_thought() const { return phase_ == Phase::kThought; }
  // kOpen as long as it goes on, and if there was none.
  ThoughtEnd thought_end() const { return thinking_.reason(); }
  int64_t n_thought_tokens() const { return thinking_.n_tokens(); }
  // The grammar of the answer was followed to its end token.
  bool is_finished() const { return answer_ && answer_->is_finished(); }

 private:
  enum class Phase { kStart, kThought, kAnswer };  // start: the next token may open a thought
  void build_thought_mask();
  bool build_answer_mask();
  void set(TokenId token, bool is_allowed);
  void follow_language(TokenId token);

  SequenceGuardOptions options_;
  Phase phase_;
  ThinkingGuard thinking_;
  LoopDetector loops_;
  std::optional<Matcher> answer_, language_;
  std::vector<uint64_t> mask_;
};

}  // namespace minke::constrain
