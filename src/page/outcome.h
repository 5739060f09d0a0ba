// From errors of the program to errors of the service.
#pragma once

#include <string>
#include <utility>

#include "base/error.h"
#include "server/model/api_error.h"

namespace minke::page {

using server::ApiError;
using server::ErrorKind;
using server::Outcome;

inline tl::unexpected<ApiError> refusal(ErrorKind kind, std::string message, std::string code = {}, std::string param = {}) {
  return tl::unexpected(ApiError{kind, std::move(message), std::move(param), std::move(code)});
}

inline tl::unexpected<ApiError> failure(const Error& error, ErrorKind kind = ErrorKind::kInternal, std::string code = {}) {
  return refusal(kind, error.message, std::move(code));
}

}  // namespace minke::page
