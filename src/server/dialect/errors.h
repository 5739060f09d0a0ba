// An ApiError in the shape of a dialect.
#pragma once

#include "base/json.h"
#include "server/http.h"
#include "server/model/api_error.h"

namespace minke::server {

enum class Dialect { kOpenAi, kAnthropic, kOllama };

Json error_json(Dialect dialect, const ApiError& error);
HttpReply error_reply(Dialect dialect, const ApiError& error);
HttpReply json_reply(const Json& body, int status = 200);

}  // namespace minke::server
