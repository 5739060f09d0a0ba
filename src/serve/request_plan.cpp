#include "serve/request_plan.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "serve/chat_messages.h"
#include "tasks/recognise.h"

namespace minke::serve {
namespace {

using namespace server;

constexpr int64_t kMostAnswerReserve = 1024;
constexpr int64_t kLowEffortBudget = 1024;

tl::unexpected<ApiError> refuse(std::string_view param, const Error& error) {
  return tl::unexpected(invalid(param, "{}", error.message));
}

std::string_view effort_name(Effort effort) {
  constexpr std::string_view kNames[] = {"", "low", "high", "max"};
  return kNames[static_cast<size_t>(effort)];
}

Outcome<ChatPrompt> chat_prompt(const ServedModel& model, const ChatRequest& request) {
  if (!model.lm.format) return tl::unexpected(invalid("messages", "{} has no chat template", model.info.id));
  auto messages = messages_json(request);
  if (!messages) return tl::unexpected(std::move(messages.error()));
  auto tools = tools_json(request);
  if (!tools) return tl::unexpected(std::move(tools.error()));
  ChatOptions options;
  options.thinks = request.thinking.enabled;
  if (!options.thinks && request.thinking.effort != Effort::kDefault) options.thinks = true;
  options.effort = effort_name(request.thinking.effort);
  if (may_call_tools(request)) options.tools = &*tools;
  if (!request.messages.empty() && request.messages.back().is_prefix) {
    const ChatMessage& prefix = request.messages.back();
    options.prefix = ChatPrefix{prefix.reasoning, prefix.content};
  }
  auto prompt = model.lm.format->render(*messages, options);
  if (prompt) return std::move(*prompt);
  const auto raised = jinja::raised_text(prompt.error());
  return tl::unexpected(invalid("messages", "the chat template of {} does not take these messages: {}", model.info.id,
                                raised ? *raised : prompt.error().message));
}

Outcome<std::vector<TokenId>> fill_prompt(const ServedModel& model, const ChatRequest& request) {
  if (!model.fill) return tl::unexpected(invalid("suffix", "{} has no tokens for filling in the middle", model.info.id));
  std::vector<TokenId> out = model.tokenizer().spec().prefix;
  for (const auto& [mark, text] :
       {std::pair(model.fill->prefix, &request.prompt), std::pair(model.fill->suffix, &request.suffix)}) {
    out.push_back(mark);
    auto tokens = model.tokenizer().encode(*text, {.add_special = false, .parse_special = false});
    if (!tokens) return refuse("prompt", tokens.error());
    out.insert(out.end(), tokens->begin(), tokens->end());
  }
  out.push_back(model.fill->middle);
  return out;
}

Outcome<std::vector<TokenId>> text_prompt(const ServedModel& model, const ChatRequest& request) {
  if (request.kind == RequestKind::kFillInMiddle) return fill_prompt(model, request);
  if (request.prompt_tokens.empty()) {
    auto tokens = model.tokenizer().encode(request.prompt, {.add_special = true, .parse_special = request.raw_prompt});
    if (!tokens) return refuse("prompt", tokens.error());
    if (tokens->empty()) return tl::unexpected(invalid("prompt", "prompt: expected at least one token, got an empty text"));
    return std::move(*tokens);
  }
  for (TokenId token : request.prompt_tokens) {
    if (!model.tokenizer().has_token(token))
      return tl::unexpected(invalid("prompt", "prompt: {} has no token {}", model.info.id, token));
  }
  return request.prompt_tokens;
}

Outcome<ChatPrompt> make_prompt(const ServedModel& model, const ChatRequest& request) {
  if (request.kind == RequestKind::kChat) return chat_prompt(model, request);
  auto tokens = text_prompt(model, request);
  if (!tokens) return tl::unexpected(std::move(tokens.error()));
  const ThoughtStart start = model.lm.format ? model.lm.format->start_of(*tokens) : ThoughtStart::kNone;
  // A text may end inside of a thought; it does not begin one.
  return ChatPrompt{std::move(*tokens), start == ThoughtStart::kOpen ? start : ThoughtStart::kNone};
}

Outcome<SamplingOptions> choose_sampling(const ServedModel& model, const SamplingControl& control) {
  SamplingOptions s = model.lm.sampling();
  s.temperature = control.temperature.value_or(s.temperature);
  s.top_p = control.top_p.value_or(s.top_p);
  s.top_k = control.top_k.value_or(s.top_k);
  s.min_p = control.min_p.value_or(s.min_p);
  s.repetition_penalty = control.repetition_penalty.value_or(s.repetition_penalty);
  s.presence_penalty = control.presence_penalty.value_or(s.presence_penalty);
  s.frequency_penalty = control.frequency_penalty.value_or(s.frequency_penalty);
  std::random_device random;
  s.seed = control.seed ? *control.seed : uint64_t{random()} << 32 | random();
  s.n_logprobs = control.n_logprobs;
  s.logit_bias = control.logit_bias;
  // OpenAI allows a top_p of 0, which leaves the best token.
  if (s.top_p == 0) {
    s.top_p = 1;
    s.top_k = 1;
  }
  for (const auto& [token, bias] : s.logit_bias) {
    if (!model.tokenizer().has_token(token))
      return tl::unexpected(invalid("logit_bias", "logit_bias: {} has no token {}", model.info.id, token));
  }
  if (auto ok = validate_sampling(s, model.lm.model->config().vocab_size); !ok) return refuse("sampling", ok.error());
  return s;
}

// Room for tokens of the answer: nothing of the prompt is ever dropped, and an answer that fills the context ends there.
Outcome<int64_t> choose_length(const ServedModel& model, const ChatRequest& request, int64_t n_prompt, int64_t cache_tokens) {
  const int64_t per_choice = cache_tokens / request.n_choices / kPageSize * kPageSize;
  const int64_t most = std::min(model.info.context, per_choice);
  if (n_prompt >= most) {
    const std::string_view what = most < model.info.context ? "its share of the KV cache" : "the context of the model";
    return tl::unexpected(ApiError{
        ErrorKind::kInvalid,
        fmt::format("the prompt has {} tokens, {} holds {}, the answer included: shorten the messages", n_prompt, what, most),
        request.kind == RequestKind::kChat ? "messages" : "prompt", "context_length_exceeded"});
  }
  return std::min(request.max_tokens.value_or(most), most - n_prompt);
}

// The budget that was asked for; without one, as much as leaves room for an answer, so that no thought uses up everything.
constrain::ThinkingLimits choose_thinking(const ServedModel& model, const ChatRequest& request, const ChatPrompt& prompt,
                                          int64_t max_new_tokens) {
  constrain::ThinkingLimits limits;
  const int64_t reserve = std::clamp(max_new_tokens / 4, int64_t{1}, kMostAnswerReserve);
  std::optional<int64_t> budget = request.thinking.budget;
  if (!budget && request.thinking.effort == Effort::kLow) budget = kLowEffortBudget;
  // The closing mark counts, too.
  limits.hard_tokens = std::max(int64_t{0}, std::min(budget.value_or(max_new_tokens), max_new_tokens - reserve - 1));
  limits.soft_tokens = limits.hard_tokens - limits.hard_tokens / 5;
  if (prompt.thought_has_lines && limits.hard_tokens > 1) {
    if (auto line = model.tokenizer().encode("\n", {.add_special = false, .parse_special = false})) limits.farewell = *line;
  }
  return limits;
}

Outcome<void> choose_grammars(ServedModel& model, const ChatRequest& request, RequestPlan& plan) {
  plan.has_tools = may_call_tools(request);
  if (plan.has_tools && !model.tools) return tl::unexpected(invalid("tools", "{} knows no tools", model.info.id));
  auto answer = model.grammars->answer(request, model.tools ? &*model.tools : nullptr);
  if (!answer) return refuse(plan.has_tools ? "tools" : "response_format", answer.error());
  plan.answer = std::move(*answer);
  if (!request.language_lock) return {};
  auto language = model.grammars->language(*request.language_lock);
  if (!language) return refuse("language_lock", language.error());
  plan.language = std::move(*language);
  return {};
}

}  // namespace

Outcome<RequestPlan> plan_request(ServedModel& model, const ChatRequest& request, int64_t cache_tokens) {
  auto prompt = make_prompt(model, request);
  if (!prompt) return tl::unexpected(std::move(prompt.error()));
  auto sampling = choose_sampling(model, request.sampling);
  if (!sampling) return tl::unexpected(std::move(sampling.error()));
  auto length = choose_length(model, request, static_cast<int64_t>(prompt->tokens.size()), cache_tokens);
  if (!length) return tl::unexpected(std::move(length.error()));
  RequestPlan plan;
  plan.thought = prompt->thought;
  plan.thinking = choose_thinking(model, request, *prompt, *length);
  plan.prompt = std::move(prompt->tokens);
  plan.sampling = std::move(*sampling);
  plan.max_new_tokens = *length;
  plan.n_choices = request.n_choices;
  plan.stop = request.stop;
  plan.caller = request.caller;
  plan.is_kept = request.page.has_value();
  plan.is_text = request.kind != RequestKind::kChat;
  if (auto ok = choose_grammars(model, request, plan); !ok) return tl::unexpected(std::move(ok.error()));
  const bool ends_with_question = !request.messages.empty() && request.messages.back().role == Role::kUser;
  if (ends_with_question && request.n_choices == 1) plan.problem = recognise_countdown(request.messages.back().content);
  return plan;
}

Outcome<int64_t> count_prompt_tokens(const ServedModel& model, const ChatRequest& request) {
  auto prompt = make_prompt(model, request);
  if (!prompt) return tl::unexpected(std::move(prompt.error()));
  return static_cast<int64_t>(prompt->tokens.size());
}

}  // namespace minke::serve
