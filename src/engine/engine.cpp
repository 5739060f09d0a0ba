#include "engine/engine.h"

#include <algorithm>

#include "base/check.h"
#include "base/rng.h"
#include "model/blocks/head.h"

namespace minke {
namespace {

int64_t pages_for(int64_t n_tokens) { return (n_tokens + kPageSize - 1) / kPageSize; }

}  // namespace

Engine::Engine(Model& model, const Context& context, const EngineOptions& options, int64_t n_valid_tokens)
    : model_(model),
      context_(context),
      options_(options),
      n_valid_tokens_(std::min(n_valid_tokens, model.config().vocab_size)),
      cache_(model.config(), options.cache_tokens, options.kv, options.mla) {
  CHECK(options.max_running > 0 && options.prefill_tokens > 0 && n_valid_tokens_ > 0, "{} sequences, {} tokens, {} ids",
        options.max_running, options.prefill_tokens, n_valid_tokens_);
}

Result<std::unique_ptr<Engine>> Engine::create(Model& model, const Context& context, const EngineOptions& options,
                                               int64_t n_valid_tokens) {
  if (options.mla == MlaCache::kHeads && model.config().attention == AttentionKind::kMla) {
    for (const LayerWeights& layer : model.weights().layers) {
      const Weight& up = layer.attention.up.kv_b_proj;
      if (up.data != nullptr && !up.is_packed) continue;
      return error("a cache of heads needs kv_b_proj as one matrix in f32, bf16 or f16; this model has it {}",
                   up.data == nullptr ? "in two halves" : "quantised");
    }
  }
  return std::unique_ptr<Engine>(new Engine(model, context, options, n_valid_tokens));
}

Result<int64_t> Engine::submit(EngineRequest request) {
  TRY(validate_sampling(request.sampling, model_.config().vocab_size));
  const int64_t n_prompt = static_cast<int64_t>(request.prompt.size()), context = model_.config().max_seq_len;
  if (request.prompt.empty()) return error("the prompt has no tokens");
  if (request.n_samples < 1 || request.n_samples > options_.max_running) {
    return error("{} samples: expected 1 to {}", request.n_samples, options_.max_running);
  }
  if (request.max_new_tokens == 0) return error("max_new_tokens 0: expected at least 1, or -1 for no limit");
  if (n_prompt > context) return error("the prompt has {} tokens, the model's context holds {}", n_prompt, context);
  // The last token of an answer is not run.
  int64_t limit = context;
  if (request.max_new_tokens >= 0) limit = std::min(limit, n_prompt + request.max_new_tokens - 1);
  const int64_t capacity = cache_.capacity_tokens() / request.n_samples / kPageSize * kPageSize;
  if (request.max_new_tokens < 0) limit = std::min(limit, capacity);
  if (n_prompt > capacity || limit > capacity) {
    return error("{} samples of at most {} tokens: the KV cache holds {}", request.n_samples, std::max(limit, n_prompt),
                 cache_.capacity_tokens());
  }
  const int64_t id = next_id_++;
  waiting_.push_back(std::make_shared<const Job>(Job{id, std::move(request), limit}));
  return id;
}

void Engine::admit() {
  while (!waiting_.empty()) {
    const Job& job = *waiting_.front();
    const int64_t n_pages = job.request.n_samples * pages_for(job.limit);
    const int64_t n_free = cache_.capacity_tokens() / kPageSize - n_promised_pages_;
    if (n_admitted_ + job.request.n_samples > options_.max_running || n_pages > n_free) return;
    n_promised_pages_ += n_pages;
    n_admitted_ += job.request.n_samples;
    reading_.push_back({std::move(waiting_.front()), {}});
    waiting_.pop_front();
  }
}

void Engine::add_prompts() {
  int64_t room = options_.prefill_tokens;
  for (Prompt& prompt : reading_) {
    if (room == 0) return;
    const std::vector<TokenId>& tokens = prompt.job->request.prompt;
    const int64_t n_rest = static_cast<int64_t>(tokens.size()) - prompt.cache.n_tokens, n = std::min(room, n_rest);
    const auto first = tokens.begin() + prompt.cache.n_tokens;
    batch_.tokens.insert(batch_.tokens.end(), first, first + n);
    batch_.sequences.push_back({&prompt.cache, n, MlaForm::kNaive});
    if (n == n_rest) batch_.logit_rows.push_back(static_cast<int64_t>(batch_.tokens.size()) - 1);
    room -= n;
  }
}

Status Engine::start_samples(Prompt& prompt) {
  const EngineRequest& request = prompt.job->request;
  for (int i = 0; i < request.n_samples; i++) {
    SamplingOptions sampling = request.sampling;
    sampling.seed = mix_seed(request.sampling.seed, static_cast<uint64_t>(i));
    Sampler sampler(std::move(sampling), n_valid_tokens_);
    sampler.saw_prompt(request.prompt);
    const bool is_last = i + 1 == request.n_samples;
    SequenceCache cache = is_last ? std::move(prompt.cache) : TRY(cache_.fork(prompt.cache, prompt.cache.n_tokens));
    running_.push_back({prompt.job, i, std::move(cache), std::move(sampler)});
  }
  return {};
}

void Engine::draw() {
  const int64_t vocab = model_.config().vocab_size, n = static_cast<int64_t>(running_.size());
  context_.parallel_for(n, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      Sequence& sequence = running_[static_cast<size_t>(i)];
      const std::span<const float> logits(logits_.data() + rows_[static_cast<size_t>(i)] * vocab, static_cast<size_t>(vocab));
      sequence.last = sequence.sampler.sample(logits).token;
      const double temperature = sequence.job->request.sampling.temperature;
      std::vector<float> row(logits.begin(), logits.end());  // samples of one prompt begin with the same row
      logprobs_of(&sequence.logprob, nullptr, row.data(), &sequence.last, temperature == 0 ? 1 : temperature, 1, vocab,
                  {nullptr, context_.isa});
    }
  });
}

