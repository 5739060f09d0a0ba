#include "constrain/match/matcher.h"

#include <algorithm>

#include "base/check.h"

namespace minke::constrain {
namespace {

constexpr size_t kMaxMasks = 16;
constexpr size_t kMinCompactBytes = size_t{4} << 20;
// What a mask may cost. A tree of 128k tokens has some 300,000 nodes, but few different sets; so much is needed by grammars only
// that are ambiguous everywhere. Following a token that a mask allowed may cost more than finding it did: there rules were
// looked at one by one.
constexpr int64_t kMaskBudget = 5'000'000, kTokenBudget = 20 * kMaskBudget;

}  // namespace

Matcher::Matcher(std::shared_ptr<const TokenGrammar> grammar)
    : grammar_(std::move(grammar)), store_(std::make_unique<FrameStore>(grammar_->shared_grammar())) {
  compact_at_bytes_ = kMinCompactBytes;
  history_.push_back(store_->start());
}

bool Matcher::accept(TokenId token) {
  SetId next = after(token);
  if (next == kNoFrames) return false;
  if (static_cast<int64_t>(history_.size()) > kMaxRollback) history_.erase(history_.begin());
  history_.push_back(next);
  n_accepted_++;
  if (store_->n_bytes() > compact_at_bytes_) compact();
  return true;
}

SetId Matcher::after(TokenId token) {
  const Vocabulary& vocabulary = grammar_->vocabulary();
  if (token < 0 || token >= vocabulary.n_tokens()) return kNoFrames;
  store_->set_budget(kTokenBudget);
  if (std::find(vocabulary.eos().begin(), vocabulary.eos().end(), token) != vocabulary.eos().end()) {
    return is_complete() ? store_->done() : kNoFrames;
  }
  if (!vocabulary.is_text(token)) return store_->step_token(here(), token);
  const std::string& bytes = vocabulary.bytes(token);
  if (bytes.empty()) return kNoFrames;
  SetId set = here();
  for (char c : bytes) {
    set = store_->step(set, static_cast<uint8_t>(c));
    if (set == kNoFrames) break;
  }
  return set;
}

std::span<const uint64_t> Matcher::mask() {
  for (const CachedMask& known : masks_) {
    if (known.set == here()) return known.words;
  }
  if (store_->n_bytes() > compact_at_bytes_) compact();
  if (masks_.size() < kMaxMasks) masks_.emplace_back();
  CachedMask& mask = masks_[next_mask_];
  next_mask_ = (next_mask_ + 1) % kMaxMasks;
  mask.set = here();
  mask.words.assign(grammar_->vocabulary().n_mask_words(), 0);
  store_->set_budget(kMaskBudget);
  build_mask(mask.words);
  return mask.words;
}

void Matcher::build_mask(std::span<uint64_t> words) {
  if (store_->has_end(here())) {
    for (TokenId id : grammar_->vocabulary().eos()) words[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64);
  }
  std::vector<Frame> frames(store_->frames(here()).begin(), store_->frames(here()).end());  // walking moves them
  for (const Frame& frame : frames) {
    if (frame.state < kFirstState) continue;
    std::shared_ptr<const LocalMask> local = grammar_->local_mask(*store_, frame);
    local->add_to(words);
    if (local->nodes.empty()) continue;
    SetId outside = store_->return_to(frame.parents);
    std::bitset<256> bytes = store_->next_bytes(outside);
    for (size_t byte = 0; byte < 256; byte++) {
      if (!bytes[byte]) continue;
      for (uint32_t node : local->nodes_of(static_cast<uint8_t>(byte))) grammar_->walk(*store_, node, outside, words);
    }
  }
}

bool Matcher::is_complete() const { return store_->has_end(here()); }

bool Matcher::is_finished() const {
  std::span<const Frame> frames = store_->frames(here());
  return frames.size() == 1 && frames[0].state == kDoneState;
}

void Matcher::rollback(int64_t n) {
  CHECK(n >= 0 && n <= max_rollback(), "{} tokens back of {}", n, max_rollback());
  history_.resize(history_.size() - static_cast<size_t>(n));
  n_accepted_ -= n;
}

Matcher Matcher::fork() const {
  Matcher copy;
  copy.grammar_ = grammar_;
  copy.store_ = std::make_unique<FrameStore>(grammar_->shared_grammar());
  copy.n_accepted_ = n_accepted_;
  copy.compact_at_bytes_ = compact_at_bytes_;
  std::unordered_map<SetId, SetId> copied;
  for (SetId set : history_) copy.history_.push_back(copy.store_->copy_from(*store_, set, copied));
  return copy;
}

// Keeps what the last tokens need and forgets the rest of the sets and steps.
void Matcher::compact() {
  *this = fork();
  compact_at_bytes_ = std::max(kMinCompactBytes, 2 * store_->n_bytes());
}

}  // namespace minke::constrain
