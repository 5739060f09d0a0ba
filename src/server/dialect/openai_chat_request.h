// POST /v1/chat/completions: the request.
#pragma once

#include "base/json.h"
#include "server/app_state.h"

namespace minke::server {

struct OpenAiChat {
  ChatRequest request;
  const ModelInfo* model = nullptr;
  bool streams = false;
  bool wants_usage = false;  // in a chunk of its own at the end of the stream
};

Outcome<OpenAiChat> parse_openai_chat(const AppState& state, const std::string& caller, const Json& body);
// {"include_usage": true}
bool read_stream_options(Fields& fields, FieldErrors& errors);

}  // namespace minke::server