bool Engine::deliver(Sequence& sequence, const OnToken& on_token) {
  const Job& job = *sequence.job;
  const std::vector<TokenId>& stops = job.request.stop_tokens;
  sequence.n_answered++;
  EngineToken token = {job.id, sequence.sample, sequence.last, sequence.logprob, {}};
  if (std::find(stops.begin(), stops.end(), token.token) != stops.end()) {
    token.finish = FinishReason::kStopToken;
  } else if (sequence.n_answered == job.request.max_new_tokens) {
    token.finish = FinishReason::kLength;
  } else if (sequence.cache.n_tokens == job.limit) {
    token.finish = FinishReason::kContextFull;
  }
  if (on_token(token) && !token.finish) return true;
  cache_.truncate(sequence.cache, 0);
  n_promised_pages_ -= pages_for(job.limit);
  n_admitted_--;
  return false;
}

Status Engine::step(const OnToken& on_token) {
  admit();
  if (running_.empty() && reading_.empty()) return {};
  batch_ = {};
  rows_.clear();
  for (Sequence& sequence : running_) {
    rows_.push_back(static_cast<int64_t>(batch_.tokens.size()));
    batch_.tokens.push_back(sequence.last);
    batch_.sequences.push_back({&sequence.cache, 1, MlaForm::kAbsorbed});
    batch_.logit_rows.push_back(rows_.back());
  }
  add_prompts();
  TRY(model_.forward(logits_, batch_, cache_, context_));
  for (int64_t row = static_cast<int64_t>(running_.size()); !reading_.empty(); row++) {
    Prompt& prompt = reading_.front();
    if (prompt.cache.n_tokens < static_cast<int64_t>(prompt.job->request.prompt.size())) break;
    rows_.insert(rows_.end(), static_cast<size_t>(prompt.job->request.n_samples), row);
    TRY(start_samples(prompt));
    reading_.pop_front();
  }
  draw();
  std::erase_if(running_, [&](Sequence& sequence) { return !deliver(sequence, on_token); });
  return {};
}

void Engine::clear() {
  for (Prompt& prompt : reading_) cache_.truncate(prompt.cache, 0);
  for (Sequence& sequence : running_) cache_.truncate(sequence.cache, 0);
  waiting_.clear();
  reading_.clear();
  running_.clear();
  n_promised_pages_ = n_admitted_ = 0;
}

}  // namespace minke
