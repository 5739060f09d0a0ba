// Many sequences through one model at once (continuous batching): each step is one forward call over the next token of every
// running sequence and a piece of the prompts that are being read. A sequence's tokens and log-probabilities depend on its own
// request alone, to the bit: not on its company, its place, threads or how its prompt was cut.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/context.h"
#include "base/error.h"
#include "engine/generator.h"
#include "engine/sampler.h"
#include "model/model.h"

namespace minke {

struct EngineOptions {
  int64_t cache_tokens = 1 << 16;  // room in the KV cache, for all sequences together
  int64_t max_running = 256;       // sequences in one step
  int64_t prefill_tokens = 2048;   // of prompts in one step, beside the running sequences
  DType kv = DType::kF32;
  // kHeads gives MLA the form that training has (and needs kv_b_proj as one matrix that is not packed); with kLatent prompts
  // are naive and generated tokens absorbed.
  MlaCache mla = MlaCache::kLatent;
};

struct EngineRequest {
  std::vector<TokenId> prompt;
  SamplingOptions sampling;     // sample i draws with the seed mix_seed(seed, i)
  int64_t max_new_tokens = -1;  // -1: until the context is full
  std::vector<TokenId> stop_tokens;
  int n_samples = 1;  // answers to the same prompt, which is read once
};

struct EngineToken {
  int64_t request = 0;  // as submit() named it
  int sample = 0;
  TokenId token = 0;
  float logprob =
      0;  // of the distribution at the request's temperature (of the model's own when it is 0), before top-k and such
  std::optional<FinishReason> finish;  // of this sample; no further token follows
};

class Engine {
 public:
  // The model outlives the engine. Tokens from n_valid_tokens on are never drawn.
  static Result<std::unique_ptr<Engine>> create(Model& model, const Context& context, const EngineOptions& options,
                                                int64_t n_valid_tokens);
  Engine(const Engine&) = delete;

  // Puts a request behind those that wait. Errors: no prompt, more tokens than the context or the cache holds, bad options.
  Result<int64_t> submit(EngineRequest request);

  // One step; nothing when idle. on_token sees one new token of every running sample; false stops that sample.
  using OnToken = std::function<bool(const EngineToken&)>;
  Status step(const OnToken& on_token);

  bool is_idle() const { return waiting_.empty() && reading_.empty() && running_.empty(); }
  int64_t n_running() const { return static_cast<int64_t>(running_.size()); }
  // Forgets all requests; no reasons are given.
  void clear();

 private:
  // What the samples of a request share.
  struct Job {
    int64_t id;
    EngineRequest request;
    int64_t limit;  // tokens of a sequence at most, prompt included
  };
  struct Prompt {
    std::shared_ptr<const Job> job;
    SequenceCache cache;
  };
  struct Sequence {
    std::shared_ptr<const Job> job;
    int sample;
    SequenceCache cache;
    Sampler sampler;
    int64_t n_answered = 0;
    TokenId last = 0;  // not in the cache yet
    float logprob = 0;
  };

  Engine(Model& model, const Context& context, const EngineOptions& options, int64_t n_valid_tokens);
  void admit();
  // Adds pieces of prompts to the batch; those that end with it get a row of logits.
  void add_prompts();
  // The samples of a prompt that has been read.
  Status start_samples(Prompt& prompt);
  // The next token of every running sequence: of sequence i by row rows_[i] of the logits.
  void draw();
  // False when the sequence is finished; then its pages are free again.
  bool deliver(Sequence& sequence, const OnToken& on_token);

  Model& model_;
  Context context_;
  EngineOptions options_;
  int64_t n_valid_tokens_;
  KvCache cache_;
  int64_t n_promised_pages_ = 0;  // that admitted requests may come to need
  int64_t n_admitted_ = 0;        // samples that are read for or run
  int64_t next_id_ = 0;
  std::deque<std::shared_ptr<const Job>> waiting_;
  std::deque<Prompt> reading_;
  std::deque<Sequence> running_;
  std::vector<int64_t> rows_;
  std::vector<float> logits_;
  Batch batch_;
};

}  // namespace minke
