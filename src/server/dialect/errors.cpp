#include "server/dialect/errors.h"

#include <nlohmann/json.hpp>

namespace minke::server {
namespace {

struct Names {
  const char* openai_type;
  const char* openai_code;
  const char* anthropic_type;
};

Names names_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
      return {"invalid_request_error", "invalid_request_error", "invalid_request_error"};
    case ErrorKind::kUnauthorized:
      return {"authentication_error", "invalid_api_key", "authentication_error"};
    case ErrorKind::kForbidden:
      return {"permission_error", "forbidden", "permission_error"};
    case ErrorKind::kNotFound:
      return {"invalid_request_error", "not_found", "not_found_error"};
    case ErrorKind::kMethod:
      return {"invalid_request_error", "method_not_allowed", "invalid_request_error"};
    case ErrorKind::kConflict:
      return {"invalid_request_error", "conflict", "invalid_request_error"};
    case ErrorKind::kTooLarge:
      return {"invalid_request_error", "request_too_large", "request_too_large"};
    case ErrorKind::kLocked:
      return {"invalid_request_error", "locked", "invalid_request_error"};
    case ErrorKind::kRateLimited:
      return {"rate_limit_error", "rate_limit_exceeded", "rate_limit_error"};
    case ErrorKind::kInternal:
      return {"server_error", "internal_error", "api_error"};
    case ErrorKind::kUnsupported:
      return {"not_supported_error", "not_supported", "invalid_request_error"};
    case ErrorKind::kOverloaded:
      return {"overloaded_error", "overloaded", "overloaded_error"};
  }
  return {"server_error", "internal_error", "api_error"};
}

}  // namespace

Json error_json(Dialect dialect, const ApiError& error) {
  const Names names = names_of(error.kind);
  switch (dialect) {
    case Dialect::kAnthropic:
      return Json{{"type", "error"}, {"error", {{"type", names.anthropic_type}, {"message", error.message}}}};
    case Dialect::kOllama:
      return Json{{"error", error.message}};
    case Dialect::kOpenAi:
      break;
  }
  const Json param = error.param.empty() ? Json(nullptr) : Json(error.param);
  return Json{{"error",
               {{"message", error.message},
                {"type", names.openai_type},
                {"param", param},
                {"code", error.code.empty() ? names.openai_code : error.code}}}};
}

HttpReply error_reply(Dialect dialect, const ApiError& error) {
  HttpReply reply = json_reply(error_json(dialect, error), http_status(error.kind));
  // Anthropic has a status of its own for this, which its clients know.
  if (dialect == Dialect::kAnthropic && error.kind == ErrorKind::kOverloaded) reply.status = 529;
  if (error.retry_after_s > 0) reply.headers.emplace_back("Retry-After", std::to_string(error.retry_after_s));
  if (error.kind == ErrorKind::kUnauthorized) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  return reply;
}

HttpReply json_reply(const Json& body, int status) {
  HttpReply reply;
  reply.status = status;
  reply.body = dump_json(body);
  return reply;
}

}  // namespace minke::server
