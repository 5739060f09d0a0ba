// Why one try of a request did not work, and what the caller may do about it.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "base/error.h"

namespace minke::hub {

struct Failure {
  enum class Kind {
    kTransient,  // try again after a wait, go on where it stopped
    kRestart,    // the server does not do ranges as it says: try again from the first byte
    kCorrupt,    // size or hash is wrong: delete what is there, try again from the first byte
    kFatal,      // trying again would give the same
    kCancelled,  // the user's wish
  };
  Kind kind = Kind::kFatal;
  std::string message;
  double retry_after_s = 0;  // what the server asked for; 0: nothing
};

template <typename T>
using Attempt = tl::expected<T, Failure>;

template <typename... Args>
tl::unexpected<Failure> failure(Failure::Kind kind, fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Failure>(Failure{kind, fmt::format(format, std::forward<Args>(args)...), 0});
}

inline tl::unexpected<Failure> fatal(Error e) {
  return tl::unexpected<Failure>(Failure{Failure::Kind::kFatal, std::move(e.message), 0});
}

}  // namespace minke::hub
