// Ollama's requests. Sampling stands under "options"; arguments of tools are objects, not text; streams are the default.
#include <nlohmann/json.hpp>

#include "server/dialect/ollama.h"
#include "server/dialect/openai_parts.h"

namespace minke::server {
namespace {

void read_options(Fields& fields, ChatRequest& request, const AppState& state, FieldErrors& errors) {
  const Json* value = fields.object("options");
  if (value == nullptr) return;
  Fields options(*value, "options", errors);
  SamplingControl& s = request.sampling;
  s.temperature = options.number("temperature", 0, 2);
  s.top_p = options.number("top_p", 0, 1);
  s.top_k = options.integer("top_k", 0, 1 << 20);
  s.min_p = options.number("min_p", 0, 1);
  s.repetition_penalty = options.number("repeat_penalty", 0.01, 10);
  s.presence_penalty = options.number("presence_penalty", -2, 2);
  s.frequency_penalty = options.number("frequency_penalty", -2, 2);
  if (const auto seed = options.integer("seed", INT64_MIN, INT64_MAX)) s.seed = static_cast<uint64_t>(*seed);
  // -1 and -2 are Ollama's "until it ends" and "until the context is full".
  if (const auto n = options.integer("num_predict", -2, kMaxTokens); n && *n > 0) request.max_tokens = n;
  // The window is the model's own, always: a smaller one would be cut silently there, a larger one cannot be had.
  if (const auto n = options.integer("num_ctx", 1, kMaxTokens)) {
    const ModelInfo* model = find_model(state, request.model);
    if (model != nullptr && *n > model->context)
      options.fail("num_ctx", fmt::format("{} is more than the model's context of {}", *n, model->context));
  }
  read_stops(options, "stop", request);
  options.ignore({"num_batch", "num_gpu", "main_gpu", "use_mmap", "use_mlock", "num_thread", "numa", "low_vram", "f16_kv",
                  "num_keep", "repeat_last_n", "vocab_only"});
  options.refuse({"tfs_z", "typical_p", "mirostat", "penalize_newline"});
  options.finish();
}

void read_format(Fields& fields, ChatRequest& request) {
  const Json* format = fields.any("format");
  if (format == nullptr) return;
  if (format->is_object()) {
    request.format = {FormatKind::kJsonSchema, "", dump_json(*format)};
  } else if (format->is_string() && (*format == "json" || *format == "")) {
    if (*format == "json") request.format.kind = FormatKind::kJsonObject;
  } else {
    fields.fail("format", "expected \"json\" or a JSON schema");
  }
}

void read_think(Fields& fields, ChatRequest& request) {
  const Json* think = fields.any("think");
  if (think == nullptr) return;
  if (think->is_boolean()) return set_thinking(fields, "think", request.thinking, think->get<bool>());
  const std::string level = think->is_string() ? think->get<std::string>() : "";
  if (level != "low" && level != "medium" && level != "high")
    return fields.fail("think", "expected true, false, low, medium or high");
  request.thinking.effort = level == "low" ? Effort::kLow : Effort::kHigh;
  set_thinking(fields, "think", request.thinking, true);
}

// Fields that both calls have.
void read_common(Fields& fields, OllamaCall& call, const AppState& state, FieldErrors& errors) {
  call.request.model = fields.text_or_empty("model");
  call.streams = fields.boolean("stream").value_or(true);
  read_options(fields, call.request, state, errors);
  read_format(fields, call.request);
  read_think(fields, call.request);
  if (fields.boolean("logprobs").value_or(false)) call.request.sampling.n_logprobs = 0;
  if (const auto n = fields.integer("top_logprobs", 0, kMaxTopLogprobs); n && call.request.sampling.n_logprobs >= 0)
    call.request.sampling.n_logprobs = static_cast<int>(*n);
  fields.ignore({"keep_alive"});
  fields.refuse({"images", "template"});
  // Ollama shortens a prompt that is too long, here it is an error: asking for what we do is fine.
  fields.ignore({"truncate", "shift"});
}

std::vector<ToolCall> read_calls(Fields& message, FieldErrors& errors) {
  std::vector<ToolCall> calls;
  const Json* list = message.array("tool_calls", kMaxTools);
  for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
    Fields call((*list)[i], fmt::format("{}[{}]", message.name_of("tool_calls"), i), errors);
    ToolCall out;
    out.id = call.text_or_empty("id");
    call.ignore({"type"});
    if (const Json* function = call.object("function")) {
      Fields inner(*function, call.name_of("function"), errors);
      out.name = inner.required_text("name");
      const Json* arguments = inner.object("arguments");
      out.arguments = arguments == nullptr ? "{}" : dump_json(*arguments);
      inner.ignore({"index"});
      inner.finish();
    }
    call.finish();
    calls.push_back(std::move(out));
  }
  return calls;
}

void read_messages(Fields& fields, ChatRequest& request, FieldErrors& errors) {
  const Json* list = fields.array("messages", kMaxMessages);
  for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
    Fields message((*list)[i], fmt::format("messages[{}]", i), errors);
    ChatMessage out;
    const auto role = message.one_of("role", {"system", "user", "assistant", "tool"});
    if (!role) message.fail("role", "is missing: expected system, user, assistant or tool");
    out.role = static_cast<Role>(role.value_or(1));
    out.content = message.text_or_empty("content");
    out.reasoning = message.text("thinking");
    out.tool_calls = read_calls(message, errors);
    out.name = message.text_or_empty("tool_name");
    out.tool_call_id = message.text_or_empty("tool_call_id");
    message.ignore({"name"});
    message.refuse({"images"});
    message.finish();
    request.messages.push_back(std::move(out));
  }
  // As Ollama does it: the answer goes on with an assistant's message at the end.
  if (!request.messages.empty()) {
    ChatMessage& last = request.messages.back();
    last.is_prefix = last.role == Role::kAssistant && last.tool_calls.empty();
  }
}

