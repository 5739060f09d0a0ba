#include "engine/generator.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"

namespace minke {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// The prompt may end inside a thought: R1's template opens it.
bool starts_in_thought(const std::vector<TokenId>& prompt, const ThoughtTokens& thought) {
  if (thought.open < 0 || thought.close < 0) return false;
  for (size_t i = prompt.size(); i-- > 0;) {
    if (prompt[i] == thought.close) return false;
    if (prompt[i] == thought.open) return true;
  }
  return false;
}

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
      cache_(model.config(), options.context_tokens, options.kv) {
  CHECK(options.prefill_chunk > 0 && n_valid_tokens > 0, "chunk {}, {} tokens", options.prefill_chunk, n_valid_tokens);
}

Status Generator::feed(std::span<const TokenId> tokens, MlaForm form, bool wants_logits) {
  Batch batch;
  batch.tokens.assign(tokens.begin(), tokens.end());
  batch.sequences = {{&sequence_, static_cast<int64_t>(tokens.size()), options_.mla.value_or(form)}};
  if (wants_logits) batch.logit_rows = {static_cast<int64_t>(tokens.size()) - 1};
  TRY(model_.forward(logits_, batch, cache_, context_));
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
  result.n_reused = static_cast<int64_t>(n_common);
  std::span<const TokenId> rest = std::span(prompt).subspan(n_common);
  size_t chunk = static_cast<size_t>(options_.prefill_chunk);
  for (size_t start = 0; start < rest.size(); start += chunk) {
    if (on_prompt && !on_prompt(static_cast<int64_t>(n_common + start), result.n_prompt)) return false;
    size_t n = std::min(chunk, rest.size() - start);
    TRY(feed(rest.subspan(start, n), MlaForm::kNaive, start + n == rest.size()));
  }
  return true;
}

Result<FinishReason> Generator::answer(const GenerateRequest& request, const OnToken& on_token, GenerateResult& result) {
  Sampler sampler(request.sampling, n_valid_tokens_);
  sampler.saw_prompt(request.prompt);
  bool in_thought = starts_in_thought(request.prompt, request.thought);
  bool close_thought = false;
  int64_t limit = std::min(options_.context_tokens, model_.config().max_seq_len);
  while (true) {
    if (request.max_new_tokens >= 0 && result.n_answered >= request.max_new_tokens) return FinishReason::kLength;
    GeneratedToken token;
    token.sampled = sampler.sample(logits_);
    if (close_thought) token.sampled = {request.thought.close, 0, {}};
    close_thought = false;
    TokenId id = token.sampled.token;
    result.n_answered++;
    bool is_stop = std::find(request.stop_tokens.begin(), request.stop_tokens.end(), id) != request.stop_tokens.end();
    bool is_open = id == request.thought.open && !in_thought, is_close = id == request.thought.close && in_thought;
    token.is_mark = is_stop || is_open || is_close;
    token.is_thought = in_thought || is_open;
    if (token.is_thought) result.n_thought++;
    if (is_open) in_thought = true;
    if (is_close) in_thought = false;
    Control control = on_token(token);
    if (is_stop) return FinishReason::kStopToken;
    if (control == Control::kStop) return FinishReason::kStopped;
    close_thought = control == Control::kEndThought && in_thought;
    if (sequence_.n_tokens + 1 > limit) return FinishReason::kContextFull;
    TRY(feed({&id, 1}, MlaForm::kAbsorbed, true));
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
  result.reason = TRY(answer(request, on_token, result));
  result.answer_s = seconds_since(start);
  return result;
}

}  // namespace minke
