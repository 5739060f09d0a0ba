// Anthropic's messages: the request. Content is a list of blocks; a user's message may hold results of tools, an assistant's
// thoughts and calls.
#include <nlohmann/json.hpp>

#include "server/dialect/anthropic.h"
#include "server/dialect/openai_parts.h"

namespace minke::server {
namespace {

void add_text(std::string& to, const std::string& text) {
  if (!to.empty() && !text.empty()) to += '\n';
  to += text;
}

void read_user_block(Fields& block, const std::string& type, std::vector<ChatMessage>& out, ChatMessage& message,
                     FieldErrors& errors) {
  if (type == "text") {
    add_text(message.content, block.required_text("text"));
  } else if (type == "tool_result") {
    ChatMessage result;
    result.role = Role::kTool;
    result.tool_call_id = block.required_text("tool_use_id");
    result.content = read_content(block, "content", {"text"}, errors);
    block.ignore({"is_error"});  // the text says so; templates have no place for it
    out.push_back(std::move(result));
  } else {
    block.fail("type", "expected text or tool_result");
  }
}

void read_assistant_block(Fields& block, const std::string& type, ChatMessage& message) {
  if (type == "text") {
    add_text(message.content, block.required_text("text"));
  } else if (type == "thinking") {
    message.reasoning = message.reasoning.value_or("") + block.required_text("thinking");
    // Whoever sends a history may have written it: there is nothing that a wrong signature could do here.
    block.ignore({"signature"});
  } else if (type == "redacted_thinking") {
    block.ignore({"data"});
  } else if (type == "tool_use") {
    ToolCall call{block.required_text("id"), block.required_text("name"), "{}"};
    if (const Json* input = block.object("input")) call.arguments = dump_json(*input);
    message.tool_calls.push_back(std::move(call));
  } else {
    block.fail("type", "expected text, thinking or tool_use");
  }
}

void read_message(const Json& value, const std::string& path, ChatRequest& request, FieldErrors& errors) {
  Fields fields(value, path, errors);
  ChatMessage message;
  const auto role = fields.one_of("role", {"user", "assistant", "system"});
  if (!role) fields.fail("role", "is missing: expected user or assistant");
  constexpr Role kRoles[] = {Role::kUser, Role::kAssistant, Role::kSystem};
  message.role = kRoles[role.value_or(0)];
  const Json* content = fields.any("content");
  if (content != nullptr && content->is_string()) {
    message.content = content->get<std::string>();
  } else if (content == nullptr || !content->is_array() || content->size() > kMaxParts) {
    fields.fail("content", fmt::format("expected a string or a list of at most {} blocks", kMaxParts));
  }
  bool has_results = false;
  for (size_t i = 0; content != nullptr && content->is_array() && i < content->size() && !errors.first; ++i) {
    Fields block((*content)[i], fmt::format("{}.content[{}]", path, i), errors);
    const std::string type = block.required_text("type");
    has_results = has_results || type == "tool_result";
    if (message.role == Role::kAssistant) {
      read_assistant_block(block, type, message);
    } else {
      read_user_block(block, type, request.messages, message, errors);
    }
    block.ignore({"cache_control", "citations"});
    block.finish();
  }
  fields.finish();
  // A message of results alone says nothing else.
  if (!(has_results && message.content.empty())) request.messages.push_back(std::move(message));
}

void read_system(Fields& fields, ChatRequest& request, FieldErrors& errors) {
  const std::string system = read_content(fields, "system", {"text"}, errors);
  if (system.empty()) return;
  request.messages.emplace_back();
  request.messages.back().role = Role::kSystem;
  request.messages.back().content = system;
}

void read_tools(Fields& fields, ChatRequest& request, FieldErrors& errors) {
  const Json* list = fields.array("tools", kMaxTools);
  for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
    Fields tool((*list)[i], fmt::format("tools[{}]", i), errors);
    tool.one_of("type", {"custom"});
    request.tools.push_back(read_function(tool, "input_schema"));
    tool.ignore({"cache_control", "eager_input_streaming"});
    tool.finish();
  }
  if (const Json* value = fields.object("tool_choice")) {
    Fields choice(*value, "tool_choice", errors);
    const auto type = choice.one_of("type", {"auto", "any", "tool", "none"});
    constexpr ToolUse kUses[] = {ToolUse::kAuto, ToolUse::kRequired, ToolUse::kNamed, ToolUse::kNone};
    request.tool_choice.use = kUses[type.value_or(0)];
    if (request.tool_choice.use == ToolUse::kNamed) request.tool_choice.name = choice.required_text("name");
    request.tool_choice.parallel = !choice.boolean("disable_parallel_tool_use").value_or(false);
    choice.finish();
  }
  check_tools(fields, request);
}

void read_output_config(Fields& fields, ChatRequest& request, FieldErrors& errors) {
  const Json* value = fields.object("output_config");
  if (value == nullptr) return;
  Fields config(*value, "output_config", errors);
  read_effort(config, "effort", request.thinking);
  if (const Json* format = config.object("format")) {
    Fields inner(*format, "output_config.format", errors);
    inner.one_of("type", {"json_schema"});
    read_schema(inner, request.format);
    inner.finish();
  }
  config.finish();
}

}  // namespace

Outcome<AnthropicMessage> parse_anthropic(const AppState& state, const std::string& caller, const Json& body,
                                          AnthropicUse use) {
  FieldErrors errors;
  Fields fields(body, "", errors);
  AnthropicMessage out;
  ChatRequest& request = out.request;
  request.model = fields.text_or_empty("model");
  read_system(fields, request, errors);
  const Json* list = fields.array("messages", kMaxMessages);
  if (list == nullptr || list->empty()) fields.fail("messages", "expected at least one message");
  for (size_t i = 0; list != nullptr && i < list->size(); ++i)
    read_message((*list)[i], fmt::format("messages[{}]", i), request, errors);
  // The answer goes on with an assistant's message at the end.
  if (!request.messages.empty()) {
    ChatMessage& last = request.messages.back();
    last.is_prefix = last.role == Role::kAssistant && last.tool_calls.empty();
  }
  read_max_tokens(fields, {"max_tokens"}, request);
  if (use == AnthropicUse::kAnswer && !request.max_tokens) fields.fail("max_tokens", "is missing: expected an integer from 1");
  request.sampling.temperature = fields.number("temperature", 0, 1);
  request.sampling.top_p = fields.number("top_p", 0, 1);
  request.sampling.top_k = fields.integer("top_k", 0, 1 << 20);
  read_stops(fields, "stop_sequences", request);
  read_thinking_type(fields, "thinking", request.thinking, errors);
  read_output_config(fields, request, errors);
  read_tools(fields, request, errors);
  out.streams = fields.boolean("stream").value_or(false);
  fields.ignore({"metadata", "service_tier", "cache_control", "inference_geo"});
  fields.refuse({"mcp_servers", "container", "context_management"});
  if (state.options.deepseek == DeepSeekProfile::kLenient) apply_deepseek_profile(state, caller, fields, request);
  auto model = finish_request(state, fields, request, errors);
  if (!model) return tl::unexpected(std::move(model.error()));
  out.model = *model;
  return out;
}

}  // namespace minke::server
