// Anthropic's messages: the reply. A stream is message_start, then each block's start, deltas and stop, then message_delta and
// message_stop.
#include "server/dialect/anthropic.h"

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "server/dialect/openai_parts.h"

namespace minke::server {
namespace {

enum class BlockKind { kThinking, kText, kToolUse };

struct Block {
  BlockKind kind;
  std::string text;
  std::string id, name;
};

// Clients throw thoughts without a signature away, and some then send an empty message that they cannot get out of. The key
// makes it ours; hashing twice keeps anyone from making it longer.
std::string signature_of(const std::string& key, std::string_view thought) {
  Digest inner = Digest::sha256();
  inner.update(key);
  inner.update(thought);
  Digest outer = Digest::sha256();
  outer.update(key);
  outer.update(inner.finish_hex());
  return outer.finish_hex();
}

class MessageWriter final : public ReplyWriter {
 public:
  MessageWriter(ReplyHead head, bool streams, std::string key)
      : head_(std::move(head)), streams_(streams), key_(std::move(key)) {}

  bool streams() const override { return streams_; }
  std::string_view keep_alive() const override {
    return is_open_ ? "event: ping\ndata: {\"type\": \"ping\"}\n\n" : ": keep-alive\n\n";
  }

  void write(const ReplyEvent& event, std::string& out) override {
    if (const auto* error = std::get_if<ApiError>(&event)) {
      error_ = *error;
      emit(out, "error", error_json(Dialect::kAnthropic, *error));
      return;
    }
    if (const auto* started = std::get_if<Started>(&event)) started_ = *started;
    open(out);
    std::visit([&](const auto& e) { add(e, out); }, event);
  }

  HttpReply finish() override {
    if (error_) return error_reply(Dialect::kAnthropic, *error_);
    Json body = message();
    for (const Block& block : blocks_) body["content"].push_back(block_json(block));
    body["stop_reason"] = stop_reason_;
    body["stop_sequence"] = stop_sequence();
    body["usage"] = usage(done_);
    return json_reply(body);
  }

 private:
  void emit(std::string& out, std::string_view type, const Json& data) {
    if (streams_) append_sse(out, type, data);
  }
  Json message() const {
    return Json{{"id", "msg_" + head_.request}, {"type", "message"},      {"role", "assistant"},     {"model", head_.model},
                {"content", Json::array()},     {"stop_reason", nullptr}, {"stop_sequence", nullptr}};
  }
  // input_tokens are those that were not in the cache.
  static Json usage(const Done& done) {
    return Json{{"input_tokens", done.n_prompt_tokens - done.n_cached_tokens},
                {"cache_creation_input_tokens", 0},
                {"cache_read_input_tokens", done.n_cached_tokens},
                {"output_tokens", done.n_completion_tokens}};
  }
  Json stop_sequence() const { return stop_string_.empty() ? Json(nullptr) : Json(stop_string_); }

  Json block_json(const Block& block) const {
    switch (block.kind) {
      case BlockKind::kThinking:
        return Json{{"type", "thinking"}, {"thinking", block.text}, {"signature", signature_of(key_, block.text)}};
      case BlockKind::kText:
        return Json{{"type", "text"}, {"text", block.text}};
      case BlockKind::kToolUse:
        break;
    }
    auto input = parse_json(block.text, "arguments");
    return Json{{"type", "tool_use"},
                {"id", block.id},
                {"name", block.name},
                {"input", input && input->is_object() ? *input : Json::object()}};
  }
  void open(std::string& out) {
    if (std::exchange(is_open_, true)) return;
    Json start = message();
    Done so_far;
    so_far.n_prompt_tokens = started_.n_prompt_tokens;
    so_far.n_cached_tokens = started_.n_cached_tokens;
    start["usage"] = usage(so_far);
    emit(out, "message_start", Json{{"type", "message_start"}, {"message", std::move(start)}});
  }
  void begin(Block block, std::string& out) {
    if (has_block_ && blocks_.back().kind == block.kind && block.kind != BlockKind::kToolUse) return;
    end(out);
    Json empty = block.kind == BlockKind::kThinking ? Json{{"type", "thinking"}, {"thinking", ""}, {"signature", ""}}
                 : block.kind == BlockKind::kText
                     ? Json{{"type", "text"}, {"text", ""}}
                     : Json{{"type", "tool_use"}, {"id", block.id}, {"name", block.name}, {"input", Json::object()}};
    blocks_.push_back(std::move(block));
    has_block_ = true;
    emit(out, "content_block_start",
         Json{{"type", "content_block_start"}, {"index", blocks_.size() - 1}, {"content_block", std::move(empty)}});
  }
  void delta(Json delta, std::string& out) {
    emit(out, "content_block_delta",
         Json{{"type", "content_block_delta"}, {"index", blocks_.size() - 1}, {"delta", std::move(delta)}});
  }
  void grow(const std::string& text, std::string_view type, const char* key, std::string& out) {
    blocks_.back().text += text;
    delta(Json{{"type", type}, {key, text}}, out);
  }
  void end(std::string& out) {
    if (!std::exchange(has_block_, false)) return;
    const Block& block = blocks_.back();
    if (block.kind == BlockKind::kThinking)
      delta(Json{{"type", "signature_delta"}, {"signature", signature_of(key_, block.text)}}, out);
    emit(out, "content_block_stop", Json{{"type", "content_block_stop"}, {"index", blocks_.size() - 1}});
  }

