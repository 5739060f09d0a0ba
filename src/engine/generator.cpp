#include "engine/generator.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"

namespace minke {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

std::string_view finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStopToken:
      return "stop";
    case FinishReason::kStopped:
      return "stopped";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kContextFull:
      return "context_full";
  }
  return "";
}

Generator::Generator(Model& model, const Context& context, const GeneratorOptions& options, int64_t n_valid_tokens)
    : model_(model),
      context_(context),
      options_(options),
      n_valid_tokens_(std::min(n_valid_tokens, model.config().vocab_size)),
      cache_(model.config(), options.context_tokens, options.kv),
      scratch_(n_valid_tokens_) {
  CHECK(options.prefill_chunk > 0 && n_valid_tokens > 0, "chunk {}, {} tokens", options.prefill_chunk, n_valid_tokens);
  cached_.reserve(static_cast<size_t>(cache_.capacity_tokens()));
  int64_t n_rows = 1;
  if (options.speculation.mode != SpeculationMode::kOff) {
    speculator_.emplace(model, cache_, context, options.speculation, n_valid_tokens_);
    n_rows += speculator_->max_drafts();
  }
  logits_.reserve(static_cast<size_t>(n_rows * model.config().vocab_size));
  step_.drafts.reserve(static_cast<size_t>(n_rows));
  step_tokens_.reserve(static_cast<size_t>(n_rows));
  batch_.tokens.reserve(static_cast<size_t>(n_rows));
  batch_.logit_rows.reserve(static_cast<size_t>(n_rows));
}

Status Generator::feed(std::span<const TokenId> tokens, MlaForm form, LogitRows rows) {
  int64_t n = static_cast<int64_t>(tokens.size());
  batch_.tokens.assign(tokens.begin(), tokens.end());
  batch_.sequences.assign(1, {&sequence_, n, options_.mla.value_or(form)});
  batch_.logit_rows.clear();
  for (int64_t row = rows == LogitRows::kAll ? 0 : n - 1; row < n && rows != LogitRows::kNone; row++) {
    batch_.logit_rows.push_back(row);
  }
  if (speculator_ && speculator_->wants_hidden()) batch_.hidden = &hidden_;
  TRY(model_.forward(logits_, batch_, cache_, context_));
  cached_.insert(cached_.end(), tokens.begin(), tokens.end());
  return {};
}

// False when on_prompt stopped it.
Result<bool> Generator::read_prompt(const std::vector<TokenId>& prompt, GenerateResult& result, const OnPrompt& on_prompt) {
  // The last token is always run: its logits are needed.
  size_t n_common = 0;
  while (n_common < cached_.size() && n_common + 1 < prompt.size() && cached_[n_common] == prompt[n_common]) n_common++;
  cache_.truncate(sequence_, static_cast<int64_t>(n_common));
  cached_.resize(n_common);
  if (speculator_) speculator_->restart(static_cast<int64_t>(n_common));
  result.n_reused = static_cast<int64_t>(n_common);
  std::span<const TokenId> rest = std::span(prompt).subspan(n_common);
  size_t chunk = static_cast<size_t>(options_.prefill_chunk);
  for (size_t start = 0; start < rest.size(); start += chunk) {
    if (on_prompt && !on_prompt(static_cast<int64_t>(n_common + start), result.n_prompt)) return false;
    std::span<const TokenId> tokens = rest.subspan(start, std::min(chunk, rest.size() - start));
    TRY(feed(tokens, MlaForm::kNaive, start + tokens.size() == rest.size() ? LogitRows::kLast : LogitRows::kNone));
    if (!speculator_) continue;
    speculator_->see(tokens);
    TRY(speculator_->add_hidden(hidden_, sequence_));
  }
  return true;
}

// Of the first token that is not sampled yet.
std::span<const float> Generator::next_logits() const {
  size_t vocab_size = static_cast<size_t>(model_.config().vocab_size);
  return std::span(logits_).subspan(step_.is_open ? step_.n_accepted * vocab_size : 0, vocab_size);
}

// Tokens in the cache without drafts that nobody sampled.
int64_t Generator::n_sure() const {
  return sequence_.n_tokens - (step_.is_open ? static_cast<int64_t>(step_.drafts.size() - step_.n_accepted) : 0);
}

// Goes on behind a sampled token: in the last call's logits, if it was drafted there, else with a new call, which drafts at
// most max_drafts tokens.
Status Generator::advance(TokenId token, int64_t max_drafts, GenerateResult& result) {
  if (speculator_) speculator_->see({&token, 1});
  bool has_draft = step_.is_open && step_.n_accepted < step_.drafts.size();
  if (has_draft && step_.drafts[step_.n_accepted] == token) {
    step_.n_accepted++;
    return {};
  }
  TRY(finish_step(has_draft, result));
  int64_t n_drafts = speculator_ ? TRY(speculator_->plan(max_drafts, sequence_)) : 0;
  Clock::time_point start = Clock::now();
  step_.drafts.clear();
  step_.n_accepted = 0;
  if (n_drafts > 0) TRY(speculator_->draft(step_.drafts, n_drafts, sequence_));
  step_tokens_.assign(1, token);
  step_tokens_.insert(step_tokens_.end(), step_.drafts.begin(), step_.drafts.end());
  TRY(feed(step_tokens_, MlaForm::kAbsorbed, LogitRows::kAll));
  step_.seconds = seconds_since(start);
  if (options_.speculation.step_seconds) {
    step_.seconds = options_.speculation.step_seconds(static_cast<int64_t>(step_tokens_.size()));
  }
  result.n_drafted += static_cast<int64_t>(step_.drafts.size());
  step_.is_open = true;
  return {};
}

