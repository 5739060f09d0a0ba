// POST /v1/responses: the reply. Its output is a list of items: thoughts, one message, calls. A stream tells how each begins,
// grows and ends; the whole reply is what the last event carries.
#include "server/dialect/openai_responses.h"

#include <nlohmann/json.hpp>

#include "server/dialect/openai_parts.h"

namespace minke::server {
namespace {

enum class ItemKind { kReasoning, kMessage, kCall };

struct OutputItem {
  ItemKind kind;
  std::string id;
  std::string text;  // or the arguments
  std::string name, call_id;
};

Json usage_of_response(const Done& done) {
  return Json{{"input_tokens", done.n_prompt_tokens},
              {"input_tokens_details", {{"cached_tokens", done.n_cached_tokens}}},
              {"output_tokens", done.n_completion_tokens},
              {"output_tokens_details", {{"reasoning_tokens", done.n_thought_tokens}}},
              {"total_tokens", done.n_prompt_tokens + done.n_completion_tokens}};
}

Json text_part(const OutputItem& item) {
  if (item.kind == ItemKind::kReasoning) return Json{{"type", "reasoning_text"}, {"text", item.text}};
  return Json{{"type", "output_text"}, {"text", item.text}, {"annotations", Json::array()}, {"logprobs", Json::array()}};
}

Json item_json(const OutputItem& item, std::string_view status, bool with_content) {
  switch (item.kind) {
    case ItemKind::kReasoning: {
      Json out{
          {"type", "reasoning"}, {"id", item.id}, {"summary", Json::array()}, {"content", Json::array()}, {"status", status}};
      if (with_content) out["content"].push_back(text_part(item));
      return out;
    }
    case ItemKind::kMessage: {
      Json out{{"type", "message"}, {"id", item.id}, {"role", "assistant"}, {"status", status}, {"content", Json::array()}};
      if (with_content) out["content"].push_back(text_part(item));
      return out;
    }
    case ItemKind::kCall:
      break;
  }
  return Json{{"type", "function_call"}, {"id", item.id},          {"call_id", item.call_id},
              {"name", item.name},       {"arguments", item.text}, {"status", status}};
}

class ResponseWriter final : public ReplyWriter {
 public:
  ResponseWriter(ReplyHead head, bool streams) : head_(std::move(head)), streams_(streams) {}

  bool streams() const override { return streams_; }

  void write(const ReplyEvent& event, std::string& out) override {
    if (!std::exchange(is_open_, true)) {
      emit(out, "response.created", Json{{"response", response("in_progress")}});
      emit(out, "response.in_progress", Json{{"response", response("in_progress")}});
    }
    std::visit([&](const auto& e) { add(e, out); }, event);
  }

  HttpReply finish() override {
    if (error_) return error_reply(Dialect::kOpenAi, *error_);
    return json_reply(response(status_));
  }

 private:
  void emit(std::string& out, std::string_view type, Json data) {
    if (!streams_) return;
    Json full{{"type", type}, {"sequence_number", n_events_++}};
    full.update(data);
    append_sse(out, type, full);
  }
  Json place(bool with_part) const {
    Json out{{"item_id", items_.back().id}, {"output_index", items_.size() - 1}};
    if (with_part) out["content_index"] = 0;
    return out;
  }
  static Json joined(Json a, const Json& b) {
    a.update(b);
    return a;
  }

  // Starts an item unless one of the kind is open; calls always start.
  void begin(ItemKind kind, std::string& out, const std::string& name = "", const std::string& call_id = "") {
    if (has_open_ && items_.back().kind == kind && kind != ItemKind::kCall) return;
    end(out);
    constexpr std::string_view kPrefixes[] = {"rs", "msg", "fc"};
    items_.push_back(
        {kind, fmt::format("{}_{}_{}", kPrefixes[static_cast<size_t>(kind)], head_.request, items_.size()), "", name, call_id});
    has_open_ = true;
    emit(out, "response.output_item.added",
         Json{{"output_index", items_.size() - 1}, {"item", item_json(items_.back(), "in_progress", false)}});
    if (kind != ItemKind::kCall)
      emit(out, "response.content_part.added", joined(place(true), Json{{"part", text_part(items_.back())}}));
  }
  void grow(std::string_view event, const std::string& text, std::string& out) {
    items_.back().text += text;
    Json data = joined(place(items_.back().kind != ItemKind::kCall), Json{{"delta", text}});
    if (items_.back().kind == ItemKind::kMessage) data["logprobs"] = Json::array();
    emit(out, event, std::move(data));
  }
  void end(std::string& out) {
    if (!std::exchange(has_open_, false)) return;
    const OutputItem& item = items_.back();
    if (item.kind == ItemKind::kCall) {
      emit(out, "response.function_call_arguments.done",
           joined(place(false), Json{{"name", item.name}, {"arguments", item.text}}));
    } else {
      const bool is_message = item.kind == ItemKind::kMessage;
      Json done = joined(place(true), Json{{"text", item.text}});
      if (is_message) done["logprobs"] = Json::array();
      emit(out, is_message ? "response.output_text.done" : "response.reasoning_text.done", std::move(done));
      emit(out, "response.content_part.done", joined(place(true), Json{{"part", text_part(item)}}));
    }
    emit(out, "response.output_item.done",
         Json{{"output_index", items_.size() - 1}, {"item", item_json(item, "completed", true)}});
  }

