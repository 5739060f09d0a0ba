// POST /v1/responses.
#pragma once

#include "base/json.h"
#include "server/app_state.h"

namespace minke::server {

struct OpenAiResponse {
  ChatRequest request;
  const ModelInfo* model = nullptr;
  bool streams = false;
};

Outcome<OpenAiResponse> parse_openai_response(const AppState& state, const std::string& caller, const Json& body);

}  // namespace minke::server
