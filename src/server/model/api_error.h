// An error of the service before it has the shape of a dialect: what kind, one line for a person, which field, a code for a
// program.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace minke::server {

enum class ErrorKind {
  kInvalid,
  kUnauthorized,
  kForbidden,
  kNotFound,
  kMethod,
  kConflict,
  kTooLarge,
  kLocked,
  kRateLimited,
  kInternal,
  kUnsupported,  // a part of the program that is not there, as opposed to a field that is refused
  kOverloaded,
};

struct ApiError {
  ErrorKind kind = ErrorKind::kInvalid;
  std::string message;
  std::string param = {};  // the field, as the dialect spells it
  std::string code = {};   // as OpenAI has them: context_length_exceeded, model_not_found ...
  int retry_after_s = 0;   // 0: the client is not told when to come again
};

template <typename T>
using Outcome = tl::expected<T, ApiError>;

int http_status(ErrorKind kind);

template <typename... Args>
ApiError invalid(std::string_view param, fmt::format_string<Args...> format, Args&&... args) {
  return ApiError{ErrorKind::kInvalid, fmt::format(format, std::forward<Args>(args)...), std::string(param)};
}

}  // namespace minke::server
