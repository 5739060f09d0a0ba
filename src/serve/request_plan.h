// A request made ready to run: its prompt as tokens, how it is sampled, what bounds its answer. Everything that can be wrong
// with a request is found here, before it waits for anything.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "constrain/guard/thinking_guard.h"
#include "engine/sampler.h"
#include "serve/served_model.h"
#include "tasks/task.h"

namespace minke::serve {

struct RequestPlan {
  std::string caller;
  std::vector<TokenId> prompt;
  ThoughtStart thought = ThoughtStart::kNone;
  constrain::ThinkingLimits thinking;
  SamplingOptions sampling;
  int64_t max_new_tokens = 0;
  int n_choices = 1;
  std::vector<std::string> stop;
  SharedGrammar answer, language;  // may be null
  bool has_tools = false;
  std::optional<Problem> problem;  // that the conversation ends with, when a program can check the answer
  bool is_kept = false;            // as a turn of a conversation: it may use what the disk has of chats
  bool is_text = false;            // it goes on with a text, which need not begin a word
};

// cache_tokens: room in the KV cache, which the choices share.
server::Outcome<RequestPlan> plan_request(ServedModel& model, const server::ChatRequest& request, int64_t cache_tokens);
// The tokens of its prompt, as plan_request has them.
server::Outcome<int64_t> count_prompt_tokens(const ServedModel& model, const server::ChatRequest& request);

}  // namespace minke::serve
