#include "server/dialect/openai_parts.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "base/utf8.h"

namespace minke::server {
namespace {

struct EffortRow {
  std::string_view name;
  Effort effort;
  bool thinks;
};
// DeepSeek's map (api-docs.deepseek.com, thinking mode), and "none" as OpenAI has it.
constexpr std::array<EffortRow, 8> kEfforts = {{{"none", Effort::kDefault, false},
                                                {"minimal", Effort::kLow, true},
                                                {"low", Effort::kLow, true},
                                                {"medium", Effort::kHigh, true},
                                                {"high", Effort::kHigh, true},
                                                {"xhigh", Effort::kHigh, true},
                                                {"max", Effort::kMax, true},
                                                {"ultra", Effort::kMax, true}}};

void read_logit_bias(Fields& fields, SamplingControl& sampling) {
  const Json* bias = fields.object("logit_bias");
  if (bias == nullptr) return;
  constexpr size_t kMaxBiases = 1024;
  if (bias->size() > kMaxBiases)
    return fields.fail("logit_bias", fmt::format("expected at most {} tokens, got {}", kMaxBiases, bias->size()));
  for (auto item = bias->begin(); item != bias->end(); ++item) {
    int32_t token = -1;
    const std::string& key = item.key();
    const auto [end, code] = std::from_chars(key.data(), key.data() + key.size(), token);
    const bool is_token = code == std::errc{} && end == key.data() + key.size() && token >= 0;
    const double value = item->is_number() ? item->get<double>() : 1000.0;
    if (!is_token || !(value >= -100 && value <= 100))
      return fields.fail("logit_bias", "expected token numbers with biases from -100 to 100");
    sampling.logit_bias.emplace_back(token, static_cast<float>(value));
  }
}

// Only who names a conversation, or asks for a new one with null, has the turn kept: a program that sets a budget of thoughts
// under the same key must not find its prompts in somebody's history.
void read_page_turn(Fields& own, bool names_conversation, ChatRequest& request, FieldErrors& errors) {
  PageTurn turn{own.text("conversation"), own.text("parent"), own.text("text"), {}};
  if (const Json* files = own.array("attachments", kMaxParts)) {
    for (size_t i = 0; i < files->size(); ++i) {
      Fields file((*files)[i], fmt::format("minke.attachments[{}]", i), errors);
      turn.attachments.push_back({file.required_text("name"), file.required_text("text")});
      file.finish();
    }
  }
  const bool is_temporary = own.boolean("temporary").value_or(false);
  const bool has_place = turn.parent || turn.text || !turn.attachments.empty();
  if (has_place && !names_conversation) own.fail("conversation", "is missing: expected an id, or null for a new one");
  if (names_conversation && !is_temporary) request.page = std::move(turn);
}

}  // namespace

void read_stops(Fields& fields, std::string_view key, ChatRequest& request) {
  request.stop = fields.texts(key, kMaxStops);
  for (const std::string& stop : request.stop) {
    if (stop.empty() || stop.size() > kMaxStopBytes)
      fields.fail(key, fmt::format("expected strings of 1 to {} bytes, got one of {}", kMaxStopBytes, stop.size()));
  }
}

void read_sampling(Fields& fields, ChatRequest& request) {
  SamplingControl& s = request.sampling;
  s.temperature = fields.number("temperature", 0, 2);
  s.top_p = fields.number("top_p", 0, 1);
  s.top_k = fields.integer("top_k", -1, 1 << 20);
  if (s.top_k == -1) s.top_k = 0;  // as vLLM writes "off"
  s.min_p = fields.number("min_p", 0, 1);
  s.repetition_penalty = fields.number("repetition_penalty", 0.01, 10);
  s.presence_penalty = fields.number("presence_penalty", -2, 2);
  s.frequency_penalty = fields.number("frequency_penalty", -2, 2);
  if (const auto seed = fields.integer("seed", INT64_MIN, INT64_MAX)) s.seed = static_cast<uint64_t>(*seed);
  read_logit_bias(fields, s);
  read_stops(fields, "stop", request);
  request.n_choices = static_cast<int>(fields.integer("n", 1, kMaxChoices).value_or(1));
}

void read_max_tokens(Fields& fields, std::initializer_list<std::string_view> keys, ChatRequest& request) {
  for (std::string_view key : keys) {
    const auto n = fields.integer(key, 1, kMaxTokens);
    if (n && request.max_tokens && *n != *request.max_tokens)
      fields.fail(key, "differs from the same limit under its other name");
    if (n) request.max_tokens = n;
  }
}

void set_thinking(Fields& fields, std::string_view key, ThinkingControl& thinking, bool enabled) {
  if (thinking.enabled && *thinking.enabled != enabled)
    return fields.fail(key, fmt::format("asks for {}, another field for the opposite", enabled ? "thinking" : "no thinking"));
  thinking.enabled = enabled;
}

void read_effort(Fields& fields, std::string_view key, ThinkingControl& thinking) {
  const auto name = fields.text(key);
  if (!name) return;
  const auto* row = std::find_if(kEfforts.begin(), kEfforts.end(), [&](const EffortRow& r) { return r.name == *name; });
  if (row == kEfforts.end())
    return fields.fail(key, "expected one of none, minimal, low, medium, high, xhigh, max, ultra, got another word");
  thinking.effort = row->effort;
  // An effort beside thinking that is switched off says nothing; clients send both.
  if (!row->thinks) set_thinking(fields, key, thinking, false);
}

void read_thinking_type(Fields& fields, std::string_view key, ThinkingControl& thinking, FieldErrors& errors) {
  const Json* value = fields.object(key);
  if (value == nullptr) return;
  Fields inner(*value, fields.name_of(key), errors);
  const auto type = inner.one_of("type", {"enabled", "disabled", "adaptive"});
  if (!type && !errors.first) inner.fail("type", "is missing: expected enabled, disabled or adaptive");
  if (type && *type < 2) set_thinking(fields, key, thinking, *type == 0);
  if (const auto budget = inner.integer("budget_tokens", 1, kMaxTokens)) thinking.budget = budget;
  inner.ignore({"display"});
  inner.finish();
}

void read_minke(Fields& fields, ChatRequest& request, FieldErrors& errors) {
  const Json* value = fields.object("minke");
  if (value == nullptr) return;
  Fields own(*value, "minke", errors);
  if (const Json* thinking = own.object("thinking")) {
    Fields inner(*thinking, "minke.thinking", errors);
    if (const auto enabled = inner.boolean("enabled")) set_thinking(inner, "enabled", request.thinking, *enabled);
    if (const auto budget = inner.integer("budget", 0, kMaxTokens)) request.thinking.budget = budget;
    inner.finish();
  }
  if (const auto lock = own.one_of("language_lock", {"ko", "en"})) request.language_lock = *lock == 0 ? "ko" : "en";
  read_page_turn(own, value->contains("conversation"), request, errors);
  own.finish();
}

bool is_tool_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::string read_content(Fields& fields, std::string_view key, std::initializer_list<std::string_view> part_types,
                         FieldErrors& errors) {
  const Json* value = fields.any(key);
  if (value == nullptr) return "";
  if (value->is_string()) return value->get<std::string>();
  if (!value->is_array() || value->size() > kMaxParts) {
    fields.fail(key, fmt::format("expected a string or a list of at most {} parts", kMaxParts));
    return "";
  }
  std::string text;
  for (size_t i = 0; i < value->size(); ++i) {
    Fields part((*value)[i], fmt::format("{}[{}]", fields.name_of(key), i), errors);
    const std::string type = part.required_text("type");
    if (errors.first) return "";
    if (std::find(part_types.begin(), part_types.end(), type) == part_types.end())
      part.fail("type", fmt::format("\"{}\" is not supported: expected {}", utf8_lossy(type.substr(0, 40)),
                                    fmt::join(part_types, ", ")));
    if (!text.empty()) text += '\n';
    text += part.required_text("text");
    part.ignore({"annotations", "cache_control", "citations", "logprobs"});
    part.finish();
  }
  return text;
}

Tool read_function(Fields& fields, std::string_view parameters_key) {
  Tool tool;
  tool.name = fields.required_text("name");
  if (!is_tool_name(tool.name)) fields.fail("name", "expected 1 to 64 letters, digits, _ or -");
  tool.description = fields.text_or_empty("description");
  if (const Json* parameters = fields.object(parameters_key)) tool.parameters_json = dump_json(*parameters);
  tool.strict = fields.boolean("strict").value_or(false);
  return tool;
}

void read_function_tools(Fields& fields, ChatRequest& request, FieldErrors& errors, std::initializer_list<std::string_view> ignored) {
  const Json* list = fields.array("tools", kMaxTools);
  for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
    Fields tool((*list)[i], fmt::format("tools[{}]", i), errors);
    tool.one_of("type", {"function"});
    if (const Json* function = tool.object("function")) {
      Fields inner(*function, fmt::format("tools[{}].function", i), errors);
      request.tools.push_back(read_function(inner, "parameters"));
      inner.finish();
    } else {
      tool.fail("function", "is missing");
    }
    tool.ignore(ignored);
    tool.finish();
  }
}

