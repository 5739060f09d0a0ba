#include "server/model/reply_collector.h"

namespace minke::server {
namespace {

void append(std::vector<PieceLogprob>& out, const std::vector<PieceLogprob>& more) {
  out.insert(out.end(), more.begin(), more.end());
}

struct Add {
  ReplyCollector& to;

  CollectedChoice* choice(int index) const {
    return index >= 0 && static_cast<size_t>(index) < to.choices.size() ? &to.choices[static_cast<size_t>(index)] : nullptr;
  }
  void operator()(const Started&) const {}
  void operator()(const ThoughtText& event) const {
    if (auto* c = choice(event.choice)) c->thought += event.text, append(c->thought_logprobs, event.logprobs);
  }
  void operator()(const ThoughtEnd& event) const {
    if (auto* c = choice(event.choice)) c->thinking_end = event.reason;
  }
  void operator()(const AnswerText& event) const {
    if (auto* c = choice(event.choice)) c->answer += event.text, append(c->answer_logprobs, event.logprobs);
  }
  void operator()(const ToolCallBegin& event) const {
    if (auto* c = choice(event.choice)) c->calls.push_back({event.name, ""});
  }
  void operator()(const ToolCallArguments& event) const {
    auto* c = choice(event.choice);
    if (c != nullptr && !c->calls.empty()) c->calls.back().arguments += event.text;
  }
  void operator()(const ChoiceEnd& event) const {
    if (auto* c = choice(event.choice)) c->end = event;
  }
  void operator()(const Done& event) const { to.done = event; }
  void operator()(const ApiError& event) const { to.error = event; }
};

}  // namespace

void ReplyCollector::add(const ReplyEvent& event) { std::visit(Add{*this}, event); }

}  // namespace minke::server
