#include "server/generation.h"

#include <algorithm>

#include "server/dialect/errors.h"
#include "server/dialect/openai_parts.h"

namespace minke::server {
namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

int n_choices_of(const std::vector<ChatRequest>& requests) {
  int n = 0;
  for (const ChatRequest& request : requests) n += request.n_choices;
  return n;
}

void add(Done& total, const Done& done) {
  total.n_prompt_tokens += done.n_prompt_tokens;
  total.n_cached_tokens += done.n_cached_tokens;
  total.n_completion_tokens += done.n_completion_tokens;
  total.n_thought_tokens += done.n_thought_tokens;
  total.queue_s = std::max(total.queue_s, done.queue_s);
  total.prompt_s += done.prompt_s;
  total.thought_s += done.thought_s;
  total.answer_s += done.answer_s;
  if (done.energy_j) total.energy_j = total.energy_j.value_or(0) + *done.energy_j;
  total.energy_estimated = done.energy_estimated;
  if (done.money && total.money) total.money->amount += done.money->amount;
  if (done.money && !total.money) total.money = done.money;
  total.verified = done.verified;
}

std::string_view reason_name(const ReplyCollector& collected) {
  if (collected.error) return "error";
  if (collected.choices.empty() || !collected.choices[0].end) return "abort";
  return openai_finish_name(collected.choices[0].end->reason);
}

// What a conversation keeps of a request: the last message of the user, and the system prompt.
TurnStart turn_start(const ChatRequest& request) {
  TurnStart start{*request.page, "", ""};
  for (const ChatMessage& message : request.messages) {
    if (message.role == Role::kUser) start.text = message.content;
    if (message.role == Role::kSystem && start.system.empty()) start.system = message.content;
  }
  return start;
}

}  // namespace

Generation::Generation(const GenerationHost& host, GenerationPlan plan)
    : host_(host),
      head_(std::move(plan.head)),
      caller_(std::move(plan.caller)),
      dialect_(plan.dialect),
      writer_(std::move(plan.writer)),
      slot_(std::move(plan.slot)),
      queue_(std::make_shared<EventQueue>(host.max_queued_bytes)),
      collected_(n_choices_of(plan.requests)) {
  host_.metrics.generation_started();
}

Outcome<std::shared_ptr<Generation>> Generation::start(const GenerationHost& host, GenerationPlan plan) {
  std::vector<ChatRequest> requests = std::move(plan.requests);
  plan.requests.clear();
  plan.head.n_choices = n_choices_of(requests);
  GenerationPlan sized = std::move(plan);
  sized.requests = requests;  // for the number of choices
  std::shared_ptr<Generation> made(new Generation(host, std::move(sized)));
  const bool is_kept = host.services != nullptr && requests[0].page.has_value();
  const bool has_tools = std::any_of(requests.begin(), requests.end(), [](const ChatRequest& r) { return !r.tools.empty(); });
  made->collects_text_ = is_kept || has_tools;
  int first_choice = 0;
  for (ChatRequest& request : requests) {
    request.caller = made->caller_;
    auto ticket = host.backend.submit(request, made->queue_->lane(first_choice));
    if (!ticket) return tl::unexpected(std::move(ticket.error()));  // the destructor cancels those before
    made->tickets_.push_back(*ticket);
    first_choice += request.n_choices;
  }
  host.active.add(made->head_.request, made->caller_, made->tickets_);
  if (is_kept) {
    if (auto begun = made->begin_turn(requests[0]); !begun) return tl::unexpected(std::move(begun.error()));
  }
  return made;
}

Outcome<void> Generation::begin_turn(const ChatRequest& request) {
  auto ids = host_.services->begin_turn(turn_start(request));
  if (!ids) return tl::unexpected(std::move(ids.error()));
  turn_ = std::move(*ids);
  writer_->kept_as(*turn_);
  return {};
}

Generation::~Generation() {
  if (!is_over_) {
    cancel_all();
    collected_.done = total_;
  }
  queue_->close();
  host_.active.remove(head_.request);
  host_.metrics.generation_ended(head_.model, total_, reason_name(collected_), seconds_since(begin_));
}

void Generation::cancel_all() {
  for (const Backend::Ticket ticket : tickets_) host_.backend.cancel(ticket);
}

void Generation::observe(const ReplyEvent& event) {
  if (std::holds_alternative<ThoughtText>(event) || std::holds_alternative<AnswerText>(event)) {
    if (!first_token_) {
      first_token_ = std::chrono::steady_clock::now();
      host_.metrics.first_token(seconds_since(begin_));
    }
    if (collects_text_) collected_.add(event);
    return;
  }
  collected_.add(event);
}

bool Generation::pump(std::string& out) {
  batch_.clear();
  if (queue_->take(batch_)) {
    for (const Backend::Ticket ticket : tickets_) host_.backend.resume(ticket);
  }
  for (const ReplyEvent& event : batch_) {
    if (is_over_) break;
    if (const Done* done = std::get_if<Done>(&event)) {
      add(total_, *done);
      is_over_ = ++n_done_ == tickets_.size();
      continue;
    }
    observe(event);
    if (std::holds_alternative<ApiError>(event)) {
      is_over_ = true;
      cancel_all();
      continue;
    }
    // Several requests start at several times; their writer is told of one request only.
    if (std::holds_alternative<Started>(event) && tickets_.size() > 1) continue;
    writer_->write(event, out);
  }
  has_written_ = has_written_ || !out.empty();
  return is_over_;
}

std::optional<HttpReply> Generation::early_failure() const {
  if (!collected_.error || has_written_) return std::nullopt;
  return error_reply(dialect_, *collected_.error);
}

void Generation::end(std::string& out) {
  if (!collected_.error) collected_.done = total_;
  for (size_t i = 0; i < collected_.choices.size() && collects_text_; ++i) {
    const CollectedChoice& choice = collected_.choices[i];
    if (!choice.calls.empty() && !choice.thought.empty())
      host_.memory.put(caller_, tool_call_id(head_, static_cast<int>(i), 0), choice.thought);
  }
  keep_turn();
  if (collected_.error) {
    writer_->write(*collected_.error, out);
  } else {
    writer_->write(total_, out);
  }
}

void Generation::keep_turn() {
  if (!turn_) return;
  const CollectedChoice& choice = collected_.choices[0];
  TurnEnd end{*turn_, head_.model, choice.answer, choice.thought, "", "", "stop"};
  if (collected_.error) {
    end.finish_reason = "error";
  } else if (is_over_) {
    end.usage_json = usage_text(total_);
    end.timings_json = timings_text(total_, choice.thinking_end);
    if (choice.end) end.finish_reason = openai_finish_name(choice.end->reason);
  }
  turn_.reset();
  // A full disk must not take the answer from the user who waits for it; it says so instead.
  if (auto kept = host_.services->end_turn(end); !kept && !collected_.error) collected_.error = std::move(kept.error());
}

void Generation::abandon() {
  if (!is_over_) cancel_all();
  queue_->close();
  keep_turn();
}

}  // namespace minke::server
