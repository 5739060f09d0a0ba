// POST /v1/messages and /v1/messages/count_tokens.
#pragma once

#include "base/json.h"
#include "server/app_state.h"

namespace minke::server {

struct AnthropicMessage {
  ChatRequest request;
  const ModelInfo* model = nullptr;
  bool streams = false;
};

// Counting wants no max_tokens.
enum class AnthropicUse { kAnswer, kCount };
Outcome<AnthropicMessage> parse_anthropic(const AppState& state, const std::string& caller, const Json& body, AnthropicUse use);

}  // namespace minke::server
