// Many sequences through one model at once (continuous batching): each step is one forward call over the next token of every
// running sequence and a piece of the prompts that are being read. A sequence's tokens and log-probabilities depend on its own
// request alone, to the bit: not on its company, its place, threads, how its prompt was cut, what of it was found in the cache,
// or whether it had to make room for others and was read again. An engine belongs to one thread; nothing here waits.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/error.h"
#include "engine/generator.h"
#include "engine/prefix_cache.h"
#include "engine/sampler.h"
#include "engine/thought_tracker.h"
#include "engine/token_guide.h"
#include "model/model.h"

namespace minke {

struct EngineOptions {
  int64_t cache_tokens = 1 << 16;  // room in the KV cache, for all sequences together
  int64_t max_running = 256;       // sequences in one step
  int64_t prefill_tokens = 2048;   // of prompts in one step, beside the running sequences
  int64_t prefix_tokens = 0;       // of finished sequences that stay in the KV cache while there is room; 0: none
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
  ThoughtTokens thought;
  std::function<std::unique_ptr<TokenGuide>(int sample)> guide;  // null: none
  // Whoever asks: of those that wait, who has the fewest running goes first, and nobody goes on from the beginnings of another,
  // whose words the time to the first token would tell.
  std::string client;
  std::function<void()> on_begin;  // when its prompt begins to be read, again if it made room before its end; may be null
  bool wants_logprob = true;
  bool uses_store = true;  // false: it reads nothing from the store, and nothing of it goes there
};

struct EngineToken {
  int64_t request = 0;  // as submit() named it
  int sample = 0;
  TokenId token = 0;
  // When wanted, of the distribution at the request's temperature (of the model's own when it is 0), before top-k and such.
  float logprob = 0;
  const SampledToken* sampled = nullptr;  // with what sampling.n_logprobs asks for; while on_token runs
  ThoughtTracker::Place place;
  int64_t n_reused = 0;                // tokens of the prompt that were found in the cache
  std::optional<FinishReason> finish;  // of this sample; no further token follows
};

class Engine {
 public:
  // The model outlives the engine. Tokens from n_valid_tokens on are never drawn.
  static Result<std::unique_ptr<Engine>> create(Model& model, const Context& context, const EngineOptions& options,
                                                int64_t n_valid_tokens);
  Engine(const Engine&) = delete;

  // Puts a request behind those that wait; how many may wait is for the caller to say. Errors: no prompt, more tokens than the
  // context or the cache holds, bad options.
  Result<int64_t> submit(EngineRequest request);
  // Forgets a request, wherever it stands; unknown and finished ones are nothing to forget.
  // Not from on_token, which says false instead.
  void cancel(int64_t request);
  // Its samples get no tokens until it is resumed, because their reader is behind; its pages stay. Unknown ones are nothing to
  // pause.
  void pause(int64_t request) { paused_.insert(request); }
  void resume(int64_t request) { paused_.erase(request); }

  // One step; nothing when idle. on_token sees one new token of every sample that got one; false stops that sample.
  using OnToken = std::function<bool(const EngineToken&)>;
  Status step(const OnToken& on_token);

  bool is_idle() const { return waiting_.empty() && reading_.empty() && running_.empty(); }
  int64_t n_waiting() const { return static_cast<int64_t>(waiting_.size()); }
  int64_t n_running() const { return static_cast<int64_t>(running_.size()); }
  // How often a sequence had to make room and was read again.
  int64_t n_preempted() const { return n_preempted_; }
  const PrefixCache& prefixes() const { return prefixes_; }
  int64_t n_pages() const { return cache_.capacity_tokens() / kPageSize; }
  int64_t n_free_pages() const { return cache_.n_free_pages(); }
  // Takes beginnings that make room for others; null: they are lost. It outlives the engine, or is replaced. `model`: what
  // tells this model from others: a hash of its files. Beginnings in memory are forgotten: they may have been made for another
  // one.
  void set_store(PrefixStore* store, std::string_view model);
  // Before the end of the program: beginnings go to the store.
  void save_prefixes() const { prefixes_.save(); }
  // Forgets all beginnings in memory; requests under way leave none either. The store's are for its owner to delete.
  void forget_prefixes();
  // Forgets all requests, and the beginnings in memory; no reasons are given.
  void clear();