void read_schema(Fields& fields, OutputFormat& format) {
  format.kind = FormatKind::kJsonSchema;
  format.name = fields.text_or_empty("name");
  const Json* schema = fields.any("schema");
  if (schema == nullptr || !(schema->is_object() || schema->is_boolean()))
    return fields.fail("schema", "expected a JSON schema");
  format.schema_json = dump_json(*schema);
  fields.ignore({"strict", "description"});  // a schema is always held to
}

void read_tool_choice(Fields& fields, ChatRequest& request, FieldErrors& errors, bool is_flat) {
  request.tool_choice.parallel = fields.boolean("parallel_tool_calls").value_or(true);
  const Json* value = fields.any("tool_choice");
  if (value == nullptr) return;
  ToolChoice& choice = request.tool_choice;
  if (value->is_string()) {
    const auto& name = value->get_ref<const std::string&>();
    if (name == "none") {
      choice.use = ToolUse::kNone;
    } else if (name == "required") {
      choice.use = ToolUse::kRequired;
    } else if (name != "auto") {
      fields.fail("tool_choice", "expected none, auto, required or a function");
    }
    return;
  }
  Fields named(*value, "tool_choice", errors);
  named.one_of("type", {"function"});
  choice.use = ToolUse::kNamed;
  if (is_flat) {
    choice.name = named.required_text("name");
  } else if (const Json* function = named.object("function")) {
    Fields inner(*function, "tool_choice.function", errors);
    choice.name = inner.required_text("name");
    inner.finish();
  } else {
    named.fail("function", "is missing");
  }
  named.finish();
}

