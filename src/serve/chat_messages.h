// A request's conversation in the form that chat templates read.
#pragma once

#include "base/json.h"
#include "server/model/api_error.h"
#include "server/model/chat_request.h"

namespace minke::serve {

// [{"role", "content", "reasoning_content", "tool_calls", ...}], without a prefix at the end.
server::Outcome<Json> messages_json(const server::ChatRequest& request);
// [{"type": "function", "function": {...}}]
server::Outcome<Json> tools_json(const server::ChatRequest& request);

}  // namespace minke::serve