Outcome<OllamaCall> with_model(const AppState& state, Fields& fields, OllamaCall call, FieldErrors& errors) {
  auto model = finish_request(state, fields, call.request, errors);
  if (!model) return tl::unexpected(std::move(model.error()));
  call.model = *model;
  return call;
}

}  // namespace

Outcome<OllamaCall> parse_ollama_chat(const AppState& state, const std::string& caller, const Json& body) {
  FieldErrors errors;
  Fields fields(body, "", errors);
  OllamaCall call;
  read_common(fields, call, state, errors);
  read_messages(fields, call.request, errors);
  read_function_tools(fields, call.request, errors);
  check_tools(fields, call.request);
  if (state.options.deepseek == DeepSeekProfile::kLenient) apply_deepseek_profile(state, caller, fields, call.request);
  call.only_loads = call.request.messages.empty();
  return with_model(state, fields, std::move(call), errors);
}

Outcome<OllamaCall> parse_ollama_generate(const AppState& state, const Json& body) {
  FieldErrors errors;
  Fields fields(body, "", errors);
  OllamaCall call;
  read_common(fields, call, state, errors);
  const std::string prompt = fields.text_or_empty("prompt");
  const std::string system = fields.text_or_empty("system");
  const std::string suffix = fields.text_or_empty("suffix");
  const bool raw = fields.boolean("raw").value_or(false);
  fields.refuse({"context"});
  ChatRequest& request = call.request;
  call.only_loads = prompt.empty() && system.empty();
  if (raw || !suffix.empty()) {
    request.kind = suffix.empty() ? RequestKind::kCompletion : RequestKind::kFillInMiddle;
    request.raw_prompt = true;
    request.prompt = prompt;
    request.suffix = suffix;
  } else {
    if (!system.empty()) {
      request.messages.emplace_back();
      request.messages.back().role = Role::kSystem;
      request.messages.back().content = system;
    }
    request.messages.emplace_back();
    request.messages.back().content = prompt;
  }
  return with_model(state, fields, std::move(call), errors);
}

}  // namespace minke::server
