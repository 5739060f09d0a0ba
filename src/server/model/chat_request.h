// The one request behind all dialects. A dialect fills it in and checks what can be checked without a model; the backend
// renders, tokenises and runs it. Schemas are kept as JSON text: who compiles them parses them with limits of their own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace minke::server {

enum class Role { kSystem, kUser, kAssistant, kTool };

struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  // JSON text
};

struct ChatMessage {
  Role role = Role::kUser;
  std::string content;
  std::optional<std::string> reasoning;  // of an assistant's message
  std::vector<ToolCall> tool_calls;
  std::string tool_call_id;  // of a tool's message
  std::string name;
  bool is_prefix = false;  // the last message, which the answer goes on with
};

struct Tool {
  std::string name;
  std::string description;
  std::string parameters_json;  // a JSON schema; empty: no parameters
  bool strict = false;
};

enum class ToolUse { kAuto, kNone, kRequired, kNamed };

struct ToolChoice {
  ToolUse use = ToolUse::kAuto;
  std::string name;  // of kNamed
  bool parallel = true;
};

enum class FormatKind { kText, kJsonObject, kJsonSchema };

struct OutputFormat {
  FormatKind kind = FormatKind::kText;
  std::string name;
  std::string schema_json;
};

enum class Effort { kDefault, kLow, kHigh, kMax };

// Nothing set: as the model does it by default.
struct ThinkingControl {
  std::optional<bool> enabled;
  Effort effort = Effort::kDefault;
  std::optional<int64_t> budget;  // tokens of the thought at most
};

// What is not set is the model's own recommendation.
struct SamplingControl {
  std::optional<double> temperature, top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty;
  std::optional<int64_t> top_k;
  std::optional<uint64_t> seed;
  std::vector<std::pair<int32_t, float>> logit_bias;
  int n_logprobs = -1;  // -1: none; 0: of the chosen token; n: also of the n most likely
};

enum class RequestKind { kChat, kCompletion, kFillInMiddle };

// A file that the page attached; its text is in the message too. Kept with the conversation.
struct Attachment {
  std::string name;
  std::string text;
};

// What the page asks for under the key "minke": where the turn is kept.
struct PageTurn {
  std::optional<std::string> conversation;  // none: a new one
  std::optional<std::string> parent;        // none: it opens the conversation
  std::optional<std::string> text;          // what the user typed, where the message for the model has files in it
  std::vector<Attachment> attachments;
};

struct ChatRequest {
  RequestKind kind = RequestKind::kChat;
  std::string caller;  // the name of the API key; empty without keys
  std::string model;  // an id of Backend::models()
  std::vector<ChatMessage> messages;
  std::string prompt, suffix;          // of the other two kinds
  std::vector<int32_t> prompt_tokens;  // instead of a prompt
  bool raw_prompt = false;             // special tokens spelled in the prompt are meant
  std::vector<Tool> tools;
  ToolChoice tool_choice;
  OutputFormat format;
  ThinkingControl thinking;
  SamplingControl sampling;
  std::optional<int64_t> max_tokens;
  std::vector<std::string> stop;
  int n_choices = 1;
  std::optional<std::string> language_lock;
  std::optional<PageTurn> page;  // none: nothing is kept
};

}  // namespace minke::server
