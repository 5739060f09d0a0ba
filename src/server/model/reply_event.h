// What a backend sends back while it answers, in this order for each choice: thought, end of the thought, answer or tool calls,
// end of the choice; then one Done for the request, or one ApiError at any point, which ends it. Texts are whole characters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/model/api_error.h"

namespace minke::server {

struct PieceLogprob {
  struct Alternative {
    std::string bytes;
    float logprob = 0;
  };
  std::string bytes;
  float logprob = 0;
  std::vector<Alternative> top;
};

// The request was admitted: its prompt has so many tokens, and so many of them need not be read again.
struct Started {
  int64_t n_prompt_tokens = 0;
  int64_t n_cached_tokens = 0;
};

struct ThoughtText {
  int choice = 0;
  std::string text;
  std::vector<PieceLogprob> logprobs;
};

enum class ThinkingEnd { kNone, kFinished, kBudget, kLoop, kUser, kLength };
std::string_view thinking_end_name(ThinkingEnd end);

struct ThoughtEnd {
  int choice = 0;
  ThinkingEnd reason = ThinkingEnd::kFinished;
};

struct AnswerText {
  int choice = 0;
  std::string text;
  std::vector<PieceLogprob> logprobs;
};

struct ToolCallBegin {
  int choice = 0;
  int index = 0;  // of the call in its choice
  std::string name;
};

struct ToolCallArguments {
  int choice = 0;
  int index = 0;
  std::string text;  // goes on where the last one ended
};

enum class ChoiceFinish { kStop, kStopString, kLength, kToolCalls, kCancelled };

struct ChoiceEnd {
  int choice = 0;
  ChoiceFinish reason = ChoiceFinish::kStop;
  std::string stop_string;  // of kStopString
};

struct Money {
  double amount = 0;
  std::string currency;
};

struct Verdict {
  std::string task;
  bool right = false;
};

struct Done {
  int64_t n_prompt_tokens = 0;
  int64_t n_cached_tokens = 0;
  int64_t n_completion_tokens = 0;  // thoughts included
  int64_t n_thought_tokens = 0;
  double queue_s = 0, prompt_s = 0, thought_s = 0, answer_s = 0;
  std::optional<double> energy_j;
  bool energy_estimated = true;
  std::optional<Money> money;
  std::optional<Verdict> verified;
};

using ReplyEvent =
    std::variant<Started, ThoughtText, ThoughtEnd, AnswerText, ToolCallBegin, ToolCallArguments, ChoiceEnd, Done, ApiError>;

// Bytes that an event keeps in memory, roughly: what a bounded queue counts.
size_t event_bytes(const ReplyEvent& event);

}  // namespace minke::server
