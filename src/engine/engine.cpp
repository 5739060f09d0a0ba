#include "engine/engine.h"

#include <algorithm>
#include <limits>

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
  waiting_.push_back({std::make_shared<const Job>(Job{id, std::move(request), limit}), {}, nullptr});
  return id;
}

void Engine::cancel(int64_t request) {
  const auto forget = [&](std::deque<Prompt>& prompts) {
    std::erase_if(prompts, [&](Prompt& prompt) {
      if (prompt.job->id != request) return false;
      give_back(prompt.cache);
      return true;
    });
  };
  forget(waiting_);
  forget(reading_);
  std::erase_if(running_, [&](Sequence& sequence) {
    if (sequence.job->id != request) return false;
    finish(sequence);
    return true;
  });
}

// Whoever made room for others goes first; then the client with the fewest samples under way, in the order of coming.
std::deque<Engine::Prompt>::iterator Engine::next_waiting() {
  auto best = waiting_.begin();
  int64_t least = std::numeric_limits<int64_t>::max();
  std::vector<std::pair<uint64_t, int64_t>> seen;  // clients, and what they have under way
  for (auto prompt = waiting_.begin(); prompt != waiting_.end(); ++prompt) {
    if (prompt->resumed) return prompt;
    const uint64_t client = prompt->job->request.client;
    if (std::any_of(seen.begin(), seen.end(), [&](const auto& known) { return known.first == client; })) continue;
    int64_t n = 0;
    for (const Prompt& other : reading_) n += other.job->request.client == client ? other.n_samples() : 0;
    for (const Sequence& other : running_) n += other.job->request.client == client ? 1 : 0;
    seen.emplace_back(client, n);
    if (n < least) {
      least = n;
      best = prompt;
    }
  }
  return best;
}

Status Engine::admit() {
  int64_t n_admitted = n_running();
  for (const Prompt& prompt : reading_) n_admitted += prompt.n_samples();
  while (!waiting_.empty()) {
    const auto next = next_waiting();
    const Job& job = *next->job;
    if (n_admitted + next->n_samples() > options_.max_running) return {};
    // Of a new prompt the last token is run, whose logits are wanted; one that is resumed has them behind its answer.
    SequenceCache cache = TRY(prefixes_.take(job.request.prompt, next->resumed ? 0 : 1));
    // Room for the rest of the prompt, and for everyone to go on a little: else who comes would be sent away again at once.
    const int64_t n_pages =
        pages_for(job.n_prompt()) - static_cast<int64_t>(cache.page_table.size()) + next->n_samples() + n_admitted;
    const bool is_alone = running_.empty() && reading_.empty();
    if (!prefixes_.release(n_pages) && !is_alone) {
      give_back(cache);
      return {};
    }
    n_admitted += next->n_samples();
    Prompt prompt = std::move(*next);
    waiting_.erase(next);
    prompt.cache = std::move(cache);
    prompt.n_reused = prompt.cache.n_tokens;
    reading_.push_back(std::move(prompt));
  }
  return {};
}

void Engine::plan_running() {
  int64_t room = options_.prefill_tokens;  // for what is read again
  for (Sequence& sequence : running_) {
    const int64_t n_rest = sequence.job->n_prompt() + static_cast<int64_t>(sequence.answer.size()) - sequence.cache.n_tokens;
    const int64_t n = n_rest == 1 ? 1 : std::min(n_rest, room);
    if (n_rest > 1) room -= n;
    rows_.push_back(-1);
    if (n == 0) continue;
    const auto first = sequence.answer.end() - static_cast<std::ptrdiff_t>(n_rest);
    batch_.tokens.insert(batch_.tokens.end(), first, first + static_cast<std::ptrdiff_t>(n));
    batch_.sequences.push_back({&sequence.cache, n, MlaForm::kAbsorbed});
    if (n < n_rest) continue;
    rows_.back() = static_cast<int64_t>(batch_.logit_rows.size());
    batch_.logit_rows.push_back(static_cast<int64_t>(batch_.tokens.size()) - 1);
  }
}

void Engine::plan_prompts() {
  int64_t room = options_.prefill_tokens;
  for (Prompt& prompt : reading_) {
    if (room == 0) return;
    const std::vector<TokenId>& tokens = prompt.job->request.prompt;
    const int64_t n_rest = prompt.job->n_prompt() - prompt.cache.n_tokens, n = std::min(room, n_rest);
    if (n == 0) continue;  // resumed, and found whole
    const auto first = tokens.begin() + prompt.cache.n_tokens;
    batch_.tokens.insert(batch_.tokens.end(), first, first + n);
    batch_.sequences.push_back({&prompt.cache, n, MlaForm::kNaive});
    if (n == n_rest && !prompt.resumed) batch_.logit_rows.push_back(static_cast<int64_t>(batch_.tokens.size()) - 1);
    room -= n;
  }
}

