// One sequence through a model: takes a prompt, then gives a token at a time. Knows token ids, not text.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/error.h"
#include "engine/sampler.h"
#include "engine/speculator.h"
#include "engine/thought_tracker.h"
#include "model/model.h"

namespace minke {

struct GeneratorOptions {
  int64_t context_tokens = 4096;    // room in the KV cache
  int64_t prefill_chunk = 512;      // tokens of a prompt in one forward call; does not change results
  DType kv = DType::kF32;           // of the KV cache: f32, f16, bf16, q8_0
  std::optional<MlaForm> mla = {};  // none: naive for prompts, absorbed for generated tokens
  SpeculationOptions speculation = {};
};

struct GenerateRequest {
  std::vector<TokenId> prompt;
  SamplingOptions sampling;
  int64_t max_new_tokens = -1;  // -1: until the context is full
  std::vector<TokenId> stop_tokens;
  ThoughtTokens thought;
};

enum class FinishReason { kStopToken, kStopped, kLength, kContextFull };
std::string_view finish_reason_name(FinishReason reason);

enum class Control {
  kContinue,
  kStop,        // the caller has enough (a stop string, Ctrl-C)
  kEndThought,  // close the thought now and go on with the answer; outside a thought the same as kContinue
};

struct GeneratedToken {
  SampledToken sampled;
  bool is_thought = false;  // inside the thought; the tags themselves are marks
  bool is_mark = false;     // the opening or closing tag, or the stop token: not text
};

struct GenerateResult {
  FinishReason reason = FinishReason::kStopToken;
  int64_t n_prompt = 0;    // tokens of the prompt
  int64_t n_reused = 0;    // of them, found in the cache
  int64_t n_answered = 0;  // tokens generated, thought and marks included
  int64_t n_thought = 0;
  double prompt_s = 0, answer_s = 0;
  // Speculation: tokens drafted, those of them that were right, and how many times as fast it is estimated to have made the
  // answer (0: nothing was drafted).
  int64_t n_drafted = 0, n_accepted = 0;
  double speculation_gain = 0;
  ExpertStats experts;  // of the answer, when experts come from disk
};

class Generator {
 public:
  Generator(Model& model, const Context& context, const GeneratorOptions& options, int64_t n_valid_tokens);
  Generator(const Generator&) = delete;  // the speculator refers to the cache

  // Generates until a stop. `on_token` sees every token, in order. `on_prompt` (may be null) sees progress of the prompt,
  // tokens done and in all, and stops it by returning false. Errors: an empty prompt, a prompt longer than the context, bad
  // sampling options. The cache keeps prompt and answer; a next prompt that starts alike reuses it.
  using OnToken = std::function<Control(const GeneratedToken&)>;
  using OnPrompt = std::function<bool(int64_t n_done, int64_t n_total)>;
  Result<GenerateResult> generate(const GenerateRequest& request, const OnToken& on_token, const OnPrompt& on_prompt = nullptr);

  int64_t context_tokens() const { return options_.context_tokens; }

 private:
  Result<bool> read_prompt(const std::vector<TokenId>& prompt, GenerateResult& result, const OnPrompt& on_prompt);
  enum class LogitRows { kNone, kLast, kAll };
  Status feed(std::span<const TokenId> tokens, MlaForm form, LogitRows rows);
  Result<FinishReason> answer(const GenerateRequest& request, const OnToken& on_token, GenerateResult& result);
  Status advance(TokenId token, int64_t max_drafts, GenerateResult& result);
  Status finish_step(bool has_wrong, GenerateResult& result);
  std::span<const float> next_logits() const;
  int64_t n_sure() const;

  Model& model_;
  Context context_;
  GeneratorOptions options_;
  int64_t n_valid_tokens_;
  KvCache cache_;
  SamplerScratch scratch_;
  SequenceCache sequence_;
  std::vector<TokenId> cached_;  // the tokens in the cache
  std::vector<float> logits_;    // [n_rows, vocab_size] of the last call

  // The last forward call of an answer: a sampled token and what was drafted to follow it. Its row of logits i counts once i
  // drafts have been sampled too; what was drafted and not sampled leaves the cache with finish_step().
  struct Step {
    bool is_open = false;  // false: the last call was the prompt's
    std::vector<TokenId> drafts;
    size_t n_accepted = 0;
    double seconds = 0;
  };
  Step step_;
  // Of one call; kept, as all buffers here, so that a token allocates nothing.
  Batch batch_;
  std::vector<TokenId> step_tokens_;
  std::optional<Speculator> speculator_;
  std::vector<float> hidden_;  // [n_rows, hidden_size] of the last call, if the speculator wants them
  double step_seconds_ = 0;    // of all steps of this answer
  int64_t n_step_tokens_ = 0;  // that they gave
};

}  // namespace minke
