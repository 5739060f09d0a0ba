#include "engine/engine.h"

#include <algorithm>

#include "base/check.h"
#include "base/rng.h"
#include "model/blocks/head.h"

namespace minke {
Engine::Engine(Model& model, const Context& context, const EngineOptions& options, int64_t n_valid_tokens)
    : model_(model),
      context_(context),
      options_(options),
      n_valid_tokens_(std::min(n_valid_tokens, model.config().vocab_size)),
      cache_(model.config(), options.cache_tokens, options.kv, options.mla),
      prefixes_(cache_, options.prefix_tokens) {
  CHECK(options.max_running > 0 && options.prefill_tokens > 0 && n_valid_tokens_ > 0, "{} sequences, {} tokens, {} ids",
        options.max_running, options.prefill_tokens, n_valid_tokens_);
  for (int i = 0; i < context.n_threads(); i++) scratch_.emplace_back(n_valid_tokens_);
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
  for (TokenId token : request.prompt) {
    if (token >= 0 && token < model_.config().vocab_size) continue;
    return error("token {} of the prompt: the model's vocabulary is 0 to {}", token, model_.config().vocab_size - 1);
  }
  // The last token of an answer is not run.
  int64_t limit = context;
  if (request.max_new_tokens >= 0 && request.max_new_tokens <= context - n_prompt)
    limit = n_prompt + request.max_new_tokens - 1;
  const int64_t capacity = cache_.capacity_tokens() / request.n_samples / kPageSize * kPageSize;
  if (request.max_new_tokens < 0) limit = std::min(limit, capacity);
  if (n_prompt > capacity || limit > capacity) {
    return error("{} samples of at most {} tokens: the KV cache holds {}", request.n_samples, std::max(limit, n_prompt),
                 cache_.capacity_tokens());
  }
  const int64_t id = next_id_++;
  waiting_.push_back({std::make_shared<const Job>(Job{id, std::move(request), limit, n_forgotten_}), {}, nullptr});
  return id;
}

void Engine::cancel(int64_t request) {
  paused_.erase(request);
  for (std::deque<Prompt>* prompts : {&waiting_, &reading_}) {
    std::erase_if(*prompts, [&](Prompt& prompt) {
      if (prompt.job->id != request) return false;
      keep(*prompt.job, {}, std::move(prompt.cache), true);
      return true;
    });
  }
  std::erase_if(running_, [&](Sequence& sequence) {
    if (sequence.job->id != request) return false;
    finish(sequence, true);
    return true;
  });
}

Status Engine::start_running() {
  for (auto prompt = reading_.begin(); prompt != reading_.end();) {
    if (prompt->n_rest() > 0) {
      ++prompt;
      continue;
    }
    if (prompt->resumed) {
      prompt->resumed->cache = std::move(prompt->cache);
      running_.push_back(std::move(*prompt->resumed));
      rows_.push_back(-1);
    } else {
      TRY(start_samples(*prompt));
    }
    prompt = reading_.erase(prompt);
  }
  return {};
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
    running_.push_back({.job = prompt.job,
                        .sample = i,
                        .cache = std::move(cache),
                        .sampler = std::move(sampler),
                        .guide = request.guide ? request.guide(i) : nullptr,
                        .thought = ThoughtTracker(request.thought, request.prompt),
                        .answer = {},
                        .n_reused = prompt.n_reused});
    rows_.push_back(prompt.row);
  }
  return {};
}

void Engine::draw(Sequence& sequence, std::span<const float> logits, SamplerScratch& scratch) {
  TokenGuide::Rule rule = sequence.guide ? sequence.guide->next(logits) : TokenGuide::Rule{};
  const TokenId token = rule.forced >= 0 ? sequence.sampler.force(rule.forced, logits, scratch).token
                                         : sequence.sampler.sample(logits, scratch, rule.allowed).token;
  if (sequence.guide) sequence.guide->accept(token);
  sequence.answer.push_back(token);
  if (!sequence.job->request.wants_logprob) return;
  const double temperature = sequence.job->request.sampling.temperature;
  std::vector<float> row(logits.begin(), logits.end());  // samples of one prompt begin with the same row
  logprobs_of(&sequence.logprob, nullptr, row.data(), &token, temperature == 0 ? 1 : temperature, 1,
              static_cast<int64_t>(logits.size()), {nullptr, context_.isa});
}