  void add(const Started&, std::string&) {}
  void add(const ThoughtText& event, std::string& out) {
    begin({BlockKind::kThinking, "", "", ""}, out);
    grow(event.text, "thinking_delta", "thinking", out);
  }
  void add(const ThoughtEnd&, std::string&) {}
  void add(const AnswerText& event, std::string& out) {
    begin({BlockKind::kText, "", "", ""}, out);
    grow(event.text, "text_delta", "text", out);
  }
  void add(const ToolCallBegin& event, std::string& out) {
    begin({BlockKind::kToolUse, "", tool_call_id(head_, event.choice, event.index), event.name}, out);
  }
  void add(const ToolCallArguments& event, std::string& out) { grow(event.text, "input_json_delta", "partial_json", out); }
  void add(const ChoiceEnd& event, std::string& out) {
    end(out);
    stop_string_ = event.stop_string;
    switch (event.reason) {
      case ChoiceFinish::kLength:
        stop_reason_ = "max_tokens";
        break;
      case ChoiceFinish::kToolCalls:
        stop_reason_ = "tool_use";
        break;
      case ChoiceFinish::kStopString:
        stop_reason_ = "stop_sequence";
        break;
      default:
        stop_reason_ = "end_turn";
    }
  }
  void add(const Done& event, std::string& out) {
    done_ = event;
    emit(out, "message_delta",
         Json{{"type", "message_delta"},
              {"delta", {{"stop_reason", stop_reason_}, {"stop_sequence", stop_sequence()}}},
              {"usage", usage(event)}});
    emit(out, "message_stop", Json{{"type", "message_stop"}});
  }
  void add(const ApiError&, std::string&) {}

  ReplyHead head_;
  bool streams_;
  std::string key_;
  bool is_open_ = false, has_block_ = false;
  Started started_;
  std::vector<Block> blocks_;
  std::string stop_reason_ = "end_turn", stop_string_;
  Done done_;
  std::optional<ApiError> error_;
};

HttpReply messages(AppState& state, const HttpRequest& http) {
  auto body = body_json(state, http);
  if (!body) return error_reply(Dialect::kAnthropic, body.error());
  auto parsed = parse_anthropic(state, http.caller, *body, AnthropicUse::kAnswer);
  if (!parsed) return error_reply(Dialect::kAnthropic, parsed.error());
  ReplyHead head = new_reply_head(*parsed->model, 1);
  auto writer = std::make_unique<MessageWriter>(head, parsed->streams, state.signing_key);
  std::vector<ChatRequest> requests;
  requests.push_back(std::move(parsed->request));
  return start_generation(state, http, Dialect::kAnthropic, std::move(head), std::move(requests), std::move(writer));
}

HttpReply count_tokens(AppState& state, const HttpRequest& http) {
  auto body = body_json(state, http);
  if (!body) return error_reply(Dialect::kAnthropic, body.error());
  const auto parsed = parse_anthropic(state, http.caller, *body, AnthropicUse::kCount);
  if (!parsed) return error_reply(Dialect::kAnthropic, parsed.error());
  const auto n = state.backend.count_prompt_tokens(parsed->request);
  if (!n) return error_reply(Dialect::kAnthropic, n.error());
  return json_reply(Json{{"input_tokens", *n}});
}

constexpr Route kAnthropicRoutes[] = {
    {"POST", "/v1/messages", messages, Dialect::kAnthropic},
    {"POST", "/v1/messages/count_tokens", count_tokens, Dialect::kAnthropic},
    // DeepSeek's base for Anthropic's clients.
    {"POST", "/anthropic/v1/messages", messages, Dialect::kAnthropic},
    {"POST", "/anthropic/v1/messages/count_tokens", count_tokens, Dialect::kAnthropic},
};

}  // namespace

std::span<const Route> anthropic_routes() { return kAnthropicRoutes; }

}  // namespace minke::server
