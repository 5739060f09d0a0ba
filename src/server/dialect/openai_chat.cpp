// POST /v1/chat/completions, with DeepSeek's reasoning_content and the page's own key "minke".
#include <nlohmann/json.hpp>

#include "server/app_state.h"
#include "server/dialect/openai_chat_request.h"
#include "server/dialect/openai_parts.h"

namespace minke::server {
namespace {

struct ReplyStyle {
  bool wants_usage = false;
  bool reasoning_alias = false;
  bool usage_in_last_choice = false;  // DeepSeek's streams: the chunk that ends the answer carries the usage
};

Json call_json(const ReplyHead& head, int choice, int index, const std::string& name, const std::string& arguments) {
  return Json{{"index", index},
              {"id", tool_call_id(head, choice, index)},
              {"type", "function"},
              {"function", {{"name", name}, {"arguments", arguments}}}};
}

Json logprobs_json(const std::vector<PieceLogprob>& answer, const std::vector<PieceLogprob>& thought) {
  if (answer.empty() && thought.empty()) return nullptr;
  Json out;
  out["content"] = Json::array();
  for (const PieceLogprob& piece : answer) out["content"].push_back(openai_logprob(piece));
  if (!thought.empty()) {
    out["reasoning_content"] = Json::array();
    for (const PieceLogprob& piece : thought) out["reasoning_content"].push_back(openai_logprob(piece));
  }
  return out;
}

Json turn_json(const ReplyHead& head, const TurnIds& turn) {
  const auto id = [](const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); };
  return Json{{"request", head.request},
              {"conversation", id(turn.conversation)},
              {"user_message", id(turn.user_message)},
              {"message", id(turn.message)}};
}

class ChatStream final : public ReplyWriter {
 public:
  ChatStream(ReplyHead head, ReplyStyle style)
      : head_(std::move(head)), style_(style), ends_(static_cast<size_t>(head_.n_choices)) {}

  bool streams() const override { return true; }
  void kept_as(const TurnIds& turn) override { turn_ = turn; }

  void write(const ReplyEvent& event, std::string& out) override {
    if (const auto* error = std::get_if<ApiError>(&event)) {
      append_sse(out, error_json(Dialect::kOpenAi, *error));
      out += "data: [DONE]\n\n";
      return;
    }
    open(out);
    std::visit([&](const auto& e) { add(e, out); }, event);
  }

 private:
  Json chunk(int choice, Json delta, std::string_view finish = "") const {
    Json row{{"index", choice}, {"delta", std::move(delta)}, {"logprobs", nullptr}, {"finish_reason", nullptr}};
    if (!finish.empty()) row["finish_reason"] = finish;
    Json out = frame();
    out["choices"] = Json::array();
    out["choices"].push_back(std::move(row));
    if (style_.wants_usage) out["usage"] = nullptr;
    return out;
  }
  Json frame() const {
    return Json{{"id", "chatcmpl-" + head_.request},
                {"object", "chat.completion.chunk"},
                {"created", head_.created},
                {"model", head_.model},
                {"system_fingerprint", "minke"}};
  }
  // The roles, before anything else.
  void open(std::string& out) {
    if (std::exchange(is_open_, true)) return;
    for (int choice = 0; choice < head_.n_choices; ++choice) {
      Json first = chunk(choice, Json{{"role", "assistant"}, {"content", ""}});
      if (choice == 0) first["minke"] = turn_json(head_, turn_);
      append_sse(out, first);
    }
  }
  void add(const Started&, std::string&) {}
  void add(const ThoughtText& event, std::string& out) {
    Json delta{{"reasoning_content", event.text}};
    if (style_.reasoning_alias) delta["reasoning"] = event.text;
    Json data = chunk(event.choice, std::move(delta));
    data["choices"][0]["logprobs"] = logprobs_json({}, event.logprobs);
    append_sse(out, data);
  }
  void add(const ThoughtEnd& event, std::string&) { ends_.at(static_cast<size_t>(event.choice)) = event.reason; }
  void add(const AnswerText& event, std::string& out) {
    Json data = chunk(event.choice, Json{{"content", event.text}});
    data["choices"][0]["logprobs"] = logprobs_json(event.logprobs, {});
    append_sse(out, data);
  }
  void add(const ToolCallBegin& event, std::string& out) {
    Json delta{{"tool_calls", Json::array({call_json(head_, event.choice, event.index, event.name, "")})}};
    append_sse(out, chunk(event.choice, std::move(delta)));
  }
  void add(const ToolCallArguments& event, std::string& out) {
    Json call{{"index", event.index}, {"function", {{"arguments", event.text}}}};
    append_sse(out, chunk(event.choice, Json{{"tool_calls", Json::array({std::move(call)})}}));
  }
  void add(const ChoiceEnd& event, std::string& out) {
    Json data = chunk(event.choice, Json::object(), openai_finish_name(event.reason));
    data["minke"] = Json{{"thinking_end", thinking_end_name(ends_.at(static_cast<size_t>(event.choice)))}};
    if (event.reason == ChoiceFinish::kCancelled) data["minke"]["cancelled"] = true;
    if (style_.usage_in_last_choice && ++n_ended_ == head_.n_choices) {
      last_choice_ = dump_json(data);
      return;
    }
    append_sse(out, data);
  }
  void add(const Done& event, std::string& out) {
    if (!last_choice_.empty()) {
      Json data = Json::parse(last_choice_);
      data["usage"] = usage_json(event);
      append_sse(out, data);
    } else if (style_.wants_usage) {
      Json data = frame();
      data["choices"] = Json::array();
      data["usage"] = usage_json(event);
      data["minke"] = timings_json(event, ends_.at(0));
      append_sse(out, data);
    }
    out += "data: [DONE]\n\n";
  }
  void add(const ApiError&, std::string&) {}

