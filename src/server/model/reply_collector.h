// The events of a reply put together: what a reply that is not streamed says, and what is kept of any reply.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/model/reply_event.h"

namespace minke::server {

struct CollectedCall {
  std::string name, arguments;
};

struct CollectedChoice {
  std::string thought, answer;
  std::vector<PieceLogprob> thought_logprobs, answer_logprobs;
  std::vector<CollectedCall> calls;
  ThinkingEnd thinking_end = ThinkingEnd::kNone;
  std::optional<ChoiceEnd> end;
};

struct ReplyCollector {
  explicit ReplyCollector(int n_choices) : choices(static_cast<size_t>(n_choices)) {}
  // An event of a choice that there is not is dropped.
  void add(const ReplyEvent& event);

  std::vector<CollectedChoice> choices;
  std::optional<Done> done;
  std::optional<ApiError> error;
};

}  // namespace minke::server