 private:
  // What the samples of a request share.
  struct Job {
    int64_t id;
    EngineRequest request;
    int64_t limit;        // tokens of a sequence at most, prompt included
    int64_t n_forgotten;  // when it came
    int64_t n_prompt() const { return static_cast<int64_t>(request.prompt.size()); }
  };
  struct Sequence {
    std::shared_ptr<const Job> job;
    int sample;
    SequenceCache cache;
    Sampler sampler;
    std::unique_ptr<TokenGuide> guide;
    ThoughtTracker thought;
    std::vector<TokenId> answer;  // what of it is not in the cache yet is run next
    int64_t n_reused = 0;
    float logprob = 0;
    bool is_finished = false;
    int64_t n_tokens() const { return job->n_prompt() + static_cast<int64_t>(answer.size()); }
  };
  // A prompt that waits or is read: for the samples of its job that are still to begin, or for one that made room for others.
  struct Prompt {
    std::shared_ptr<const Job> job;
    SequenceCache cache;
    std::unique_ptr<Sequence> resumed;
    int64_t n_reused = 0;
    int64_t row = -1;  // of logits in this step, when it has been read by then
    int64_t n_samples() const { return resumed ? 1 : job->request.n_samples; }
    int64_t n_rest() const { return job->n_prompt() - cache.n_tokens; }
    int64_t n_tokens() const { return resumed ? resumed->n_tokens() : job->n_prompt(); }
  };

  Engine(Model& model, const Context& context, const EngineOptions& options, int64_t n_valid_tokens);
  // Who begins to be read before the next step.
  Status admit();
  // Who of those that wait is next.
  std::deque<Prompt>::iterator next_waiting();
  int64_t n_under_way(std::string_view client) const;
  // Pages that those under way will take to get where they stand, and one more for each.
  int64_t n_promised_pages() const;
  // The batch of the next step.
  void plan();
  void plan_running();
  void plan_prompts();
  // How many tokens of each prompt the next step reads.
  std::vector<int64_t> shares() const;
  // Pages that the planned batch takes, with the copies that samples of prompts which end with it begin with.
  int64_t n_wanted_pages() const;
  // Makes room for the planned batch: beginnings go first, then sequences.
  bool make_room();
  void preempt_one();
  void give_back(SequenceCache& cache) { cache_.truncate(cache, 0); }
  // Prompts that have been read become running sequences.
  Status start_running();
  Status start_samples(Prompt& prompt);
  // The next token of every sequence that has a row of logits.
  void draw();
  void draw(Sequence& sequence, std::span<const float> logits, SamplerScratch& scratch);
  // When the sequence is finished its pages are free again, or a beginning.
  void deliver(Sequence& sequence, const OnToken& on_token);
  void finish(Sequence& sequence, bool is_cancelled);
  // Keeps the first tokens of a sequence for those that begin alike, or gives them back. What was cancelled never goes to the
  // store: it may have been refused.
  void keep(const Job& job, std::span<const TokenId> answer, SequenceCache cache, bool is_cancelled);

  Model& model_;
  Context context_;
  EngineOptions options_;
  int64_t n_valid_tokens_;
  KvCache cache_;
  PrefixCache prefixes_;
  std::vector<SamplerScratch> scratch_;  // one for each thread
  int64_t next_id_ = 0, n_preempted_ = 0;
  int64_t n_forgotten_ = 0;  // how often beginnings were forgotten
  std::set<int64_t> paused_;
  std::deque<Prompt> waiting_, reading_;
  std::deque<Sequence> running_;
  std::vector<int64_t> rows_;  // of running sequences: the row of logits that the next token is drawn from, -1: none
  std::vector<float> logits_;
  Batch batch_;
};

}  // namespace minke
