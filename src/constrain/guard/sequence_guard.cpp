#include "constrain/guard/sequence_guard.h"

#include <algorithm>

#include "base/check.h"

namespace minke::constrain {
namespace {

SequenceGuardOptions checked(SequenceGuardOptions options) {
  CHECK(options.vocabulary != nullptr);
  bool has_marks =
      options.think_close >= 0 && (options.think_open >= 0 || options.thought == SequenceGuardOptions::Thought::kOpen);
  CHECK(options.thought == SequenceGuardOptions::Thought::kNone || has_marks,
        "a thought needs the tokens that open and close it");
  return options;
}

}  // namespace

SequenceGuard::SequenceGuard(SequenceGuardOptions options)
    : options_(checked(std::move(options))), thinking_(options_.thinking, options_.think_close), loops_(options_.loops) {
  switch (options_.thought) {
    case SequenceGuardOptions::Thought::kNone:
      phase_ = Phase::kAnswer;
      break;
    case SequenceGuardOptions::Thought::kMaybe:
      phase_ = Phase::kStart;
      break;
    case SequenceGuardOptions::Thought::kOpen:
      phase_ = Phase::kThought;
      break;
  }
  if (options_.answer) answer_.emplace(options_.answer);
  if (options_.language) language_.emplace(options_.language);
}

void SequenceGuard::set(TokenId token, bool is_allowed) {
  uint64_t bit = uint64_t{1} << (token % 64);
  uint64_t& word = mask_[static_cast<size_t>(token) / 64];
  word = is_allowed ? word | bit : word & ~bit;
}

SequenceGuard::Next SequenceGuard::next(std::span<const float> logits) {
  if (phase_ == Phase::kThought) {
    if (auto forced = thinking_.forced(logits)) return {.forced = forced};
    build_thought_mask();
    return {.forced = std::nullopt, .mask = mask_};
  }
  if (!build_answer_mask()) return {};
  if (phase_ == Phase::kStart) set(options_.think_open, true);
  return {.forced = std::nullopt, .mask = mask_};
}

// Text and the closing token; no end token, as an answer is to follow.
void SequenceGuard::build_thought_mask() {
  bool at_character = true;
  if (language_) {
    std::span<const uint64_t> allowed = language_->mask();
    mask_.assign(allowed.begin(), allowed.end());
    at_character = language_->is_complete();
    for (TokenId id : options_.vocabulary->eos()) set(id, false);
  } else {
    mask_ = options_.vocabulary->text_mask();
  }
  if (at_character) set(options_.think_close, true);
  std::optional<TokenId> circle = loops_.state() == LoopDetector::State::kNearly ? loops_.next_of_circle() : std::nullopt;
  if (!circle) return;
  uint64_t before = mask_[static_cast<size_t>(*circle) / 64];
  set(*circle, false);
  bool is_empty = std::all_of(mask_.begin(), mask_.end(), [](uint64_t word) { return word == 0; });
  if (is_empty) mask_[static_cast<size_t>(*circle) / 64] = before;
}

// False: any token may come.
bool SequenceGuard::build_answer_mask() {
  if (!answer_ && !language_) return false;
  std::span<const uint64_t> by_grammar = answer_ ? answer_->mask() : std::span<const uint64_t>{};
  if (!language_) {
    mask_.assign(by_grammar.begin(), by_grammar.end());
    return true;
  }
  std::span<const uint64_t> by_language = language_->mask();
  mask_.assign(by_language.begin(), by_language.end());
  if (!answer_) return true;
  const std::vector<uint64_t>& text = options_.vocabulary->text_mask();
  bool is_empty = true;
  for (size_t i = 0; i < mask_.size(); i++) {
    if (language_->is_complete()) mask_[i] |= ~text[i];  // the grammar's control tokens, between characters
    mask_[i] &= by_grammar[i];
    is_empty &= mask_[i] == 0;
  }
  // What the grammar asks for in another language (a name of a property, a constant) it gets.
  if (is_empty) mask_.assign(by_grammar.begin(), by_grammar.end());
  return true;
}

void SequenceGuard::follow_language(TokenId token) {
  if (!language_ || !options_.vocabulary->is_text(token)) return;
  if (!language_->accept(token)) language_.emplace(options_.language);
}

bool SequenceGuard::accept(TokenId token) {
  if (token < 0 || token >= options_.vocabulary->n_tokens()) return false;
  if (phase_ == Phase::kStart && token == options_.think_open) {
    phase_ = Phase::kThought;
    return true;
  }
  if (phase_ == Phase::kThought) {
    thinking_.accept(token);
    follow_language(token);
    if (!thinking_.is_open()) {
      phase_ = Phase::kAnswer;
      if (language_) language_.emplace(options_.language);
      return true;
    }
    if (loops_.accept(token) == LoopDetector::State::kLoop) thinking_.end(ThoughtEnd::kLoop);
    return true;
  }
  if (answer_ && !answer_->accept(token)) return false;
  phase_ = Phase::kAnswer;
  follow_language(token);
  return true;
}

void SequenceGuard::end_thought() {
  if (phase_ == Phase::kThought) thinking_.end(ThoughtEnd::kUser);
}

}  // namespace minke::constrain