  void add(const Started&, std::string&) {}
  void add(const ThoughtText& event, std::string& out) {
    begin(ItemKind::kReasoning, out);
    grow("response.reasoning_text.delta", event.text, out);
  }
  void add(const ThoughtEnd& event, std::string&) { thinking_end_ = event.reason; }
  void add(const AnswerText& event, std::string& out) {
    begin(ItemKind::kMessage, out);
    grow("response.output_text.delta", event.text, out);
  }
  void add(const ToolCallBegin& event, std::string& out) {
    begin(ItemKind::kCall, out, event.name, tool_call_id(head_, event.choice, event.index));
  }
  void add(const ToolCallArguments& event, std::string& out) {
    grow("response.function_call_arguments.delta", event.text, out);
  }
  void add(const ChoiceEnd& event, std::string& out) {
    end(out);
    finish_ = event.reason;
  }
  void add(const Done& event, std::string& out) {
    done_ = event;
    status_ = finish_ == ChoiceFinish::kLength ? "incomplete" : finish_ == ChoiceFinish::kCancelled ? "cancelled" : "completed";
    // There is no event for "cancelled": the stream ends as incomplete, and the status tells.
    emit(out,
         finish_ == ChoiceFinish::kLength || finish_ == ChoiceFinish::kCancelled ? "response.incomplete" : "response.completed",
         Json{{"response", response(status_)}});
  }
  void add(const ApiError& event, std::string& out) {
    error_ = event;
    status_ = "failed";
    emit(out, "response.failed", Json{{"response", response(status_)}});
  }

  Json response(std::string_view status) const {
    Json out{{"id", "resp_" + head_.request},
             {"object", "response"},
             {"created_at", head_.created},
             {"status", status},
             {"error", nullptr},
             {"incomplete_details", nullptr},
             {"model", head_.model},
             {"output", Json::array()},
             {"parallel_tool_calls", true},
             {"tool_choice", "auto"},
             {"tools", Json::array()},
             {"store", false},
             {"usage", nullptr}};
    for (const OutputItem& item : items_) out["output"].push_back(item_json(item, "completed", true));
    if (error_) out["error"] = Json{{"code", "server_error"}, {"message", error_->message}};
    if (status == "incomplete") out["incomplete_details"] = Json{{"reason", "max_output_tokens"}};
    if (done_) {
      out["usage"] = usage_of_response(*done_);
      out["minke"] = timings_json(*done_, thinking_end_);
      out["minke"]["request"] = head_.request;
    }
    return out;
  }

  ReplyHead head_;
  bool streams_;
  bool is_open_ = false, has_open_ = false;
  int64_t n_events_ = 0;
  std::vector<OutputItem> items_;
  std::string_view status_ = "in_progress";
  ChoiceFinish finish_ = ChoiceFinish::kStop;
  ThinkingEnd thinking_end_ = ThinkingEnd::kNone;
  std::optional<Done> done_;
  std::optional<ApiError> error_;
};

HttpReply responses(AppState& state, const HttpRequest& http) {
  auto body = body_json(state, http);
  if (!body) return error_reply(Dialect::kOpenAi, body.error());
  auto parsed = parse_openai_response(state, http.caller, *body);
  if (!parsed) return error_reply(Dialect::kOpenAi, parsed.error());
  ReplyHead head = new_reply_head(*parsed->model, 1);
  auto writer = std::make_unique<ResponseWriter>(head, parsed->streams);
  std::vector<ChatRequest> requests;
  requests.push_back(std::move(parsed->request));
  return start_generation(state, http, Dialect::kOpenAi, std::move(head), std::move(requests), std::move(writer));
}

constexpr Route kResponseRoutes[] = {{"POST", "/v1/responses", responses}, {"POST", "/responses", responses}};

}  // namespace

std::span<const Route> response_routes() { return kResponseRoutes; }

}  // namespace minke::server