// Takes drafts that were not sampled out of the cache. has_wrong: another token was sampled where the next one stood.
Status Generator::finish_step(bool has_wrong, GenerateResult& result) {
  if (!step_.is_open) return {};
  cache_.truncate(sequence_, n_sure());
  cached_.resize(static_cast<size_t>(sequence_.n_tokens));
  int64_t n_accepted = static_cast<int64_t>(step_.n_accepted);
  result.n_accepted += n_accepted;
  n_step_tokens_ += 1 + n_accepted;
  step_seconds_ += step_.seconds;
  if (speculator_) {
    speculator_->record({static_cast<int64_t>(step_.drafts.size()), n_accepted, has_wrong, step_.seconds});
    if (speculator_->wants_hidden()) {
      size_t n_kept = static_cast<size_t>((1 + n_accepted) * model_.config().hidden_size);
      TRY(speculator_->add_hidden(std::span(hidden_).first(n_kept), sequence_));
    }
  }
  step_.is_open = false;
  return {};
}

Result<FinishReason> Generator::answer(const GenerateRequest& request, const OnToken& on_token, GenerateResult& result) {
  Sampler sampler(request.sampling, n_valid_tokens_);
  sampler.saw_prompt(request.prompt);
  ThoughtTracker thought(request.thought, request.prompt);
  bool close_thought = false;
  GeneratedToken token;
  int64_t limit = std::min(options_.context_tokens, model_.config().max_seq_len);
  while (true) {
    if (request.max_new_tokens >= 0 && result.n_answered >= request.max_new_tokens) return FinishReason::kLength;
    token.sampled =
        close_thought ? sampler.force(request.thought.close, next_logits(), scratch_) : sampler.sample(next_logits(), scratch_);
    close_thought = false;
    TokenId id = token.sampled.token;
    result.n_answered++;
    bool is_stop = std::find(request.stop_tokens.begin(), request.stop_tokens.end(), id) != request.stop_tokens.end();
    const ThoughtTracker::Place place = thought.see(id);
    token.is_mark = is_stop || place.is_mark;
    token.is_thought = place.is_thought;
    if (token.is_thought) result.n_thought++;
    Control control = on_token(token);
    if (is_stop) return FinishReason::kStopToken;
    if (control == Control::kStop) return FinishReason::kStopped;
    close_thought = control == Control::kEndThought && thought.is_inside();
    int64_t room = limit - (n_sure() + 1);
    if (room < 0) return FinishReason::kContextFull;
    if (request.max_new_tokens >= 0) room = std::min(room, request.max_new_tokens - result.n_answered - 1);
    TRY(advance(id, room, result));
  }
}

Result<GenerateResult> Generator::generate(const GenerateRequest& request, const OnToken& on_token, const OnPrompt& on_prompt) {
  TRY(validate_sampling(request.sampling, model_.config().vocab_size));
  GenerateResult result;
  result.n_prompt = static_cast<int64_t>(request.prompt.size());
  if (request.prompt.empty()) return error("the prompt has no tokens");
  int64_t limit = std::min(options_.context_tokens, model_.config().max_seq_len);
  if (result.n_prompt > limit) {
    return error("the prompt has {} tokens, the context holds {}{}", result.n_prompt, limit,
                 limit < model_.config().max_seq_len ? fmt::format(" (the model allows {})", model_.config().max_seq_len) : "");
  }
  Clock::time_point start = Clock::now();
  bool whole = TRY(read_prompt(request.prompt, result, on_prompt));
  result.prompt_s = seconds_since(start);
  if (!whole) {
    result.reason = FinishReason::kStopped;
    return result;
  }
  start = Clock::now();
  step_seconds_ = 0;
  n_step_tokens_ = 0;
  const ExpertStats before = model_.experts() != nullptr ? model_.experts()->stats() : ExpertStats{};
  Result<FinishReason> reason = answer(request, on_token, result);
  TRY(finish_step(false, result));
  result.reason = TRY(std::move(reason));
  result.answer_s = seconds_since(start);
  if (model_.experts() != nullptr) result.experts = model_.experts()->stats() - before;
  if (result.n_drafted > 0 && step_seconds_ > 0) {
    result.speculation_gain = static_cast<double>(n_step_tokens_) * speculator_->plain_seconds() / step_seconds_;
  }
  return result;
}

}  // namespace minke