void Engine::draw() {
  const auto vocab = static_cast<size_t>(model_.config().vocab_size);
  const auto n_lanes = static_cast<int64_t>(scratch_.size());
  context_.parallel_for(n_lanes, 1, [&](int64_t begin, int64_t end) {
    for (int64_t lane = begin; lane < end; lane++) {
      for (auto i = static_cast<size_t>(lane); i < running_.size(); i += scratch_.size()) {
        if (rows_[i] < 0) continue;
        const std::span<const float> logits(logits_.data() + static_cast<size_t>(rows_[i]) * vocab, vocab);
        draw(running_[i], logits, scratch_[static_cast<size_t>(lane)]);
      }
    }
  });
}

void Engine::keep(const Job& job, std::span<const TokenId> answer, SequenceCache cache, bool is_cancelled) {
  if (job.n_forgotten != n_forgotten_ || options_.prefix_tokens == 0) return give_back(cache);
  const int64_t n_of_prompt = std::min(job.n_prompt(), cache.n_tokens), n_of_answer = cache.n_tokens - n_of_prompt;
  std::vector<TokenId> tokens(job.request.prompt.begin(), job.request.prompt.begin() + n_of_prompt);
  tokens.insert(tokens.end(), answer.begin(), answer.begin() + n_of_answer);
  const bool may_be_stored = job.request.uses_store && !is_cancelled;
  prefixes_.keep(std::move(tokens), std::move(cache), n_of_prompt, may_be_stored ? n_of_prompt : 0, job.request.client);
}

// A next prompt may begin with prompt and answer; with MLA's latents only with the prompt, since what was generated has the
// bits of the absorbed form.
void Engine::finish(Sequence& sequence, bool is_cancelled) {
  const bool has_two_forms = model_.config().attention == AttentionKind::kMla && options_.mla == MlaCache::kLatent;
  if (has_two_forms) cache_.truncate(sequence.cache, sequence.job->n_prompt());
  keep(*sequence.job, sequence.answer, std::move(sequence.cache), is_cancelled);
}

void Engine::deliver(Sequence& sequence, const OnToken& on_token) {
  const Job& job = *sequence.job;
  const std::vector<TokenId>& stops = job.request.stop_tokens;
  const TokenId last = sequence.answer.back();
  EngineToken token = {job.id, sequence.sample, last, sequence.logprob, &sequence.sampler.last(), {}, sequence.n_reused, {}};
  token.place = sequence.thought.see(last);
  if (std::find(stops.begin(), stops.end(), last) != stops.end()) {
    token.finish = FinishReason::kStopToken;
  } else if (static_cast<int64_t>(sequence.answer.size()) == job.request.max_new_tokens) {
    token.finish = FinishReason::kLength;
  } else if (sequence.cache.n_tokens == job.limit) {
    token.finish = FinishReason::kContextFull;
  }
  sequence.is_finished = !on_token(token) || token.finish;
  if (sequence.is_finished) finish(sequence, false);
}

Status Engine::step(const OnToken& on_token) {
  TRY(admit());
  if (running_.empty() && reading_.empty()) return {};
  plan();
  if (!make_room()) {
    return error("the KV cache of {} tokens is too small for a sequence that was admitted", cache_.capacity_tokens());
  }
  if (!batch_.tokens.empty()) TRY(model_.forward(logits_, batch_, cache_, context_));
  TRY(start_running());
  draw();
  for (size_t i = 0; i < running_.size(); i++) {
    if (rows_[i] >= 0) deliver(running_[i], on_token);
  }
  std::erase_if(running_, [](const Sequence& sequence) { return sequence.is_finished; });
  return {};
}

void Engine::set_store(PrefixStore* store, std::string_view model) {
  forget_prefixes();
  prefixes_.use_store(store, fmt::format("{}, {} tokens, {} bytes, {}, {}, {}", model, kPageSize, cache_.whole_page_bytes(),
                                         dtype_name(options_.kv), options_.mla == MlaCache::kHeads ? "heads" : "latents",
                                         isa_name(context_.isa)));
}

void Engine::forget_prefixes() {
  n_forgotten_++;
  prefixes_.clear();
}

void Engine::clear() {
  for (std::deque<Prompt>* prompts : {&waiting_, &reading_}) {
    for (Prompt& prompt : *prompts) give_back(prompt.cache);
    prompts->clear();
  }
  for (Sequence& sequence : running_) give_back(sequence.cache);
  running_.clear();
  paused_.clear();
  prefixes_.clear();
}

}  // namespace minke