void check_tools(Fields& fields, const ChatRequest& request) {
  std::set<std::string_view> names;
  for (const Tool& tool : request.tools) {
    if (!names.insert(tool.name).second) fields.fail("tools", fmt::format("two tools have the name \"{}\"", tool.name));
  }
  const ToolChoice& choice = request.tool_choice;
  const bool needs_tools = choice.use == ToolUse::kRequired || choice.use == ToolUse::kNamed;
  if (needs_tools && request.tools.empty()) fields.fail("tool_choice", "needs tools, and there are none");
  if (choice.use == ToolUse::kNamed && !names.contains(choice.name))
    fields.fail("tool_choice", "names a function that is not among the tools");
  if (request.n_choices > 1 && request.page) fields.fail("n", "a conversation keeps one answer to a turn: expected 1");
}

std::string_view openai_finish_name(ChoiceFinish finish) {
  switch (finish) {
    case ChoiceFinish::kLength:
      return "length";
    case ChoiceFinish::kToolCalls:
      return "tool_calls";
    default:
      return "stop";
  }
}

namespace {

// A token may be a part of a character: the text is readable, the bytes exact.
Json token_json(const std::string& bytes, float logprob) {
  Json list = Json::array();
  for (const char c : bytes) list.push_back(static_cast<unsigned>(static_cast<unsigned char>(c)));
  // -9999 is OpenAI's number for "not at all", which JSON's numbers cannot say.
  return Json{{"token", utf8_lossy(bytes)}, {"logprob", logprob > -9999.0f ? logprob : -9999.0f}, {"bytes", std::move(list)}};
}

}  // namespace

Json openai_logprob(const PieceLogprob& piece) {
  Json out = token_json(piece.bytes, piece.logprob);
  Json top = Json::array();
  for (const auto& other : piece.top) top.push_back(token_json(other.bytes, other.logprob));
  out["top_logprobs"] = std::move(top);
  return out;
}

Json usage_json(const Done& done) {
  return Json{{"prompt_tokens", done.n_prompt_tokens},
              {"completion_tokens", done.n_completion_tokens},
              {"total_tokens", done.n_prompt_tokens + done.n_completion_tokens},
              {"prompt_cache_hit_tokens", done.n_cached_tokens},
              {"prompt_cache_miss_tokens", done.n_prompt_tokens - done.n_cached_tokens},
              {"prompt_tokens_details", {{"cached_tokens", done.n_cached_tokens}}},
              {"completion_tokens_details", {{"reasoning_tokens", done.n_thought_tokens}}}};
}

Json timings_json(const Done& done, ThinkingEnd thinking_end) {
  const double written_s = done.thought_s + done.answer_s;
  Json out{{"thinking_end", thinking_end_name(thinking_end)},
           {"tokens_per_s", written_s > 0 ? static_cast<double>(done.n_completion_tokens) / written_s : 0.0},
           {"queue_s", done.queue_s},
           {"prompt_s", done.prompt_s},
           {"thought_s", done.thought_s},
           {"answer_s", done.answer_s},
           {"energy_j", nullptr},
           {"energy_estimated", done.energy_estimated},
           {"money", nullptr},
           {"verified", nullptr}};
  if (done.energy_j) out["energy_j"] = *done.energy_j;
  if (done.money) out["money"] = Json{{"amount", done.money->amount}, {"currency", done.money->currency}};
  if (done.verified) out["verified"] = Json{{"task", done.verified->task}, {"right", done.verified->right}};
  return out;
}

std::string usage_text(const Done& done) { return dump_json(usage_json(done)); }
std::string timings_text(const Done& done, ThinkingEnd thinking_end) { return dump_json(timings_json(done, thinking_end)); }

void append_sse(std::string& out, const Json& data) {
  out += "data: ";
  out += dump_json(data);
  out += "\n\n";
}

void append_sse(std::string& out, std::string_view event, const Json& data) {
  out += "event: ";
  out += event;
  out += '\n';
  append_sse(out, data);
}

}  // namespace minke::server
