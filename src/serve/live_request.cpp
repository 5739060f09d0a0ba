#include "serve/live_request.h"

#include <algorithm>

namespace minke::serve {
namespace {

using namespace server;

double seconds(std::chrono::steady_clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

bool is_tool_mark(PieceKind kind) {
  return kind != PieceKind::kText && kind != PieceKind::kThoughtBegin && kind != PieceKind::kThoughtEnd;
}

ThinkingEnd thinking_end_of(constrain::ThoughtEnd end) {
  switch (end) {
    case constrain::ThoughtEnd::kBudget:
      return ThinkingEnd::kBudget;
    case constrain::ThoughtEnd::kLoop:
      return ThinkingEnd::kLoop;
    case constrain::ThoughtEnd::kUser:
      return ThinkingEnd::kUser;
    default:
      return ThinkingEnd::kFinished;
  }
}

}  // namespace

LiveRequest::LiveRequest(const ServedModel& model, RequestPlan plan, std::shared_ptr<ReplySink> sink)
    : model_(model), plan_(std::move(plan)), sink_(std::move(sink)), submitted_(Clock::now()), began_(submitted_) {
  done_.n_prompt_tokens = static_cast<int64_t>(plan_.prompt.size());
  const bool thinks = plan_.thought != ThoughtStart::kNone;
  n_thinking_ = thinks ? plan_.n_choices : 0;
  for (int i = 0; i < plan_.n_choices; i++) {
    AssemblerOptions options{i, plan_.thought == ThoughtStart::kOpen, plan_.stop};
    if (model.tools) options.tool_syntax = model.tools->text;
    Choice choice{ReplyAssembler(std::move(options)), nullptr, std::nullopt, thinks};
    if (!model.tokenizer().spec().byte_level()) {
      choice.decoder.emplace(model.tokenizer(), DecodeOptions{.skip_special = true});
      // A text goes on behind its last token; alone, the first token of the answer would lose its space.
      if (plan_.is_text) choice.decoder->push(plan_.prompt.back());
    }
    choices_.push_back(std::move(choice));
  }
}

EngineRequest LiveRequest::engine_request() {
  EngineRequest out;
  out.prompt = std::move(plan_.prompt);
  out.sampling = plan_.sampling;
  out.max_new_tokens = plan_.max_new_tokens;
  out.stop_tokens = model_.lm.stop_tokens;
  out.n_samples = plan_.n_choices;
  out.wants_logprob = false;  // the sampler tells those that a client asks for
  out.uses_store = plan_.is_kept;
  out.client = plan_.caller;
  out.on_begin = [this] { began_ = Clock::now(); };
  out.guide = [this](int sample) { return make_guide(choices_[static_cast<size_t>(sample)]); };
  return out;
}

std::unique_ptr<TokenGuide> LiveRequest::make_guide(Choice& choice) {
  auto answer_mask = plan_.is_text ? nullptr : model_.answer_mask(plan_.has_tools);
  if (plan_.thought == ThoughtStart::kNone && !plan_.answer && !plan_.language && !answer_mask) return nullptr;
  using Options = constrain::SequenceGuardOptions;
  Options options;
  options.vocabulary = model_.vocabulary;
  options.answer = plan_.answer;
  options.language = plan_.language;
  options.thought = plan_.thought == ThoughtStart::kOpen    ? Options::Thought::kOpen
                    : plan_.thought == ThoughtStart::kMaybe ? Options::Thought::kMaybe
                                                            : Options::Thought::kNone;
  options.think_open = model_.lm.thought.open;
  options.think_close = model_.lm.thought.close;
  options.thinking = plan_.thinking;
  choice.guard = std::make_shared<SampleGuard>(std::move(options));
  if (wants_answer_) choice.guard->guard.end_thought();
  return std::make_unique<GuidedSample>(choice.guard, std::move(answer_mask), plan_.thought == ThoughtStart::kMaybe,
                                        model_.lm.stop_tokens.front());
}

void LiveRequest::end_thoughts() {
  wants_answer_ = true;
  for (Choice& choice : choices_) {
    if (choice.guard) choice.guard->guard.end_thought();
  }
}

void LiveRequest::put(ReplyEvent event) {
  if (!sink_->put(std::move(event))) is_paused_ = true;
}

void LiveRequest::flush_events() {
  for (ReplyEvent& event : events_) {
    if (is_over_) break;
    is_over_ = std::holds_alternative<ApiError>(event);
    const auto* answer = std::get_if<AnswerText>(&event);
    if (plan_.problem && answer != nullptr) checked_ += answer->text;
    put(std::move(event));
  }
  events_.clear();
}

std::optional<PieceLogprob> LiveRequest::logprob_of(const EngineToken& token) const {
  if (plan_.sampling.n_logprobs < 0 || token.sampled == nullptr) return std::nullopt;
  const auto bytes_of = [&](TokenId id) {
    return model_.vocabulary->is_text(id) ? std::string(model_.tokenizer().token_bytes(id)) : model_.tokenizer().token_text(id);
  };
  PieceLogprob out{bytes_of(token.token), token.sampled->logprob, {}};
  for (const TokenLogprob& other : token.sampled->top) out.top.push_back({bytes_of(other.token), other.logprob});
  return out;
}

bool LiveRequest::push_mark(Choice& choice, PieceKind kind) {
  if (plan_.is_text && is_tool_mark(kind)) return true;
  if (kind == PieceKind::kThoughtEnd && choice.guard)
    choice.assembler.thought_is_closed_by(thinking_end_of(choice.guard->guard.thought_end()));
  return choice.assembler.push({kind}, events_);
}

bool LiveRequest::push_text(Choice& choice, const EngineToken& token) {
  std::string decoded;
  std::string_view bytes = model_.tokenizer().token_bytes(token.token);
  if (choice.decoder) bytes = decoded = choice.decoder->push(token.token);
  const size_t first = bytes.find_first_not_of(" \n");
  const bool begins_answer = !choice.assembler.in_thought() && !choice.has_text && first != bytes.npos;
  if (begins_answer && plan_.has_tools && model_.tools->is_whole_answer && bytes[first] == '{') {
    choice.is_call = true;
    choice.assembler.push({PieceKind::kToolBegin}, events_);
  }
  choice.has_text = choice.has_text || begins_answer;
  const auto logprob = logprob_of(token);
  return choice.assembler.push({PieceKind::kText, bytes, logprob ? &*logprob : nullptr}, events_);
}

bool LiveRequest::push(Choice& choice, const EngineToken& token) {
  if (token.finish == FinishReason::kStopToken) return true;
  const PieceKind kind = model_.kind_of(token.token);
  if (kind != PieceKind::kText) {
    if (choice.decoder) choice.assembler.push({PieceKind::kText, choice.decoder->flush()}, events_);
    return push_mark(choice, kind);
  }
  return model_.vocabulary->is_text(token.token) ? push_text(choice, token) : true;
}

void LiveRequest::follow_thought(Choice& choice, bool was_in_thought) {
  const bool is_in_thought = choice.assembler.in_thought();
  if (was_in_thought && !is_in_thought) thought_ended_ = Clock::now();
  if (is_in_thought && wants_answer_ && choice.guard) choice.guard->guard.end_thought();
  if (is_in_thought || !choice.thinks) return;
  choice.thinks = false;
  --n_thinking_;
}

bool LiveRequest::on_token(const EngineToken& token) {
  if (is_over_) return false;
  if (!has_begun_) {
    first_token_ = thought_ended_ = Clock::now();
    has_begun_ = true;
    done_.n_cached_tokens = token.n_reused;
    put(Started{done_.n_prompt_tokens, token.n_reused});
  }
  Choice& choice = choices_[static_cast<size_t>(token.sample)];
  if (choice.is_over) return false;
  const bool was_in_thought = choice.assembler.in_thought();
  ++done_.n_completion_tokens;
  if (was_in_thought) ++done_.n_thought_tokens;
  if (choice.guard && choice.guard->is_stuck) {
    fail({ErrorKind::kInternal, "the model's tokens cannot go on with what the answer must look like", {}, "constraint_stuck"});
    return false;
  }
  const bool goes_on = push(choice, token);
  follow_thought(choice, was_in_thought);
  if (!goes_on || token.finish) {
    const bool is_cut = goes_on && token.finish != FinishReason::kStopToken;
    finish(choice, is_cut ? ChoiceFinish::kLength : ChoiceFinish::kStop);
  }
  flush_events();
  return !is_over_ && !choice.is_over;
}

void LiveRequest::finish(Choice& choice, ChoiceFinish reason) {
  choice.is_over = true;
  if (choice.decoder) {
    const std::string rest = choice.decoder->flush();
    choice.assembler.push({PieceKind::kText, rest}, events_);
  }
  if (choice.is_call && reason == ChoiceFinish::kStop) choice.assembler.push({PieceKind::kToolEnd}, events_);
  choice.assembler.finish(reason, events_);
  if (choice.thinks) --n_thinking_;
  choice.thinks = false;
}

bool LiveRequest::settle(const CostMeter& meter) {
  if (is_over_) return true;
  if (!std::all_of(choices_.begin(), choices_.end(), [](const Choice& choice) { return choice.is_over; })) return false;
  const auto now = Clock::now();
  if (!has_begun_) first_token_ = thought_ended_ = now;
  done_.queue_s = seconds(began_ - submitted_);
  done_.prompt_s = seconds(first_token_ - began_);
  done_.thought_s = seconds(thought_ended_ - first_token_);
  done_.answer_s = seconds(now - thought_ended_);
  done_.energy_j = cost_.joules;
  done_.energy_estimated = cost_.is_estimated;
  done_.money = meter.money(cost_);
  if (plan_.problem) {
    const auto task = find_task(plan_.problem->task);
    if (task) done_.verified = Verdict{plan_.problem->task, (*task)->grade(*plan_.problem, checked_) == 1};
  }
  put(done_);
  return is_over_ = true;
}

void LiveRequest::cancel(const CostMeter& meter) {
  for (Choice& choice : choices_) {
    if (!is_over_ && !choice.is_over) finish(choice, ChoiceFinish::kCancelled);
  }
  flush_events();
  settle(meter);
}

void LiveRequest::fail(ApiError error) {
  if (is_over_) return;
  n_thinking_ = 0;
  is_over_ = true;
  events_.clear();
  put(std::move(error));
}

}  // namespace minke::serve
