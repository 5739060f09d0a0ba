// Errors of bad input: files, flags, requests. A message says where, what was expected, what was got, and what to do.
// Programmer errors use CHECK (check.h) and abort.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace minke {

struct Error {
  std::string message;  // one line, no trailing dot needed, no stack trace
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

// return error("{}: {}: expected {}, got {}", file, key, ...);
template <typename... Args>
tl::unexpected<Error> error(fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(Error{fmt::format(format, std::forward<Args>(args)...)});
}

// Puts "where: " before the message of a failed result, for callers that know the file.
inline tl::unexpected<Error> in_context(std::string_view where, Error e) {
  return tl::unexpected<Error>(Error{fmt::format("{}: {}", where, e.message)});
}

namespace detail {
template <typename T>
T take(Result<T>& result) {
  return std::move(*result);
}
inline void take(Status&) {}
}  // namespace detail

}  // namespace minke

// auto x = TRY(parse(text));  returns the error of parse() from the enclosing function, or yields its value.
#define TRY(expression)                                                                      \
  ({                                                                                         \
    auto try_result_ = (expression);                                                         \
    if (!try_result_) return tl::unexpected<::minke::Error>(std::move(try_result_.error())); \
    ::minke::detail::take(try_result_);                                                      \
  })

// Like TRY, with "where: " before the message.
#define TRY_IN(where, expression)                                                          \
  ({                                                                                       \
    auto try_result_ = (expression);                                                       \
    if (!try_result_) return ::minke::in_context((where), std::move(try_result_.error())); \
    ::minke::detail::take(try_result_);                                                    \
  })