  ReplyHead head_;
  ReplyStyle style_;
  TurnIds turn_;
  std::vector<ThinkingEnd> ends_;
  bool is_open_ = false;
  int n_ended_ = 0;
  std::string last_choice_;
};

class ChatReply final : public ReplyWriter {
 public:
  ChatReply(ReplyHead head, ReplyStyle style) : head_(std::move(head)), style_(style), collected_(head_.n_choices) {}

  bool streams() const override { return false; }
  void kept_as(const TurnIds& turn) override { turn_ = turn; }
  void write(const ReplyEvent& event, std::string&) override { collected_.add(event); }
  HttpReply finish() override {
    if (collected_.error) return error_reply(Dialect::kOpenAi, *collected_.error);
    Json body{{"id", "chatcmpl-" + head_.request}, {"object", "chat.completion"},
              {"created", head_.created},          {"model", head_.model},
              {"system_fingerprint", "minke"},     {"choices", Json::array()}};
    for (int i = 0; i < head_.n_choices; ++i) body["choices"].push_back(choice_json(i));
    const Done done = collected_.done.value_or(Done{});
    body["usage"] = usage_json(done);
    body["minke"] = turn_json(head_, turn_);
    body["minke"].update(timings_json(done, collected_.choices[0].thinking_end));
    return json_reply(body);
  }

 private:
  Json choice_json(int index) const {
    const CollectedChoice& choice = collected_.choices[static_cast<size_t>(index)];
    Json message{{"role", "assistant"}, {"content", choice.answer}};
    if (choice.answer.empty() && !choice.calls.empty()) message["content"] = nullptr;
    if (!choice.thought.empty()) {
      message["reasoning_content"] = choice.thought;
      if (style_.reasoning_alias) message["reasoning"] = choice.thought;
    }
    if (!choice.calls.empty()) {
      message["tool_calls"] = Json::array();
      for (size_t i = 0; i < choice.calls.size(); ++i)
        message["tool_calls"].push_back(
            call_json(head_, index, static_cast<int>(i), choice.calls[i].name, choice.calls[i].arguments));
    }
    message["refusal"] = nullptr;
    const ChoiceFinish finish = choice.end ? choice.end->reason : ChoiceFinish::kCancelled;
    return Json{{"index", index},
                {"message", std::move(message)},
                {"logprobs", logprobs_json(choice.answer_logprobs, choice.thought_logprobs)},
                {"finish_reason", openai_finish_name(finish)},
                {"minke", {{"thinking_end", thinking_end_name(choice.thinking_end)}}}};
  }

  ReplyHead head_;
  ReplyStyle style_;
  ReplyCollector collected_;
  TurnIds turn_;
};

HttpReply chat_completions(AppState& state, const HttpRequest& http) {
  auto body = body_json(state, http);
  if (!body) return error_reply(Dialect::kOpenAi, body.error());
  auto chat = parse_openai_chat(state, http.caller, *body);
  if (!chat) return error_reply(Dialect::kOpenAi, chat.error());
  ReplyHead head = new_reply_head(*chat->model, chat->request.n_choices);
  const ReplyStyle style{chat->wants_usage, state.options.reasoning_alias, state.options.deepseek != DeepSeekProfile::kLenient};
  std::unique_ptr<ReplyWriter> writer;
  if (chat->streams) {
    writer = std::make_unique<ChatStream>(head, style);
  } else {
    writer = std::make_unique<ChatReply>(head, style);
  }
  std::vector<ChatRequest> requests;
  requests.push_back(std::move(chat->request));
  return start_generation(state, http, Dialect::kOpenAi, std::move(head), std::move(requests), std::move(writer));
}

constexpr Route kChatRoutes[] = {
    {"POST", "/v1/chat/completions", chat_completions},
    {"POST", "/chat/completions", chat_completions},
    {"POST", "/beta/chat/completions", chat_completions},
};

}  // namespace

std::span<const Route> chat_routes() { return kChatRoutes; }

}  // namespace minke::server
