#include "server/dialect/openai_chat_request.h"

#include <nlohmann/json.hpp>

#include "server/dialect/openai_parts.h"

namespace minke::server {
namespace {

std::vector<ToolCall> read_tool_calls(Fields& message, FieldErrors& errors) {
  std::vector<ToolCall> calls;
  const Json* list = message.array("tool_calls", kMaxTools);
  for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
    Fields call((*list)[i], fmt::format("{}[{}]", message.name_of("tool_calls"), i), errors);
    ToolCall out;
    out.id = call.text_or_empty("id");
    call.one_of("type", {"function"});
    call.ignore({"index"});
    if (const Json* function = call.object("function")) {
      Fields inner(*function, call.name_of("function"), errors);
      out.name = inner.required_text("name");
      out.arguments = inner.text("arguments").value_or("{}");
      inner.finish();
    } else {
      call.fail("function", "is missing");
    }
    call.finish();
    calls.push_back(std::move(out));
  }
  return calls;
}

std::optional<Role> read_role(Fields& fields) {
  const auto role = fields.one_of("role", {"system", "developer", "user", "assistant", "tool"});
  if (!role) {
    fields.fail("role", "is missing: expected system, developer, user, assistant or tool");
    return std::nullopt;
  }
  constexpr Role kRoles[] = {Role::kSystem, Role::kSystem, Role::kUser, Role::kAssistant, Role::kTool};
  return kRoles[*role];
}

ChatMessage read_message(const Json& value, const std::string& path, FieldErrors& errors) {
  Fields fields(value, path, errors);
  ChatMessage message;
  message.role = read_role(fields).value_or(Role::kUser);
  message.content = read_content(fields, "content", {"text"}, errors);
  message.name = fields.text_or_empty("name");
  if (message.role == Role::kAssistant) {
    message.tool_calls = read_tool_calls(fields, errors);
    message.is_prefix = fields.boolean("prefix").value_or(false);
    message.reasoning = fields.text("reasoning_content");
    const auto alias = fields.text("reasoning");
    if (!message.reasoning) message.reasoning = alias;
    if (const auto refusal = fields.text("refusal"); refusal && message.content.empty()) message.content = *refusal;
  } else {
    // A thought on somebody else's message means nothing, in every API.
    fields.ignore({"reasoning_content", "reasoning", "refusal", "tool_calls"});
  }
  if (message.role == Role::kTool) {
    message.tool_call_id = fields.required_text("tool_call_id");
  } else {
    fields.ignore({"tool_call_id"});
  }
  fields.ignore({"annotations", "id", "reasoning_details", "cache_control"});
  fields.refuse({"audio", "function_call"});
  fields.finish();
  return message;
}

void read_chat_messages(Fields& fields, ChatRequest& request, FieldErrors& errors) {
  const Json* list = fields.array("messages", kMaxMessages);
  if (list == nullptr || list->empty()) return fields.fail("messages", "expected at least one message");
  for (size_t i = 0; i < list->size(); ++i) {
    ChatMessage message = read_message((*list)[i], fmt::format("messages[{}]", i), errors);
    if (message.is_prefix && i + 1 != list->size())
      fields.fail(fmt::format("messages[{}].prefix", i), "only the last message may be a prefix");
    // An empty assistant's message has no place in any template.
    request.messages.push_back(std::move(message));
  }
}

void read_response_format(Fields& fields, ChatRequest& request, FieldErrors& errors) {
  const Json* value = fields.object("response_format");
  if (value == nullptr) return;
  Fields format(*value, "response_format", errors);
  const auto type = format.one_of("type", {"text", "json_object", "json_schema"});
  if (!type) format.fail("type", "is missing: expected text, json_object or json_schema");
  request.format.kind = static_cast<FormatKind>(type.value_or(0));
  const Json* schema = format.object("json_schema");
  if (request.format.kind == FormatKind::kJsonSchema && schema != nullptr) {
    Fields inner(*schema, "response_format.json_schema", errors);
    read_schema(inner, request.format);
    inner.finish();
  } else if (request.format.kind == FormatKind::kJsonSchema) {
    format.fail("json_schema", "is missing");
  }
  format.finish();
}

void read_logprobs(Fields& fields, ChatRequest& request) {
  const bool wants = fields.boolean("logprobs").value_or(false);
  const auto top = fields.integer("top_logprobs", 0, kMaxTopLogprobs);
  if (top && *top > 0 && !wants) fields.fail("top_logprobs", "needs logprobs: true");
  if (wants) request.sampling.n_logprobs = static_cast<int>(top.value_or(0));
}

// vLLM's and llama.cpp's way to switch thinking in the template.
void read_template_arguments(Fields& fields, ChatRequest& request, FieldErrors& errors) {
  const Json* value = fields.object("chat_template_kwargs");
  if (value == nullptr) return;
  Fields inner(*value, "chat_template_kwargs", errors);
  for (const char* key : {"enable_thinking", "thinking"}) {
    if (const auto on = inner.boolean(key)) set_thinking(inner, key, request.thinking, *on);
  }
  inner.finish();
}

void read_modalities(Fields& fields) {
  for (const std::string& modality : fields.texts("modalities", 4)) {
    if (modality != "text") fields.fail("modalities", "only \"text\" is supported");
  }
}

}  // namespace

bool read_stream_options(Fields& fields, FieldErrors& errors) {
  const Json* value = fields.object("stream_options");
  if (value == nullptr) return false;
  Fields options(*value, "stream_options", errors);
  const bool wants_usage = options.boolean("include_usage").value_or(false);
  options.ignore({"include_obfuscation", "continuous_usage_stats"});
  options.finish();
  return wants_usage;
}

Outcome<OpenAiChat> parse_openai_chat(const AppState& state, const std::string& caller, const Json& body) {
  FieldErrors errors;
  Fields fields(body, "", errors);
  OpenAiChat chat;
  ChatRequest& request = chat.request;
  request.model = fields.text_or_empty("model");
  read_chat_messages(fields, request, errors);
  read_sampling(fields, request);
  read_max_tokens(fields, {"max_tokens", "max_completion_tokens"}, request);
  read_logprobs(fields, request);
  read_thinking_type(fields, "thinking", request.thinking, errors);
  read_effort(fields, "reasoning_effort", request.thinking);
  read_template_arguments(fields, request, errors);
  read_minke(fields, request, errors);
  read_function_tools(fields, request, errors, {"strict"});
  read_tool_choice(fields, request, errors, false);
  check_tools(fields, request);
  read_response_format(fields, request, errors);
  read_modalities(fields);
  chat.streams = fields.boolean("stream").value_or(false);
  chat.wants_usage = read_stream_options(fields, errors);
  fields.ignore({"user", "user_id", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key",
                 "prompt_cache_retention"});
  fields.refuse({"audio", "prediction", "web_search_options", "functions", "function_call", "verbosity"});
  apply_deepseek_profile(state, caller, fields, request);
  auto model = finish_request(state, fields, request, errors);
  if (!model) return tl::unexpected(std::move(model.error()));
  chat.model = *model;
  return chat;
}

}  // namespace minke::server
