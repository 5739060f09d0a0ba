// What the dialects of OpenAI's family share: fields of requests, pieces of replies.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "server/fields.h"
#include "server/model/chat_request.h"
#include "server/model/reply_collector.h"
#include "server/reply_writer.h"

namespace minke::server {

// What one request may ask for. Ranges of OpenAI and DeepSeek where they have one.
constexpr size_t kMaxMessages = 4096;
constexpr size_t kMaxParts = 256;
constexpr size_t kMaxTools = 128;
constexpr size_t kMaxStops = 16;
constexpr size_t kMaxStopBytes = 512;
constexpr int64_t kMaxChoices = 16;
constexpr int64_t kMaxTopLogprobs = 20;
constexpr int64_t kMaxTokens = int64_t{1} << 31;

// temperature, top_p, penalties, seed, logit_bias, stop, n ...
void read_sampling(Fields& fields, ChatRequest& request);
void read_stops(Fields& fields, std::string_view key, ChatRequest& request);
// One of several names for the same length; two that differ are an error.
void read_max_tokens(Fields& fields, std::initializer_list<std::string_view> keys, ChatRequest& request);

// Every spelling of "think", "do not", "how hard". The table of efforts is DeepSeek's, "none" OpenAI's.
void read_effort(Fields& fields, std::string_view key, ThinkingControl& thinking);
// {"type": "enabled" | "disabled" | "adaptive", "budget_tokens": n}: DeepSeek's and Anthropic's.
void read_thinking_type(Fields& fields, std::string_view key, ThinkingControl& thinking, FieldErrors& errors);
// Two spellings that contradict each other are an error.
void set_thinking(Fields& fields, std::string_view key, ThinkingControl& thinking, bool enabled);
// minke's own: {"thinking": {...}, "language_lock", "conversation", ...}
void read_minke(Fields& fields, ChatRequest& request, FieldErrors& errors);

bool is_tool_name(std::string_view name);
// A string, null, or a list of parts of the given types, which all have a "text". Parts are put on lines of their own.
std::string read_content(Fields& fields, std::string_view key, std::initializer_list<std::string_view> part_types,
                         FieldErrors& errors);
// A function's name, description, parameters, strict.
Tool read_function(Fields& fields, std::string_view parameters_key);
// "tools": [{"type": "function", "function": {...}}], as OpenAI's chat and Ollama write them.
void read_function_tools(Fields& fields, ChatRequest& request, FieldErrors& errors, std::initializer_list<std::string_view> ignored = {});
void read_tool_choice(Fields& fields, ChatRequest& request, FieldErrors& errors, bool is_flat);
// {"name", "schema", "strict"} of a JSON schema.
void read_schema(Fields& fields, OutputFormat& format);
// What holds for tools in every dialect: names once, a choice that is there.
void check_tools(Fields& fields, const ChatRequest& request);

std::string_view openai_finish_name(ChoiceFinish finish);
Json openai_logprob(const PieceLogprob& piece);
// OpenAI's names and DeepSeek's side by side.
Json usage_json(const Done& done);
Json timings_json(const Done& done, ThinkingEnd thinking_end);
std::string usage_text(const Done& done);
std::string timings_text(const Done& done, ThinkingEnd thinking_end);

void append_sse(std::string& out, const Json& data);
void append_sse(std::string& out, std::string_view event, const Json& data);

}  // namespace minke::server
