// POST /v1/responses: the request. Nothing is stored: a history comes whole with each request.
#include <nlohmann/json.hpp>

#include "server/dialect/openai_parts.h"
#include "server/dialect/openai_responses.h"

namespace minke::server {
namespace {

void add_message(Fields& item, ChatRequest& request, FieldErrors& errors) {
  ChatMessage message;
  const auto role = item.one_of("role", {"system", "developer", "user", "assistant"});
  if (!role) item.fail("role", "is missing: expected system, developer, user or assistant");
  constexpr Role kRoles[] = {Role::kSystem, Role::kSystem, Role::kUser, Role::kAssistant};
  message.role = kRoles[role.value_or(2)];
  message.content = read_content(item, "content", {"input_text", "output_text", "text"}, errors);
  item.ignore({"id", "status", "phase"});
  request.messages.push_back(std::move(message));
}

ChatMessage& assistant_at_end(ChatRequest& request) {
  if (request.messages.empty() || request.messages.back().role != Role::kAssistant) {
    request.messages.emplace_back();
    request.messages.back().role = Role::kAssistant;
  }
  return request.messages.back();
}

void add_item(const Json& value, const std::string& path, ChatRequest& request, std::string& thought, FieldErrors& errors) {
  Fields item(value, path, errors);
  const std::string type = item.text("type").value_or("message");
  if (type == "message") {
    add_message(item, request, errors);
    if (!thought.empty() && request.messages.back().role == Role::kAssistant)
      request.messages.back().reasoning = std::exchange(thought, {});
  } else if (type == "reasoning") {
    thought += read_content(item, "content", {"reasoning_text"}, errors);
    item.ignore({"id", "summary", "encrypted_content", "status"});
  } else if (type == "function_call") {
    ToolCall call{item.required_text("call_id"), item.required_text("name"), item.text("arguments").value_or("{}")};
    ChatMessage& message = assistant_at_end(request);
    if (!thought.empty()) message.reasoning = std::exchange(thought, {});
    message.tool_calls.push_back(std::move(call));
    item.ignore({"id", "status"});
  } else if (type == "function_call_output") {
    ChatMessage message;
    message.role = Role::kTool;
    message.tool_call_id = item.required_text("call_id");
    message.content = read_content(item, "output", {"input_text"}, errors);
    request.messages.push_back(std::move(message));
    item.ignore({"id", "status"});
  } else {
    item.fail("type", "expected message, reasoning, function_call or function_call_output");
  }
  item.finish();
}

void read_input(Fields& fields, ChatRequest& request, FieldErrors& errors) {
  if (const auto instructions = fields.text("instructions")) {
    request.messages.emplace_back();
    request.messages.back().role = Role::kSystem;
    request.messages.back().content = *instructions;
  }
  const Json* input = fields.any("input");
  if (input != nullptr && input->is_string()) {
    request.messages.emplace_back();
    request.messages.back().content = input->get<std::string>();
    return;
  }
  if (input == nullptr || !input->is_array() || input->empty() || input->size() > kMaxMessages)
    return fields.fail("input", "expected a string or a list of items");
  std::string thought;
  for (size_t i = 0; i < input->size(); ++i) add_item((*input)[i], fmt::format("input[{}]", i), request, thought, errors);
}

void read_text_format(Fields& fields, ChatRequest& request, FieldErrors& errors) {
  const Json* text = fields.object("text");
  if (text == nullptr) return;
  Fields outer(*text, "text", errors);
  outer.refuse({"verbosity"});
  if (const Json* value = outer.object("format")) {
    Fields format(*value, "text.format", errors);
    const auto type = format.one_of("type", {"text", "json_object", "json_schema"});
    if (!type) format.fail("type", "is missing: expected text, json_object or json_schema");
    request.format.kind = static_cast<FormatKind>(type.value_or(0));
    if (request.format.kind == FormatKind::kJsonSchema) read_schema(format, request.format);
    format.finish();
  }
  outer.finish();
}

void read_flat_tools(Fields& fields, ChatRequest& request, FieldErrors& errors) {
  const Json* list = fields.array("tools", kMaxTools);
  for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
    Fields tool((*list)[i], fmt::format("tools[{}]", i), errors);
    tool.one_of("type", {"function"});
    request.tools.push_back(read_function(tool, "parameters"));
    tool.finish();
  }
  read_tool_choice(fields, request, errors, true);
  check_tools(fields, request);
}

}  // namespace

Outcome<OpenAiResponse> parse_openai_response(const AppState& state, const std::string& caller, const Json& body) {
  FieldErrors errors;
  Fields fields(body, "", errors);
  OpenAiResponse out;
  ChatRequest& request = out.request;
  request.model = fields.text_or_empty("model");
  read_input(fields, request, errors);
  request.sampling.temperature = fields.number("temperature", 0, 2);
  request.sampling.top_p = fields.number("top_p", 0, 1);
  read_max_tokens(fields, {"max_output_tokens"}, request);
  if (const Json* reasoning = fields.object("reasoning")) {
    Fields inner(*reasoning, "reasoning", errors);
    read_effort(inner, "effort", request.thinking);
    inner.ignore({"summary", "generate_summary"});
    inner.finish();
  }
  read_text_format(fields, request, errors);
  read_flat_tools(fields, request, errors);
  out.streams = fields.boolean("stream").value_or(false);
  if (const auto truncation = fields.text("truncation"); truncation && *truncation != "disabled")
    fields.fail("truncation", "a prompt is never shortened here: expected disabled");
  fields.ignore({"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
                 "include", "stream_options"});
  fields.refuse({"previous_response_id", "conversation", "background", "prompt", "max_tool_calls", "top_logprobs"});
  if (state.options.deepseek == DeepSeekProfile::kLenient) apply_deepseek_profile(state, caller, fields, request);
  auto model = finish_request(state, fields, request, errors);
  if (!model) return tl::unexpected(std::move(model.error()));
  out.model = *model;
  return out;
}

}  // namespace minke::server
