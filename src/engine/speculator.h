// Speculative decoding: a few tokens are drafted, one forward call over all of them verifies them. What is sampled decides,
// position by position with the logits, the random numbers and the penalties that it would have had anyway; a draft only saves
// the call when it names the same token. So the text is the same with and without (the forward pass is batch-invariant bit for
// bit), for greedy and for random sampling.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "engine/draft_policy.h"
#include "engine/mtp_drafter.h"
#include "engine/prompt_lookup.h"

namespace minke {

enum class SpeculationMode {
  kOff,
  kAuto,    // kMtp where the model can, else kLookup
  kLookup,  // from the text so far
  kMtp,     // by the model's module of multi-token prediction
};

struct SpeculationOptions {
  SpeculationMode mode = SpeculationMode::kOff;
  int64_t max_drafts = 0;  // tokens of one draft; 0: 1 with kMtp, which is trained for one, else 7
  // Seconds of a step with so many rows; null: measured. Decides when drafting pays, never what is said.
  std::function<double(int64_t n_rows)> step_seconds = nullptr;
  // Sees every draft of at most n tokens and may put another in its place; for tests.
  std::function<void(std::vector<TokenId>& draft, std::span<const TokenId> text, int64_t n)> edit_draft = nullptr;
};

class Speculator {
 public:
  // The mode must fit the model; kOff is for who has no Speculator.
  Speculator(Model& model, KvCache& cache, const Context& context, const SpeculationOptions& options, int64_t n_valid_tokens);

  bool wants_hidden() const { return mtp_.has_value(); }
  int64_t max_drafts() const { return max_drafts_; }

  // The text from here on: its first n_kept tokens, which are in the cache.
  void restart(int64_t n_kept);
  // The text's next tokens, when they are known: of the prompt, or sampled.
  void see(std::span<const TokenId> tokens);
  // Hidden states of tokens that have been run and stay.
  Status add_hidden(std::span<const float> hidden, const SequenceCache& sequence);

  // How many tokens to draft now, at most n_max; 0 when it does not pay. Does first what steps before left undone, so that the
  // caller can time draft() and its forward call alone.
  Result<int64_t> plan(int64_t n_max, const SequenceCache& sequence);
  // draft: at most n > 0 tokens that may follow the text, whose last token is not in the cache yet; none when there is no idea.
  Status draft(std::vector<TokenId>& draft, int64_t n, SequenceCache& sequence);
  void record(const DraftedStep& step) { policy_.record(step); }
  double plain_seconds() const { return policy_.plain_seconds(); }

 private:
  SpeculationOptions options_;
  int64_t max_drafts_;
  DraftPolicy policy_;
  std::optional<MtpDrafter> mtp_;
  PromptLookup lookup_;
  std::vector<TokenId> text_;
  int64_t n_fresh_ = 0;  // hidden states of the last step
};

}  // namespace minke