void Engine::plan() {
  batch_.tokens.clear();
  batch_.sequences.clear();
  batch_.logit_rows.clear();
  rows_.clear();
  plan_running();
  plan_prompts();
}

int64_t Engine::n_wanted_pages() const {
  int64_t n_pages = 0;
  for (const BatchSequence& part : batch_.sequences) {
    n_pages += pages_for(part.cache->n_tokens + part.n_tokens) - static_cast<int64_t>(part.cache->page_table.size());
  }
  for (const Prompt& prompt : reading_) {
    if (prompt.job->n_prompt() % kPageSize != 0) n_pages += prompt.n_samples() - 1;
  }
  return n_pages;
}

// The sequence that came last waits again, its cache is given back. What it has said stays.
void Engine::preempt_last() {
  n_preempted_++;
  const int64_t last_reading = reading_.empty() ? -1 : reading_.back().job->id;
  const auto last = std::max_element(running_.begin(), running_.end(),
                                     [](const Sequence& a, const Sequence& b) { return a.job->id < b.job->id; });
  if (last == running_.end() || last_reading >= last->job->id) {
    give_back(reading_.back().cache);
    waiting_.push_front(std::move(reading_.back()));
    reading_.pop_back();
    return;
  }
  give_back(last->cache);
  Prompt prompt = {last->job, {}, std::make_unique<Sequence>(std::move(*last))};
  running_.erase(last);
  waiting_.push_front(std::move(prompt));
}

bool Engine::make_room() {
  while (!prefixes_.release(n_wanted_pages())) {
    if (n_running() + static_cast<int64_t>(reading_.size()) < 2) return false;
    preempt_last();
    plan();
  }
  return true;
}

Status Engine::start_samples(Prompt& prompt, int64_t row) {
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
    rows_.push_back(row);
  }
  return {};
}

void Engine::draw(Sequence& sequence, std::span<const float> logits, SamplerScratch& scratch) {
  const TokenGuide::Rule rule = sequence.guide ? sequence.guide->next(logits) : TokenGuide::Rule{};
  const TokenId token = rule.forced >= 0 ? sequence.sampler.force(rule.forced, logits, scratch).token
                                         : sequence.sampler.sample(logits, scratch, rule.allowed).token;
  if (sequence.guide) sequence.guide->accept(token);
  sequence.answer.push_back(token);
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

// The cache keeps what a next prompt may begin with: with MLA's latents only the prompt, since what was generated has the bits
// of the absorbed form.
void Engine::finish(Sequence& sequence) {
  const Job& job = *sequence.job;
  const bool has_two_forms = model_.config().attention == AttentionKind::kMla && options_.mla == MlaCache::kLatent;
  const bool has_read_prompt = sequence.cache.n_tokens >= job.n_prompt();
  if (options_.prefix_tokens == 0 || !has_read_prompt) return give_back(sequence.cache);
  if (has_two_forms) cache_.truncate(sequence.cache, job.n_prompt());
  std::vector<TokenId> tokens = job.request.prompt;
  const int64_t n_more = sequence.cache.n_tokens - job.n_prompt();
  tokens.insert(tokens.end(), sequence.answer.begin(), sequence.answer.begin() + static_cast<std::ptrdiff_t>(n_more));
  prefixes_.keep(std::move(tokens), std::move(sequence.cache));
}

bool Engine::deliver(Sequence& sequence, const OnToken& on_token) {
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
  if (on_token(token) && !token.finish) return true;
  finish(sequence);
  return false;
}

Status Engine::step(const OnToken& on_token) {
  TRY(admit());
  if (running_.empty() && reading_.empty()) return {};
  plan();
  if (!make_room()) {
    return error("the KV cache of {} tokens is too small for a sequence that was admitted", cache_.capacity_tokens());
  }
  if (!batch_.tokens.empty()) TRY(model_.forward(logits_, batch_, cache_, context_));
  int64_t row = std::count_if(rows_.begin(), rows_.end(), [](int64_t of) { return of >= 0; });
  while (!reading_.empty() && reading_.front().cache.n_tokens == reading_.front().job->n_prompt()) {
    Prompt prompt = std::move(reading_.front());
    reading_.pop_front();
    if (prompt.resumed) {
      prompt.resumed->cache = std::move(prompt.cache);
      running_.push_back(std::move(*prompt.resumed));
      rows_.push_back(-1);
    } else {
      TRY(start_samples(prompt, row++));
    }
  }
  draw();
  size_t i = 0;
  std::erase_if(running_, [&](Sequence& sequence) { return rows_[i++] >= 0 && !deliver(sequence, on_token); });
  return {};
}

void Engine::clear() {
  for (std::deque<Prompt>* prompts : {&waiting_, &reading_}) {
    for (Prompt& prompt : *prompts) give_back(prompt.cache);
    prompts->clear();
  }
  for (Sequence& sequence : running_) give_back(sequence.cache);
  running_.clear();
  prefixes_.clear();
}

}  // namespace minke
