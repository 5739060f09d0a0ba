#include <array>

#include "server/model/api_error.h"
#include "server/model/reply_event.h"

namespace minke::server {

int http_status(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
      return 400;
    case ErrorKind::kUnauthorized:
      return 401;
    case ErrorKind::kForbidden:
      return 403;
    case ErrorKind::kNotFound:
      return 404;
    case ErrorKind::kMethod:
      return 405;
    case ErrorKind::kConflict:
      return 409;
    case ErrorKind::kTooLarge:
      return 413;
    case ErrorKind::kLocked:
      return 423;
    case ErrorKind::kRateLimited:
      return 429;
    case ErrorKind::kInternal:
      return 500;
    case ErrorKind::kUnsupported:
      return 501;
    case ErrorKind::kOverloaded:
      return 503;
  }
  return 500;
}

std::string_view thinking_end_name(ThinkingEnd end) {
  constexpr std::array<std::string_view, 6> kNames = {"none", "finished", "budget", "loop", "user", "length"};
  return kNames[static_cast<size_t>(end)];
}

namespace {

size_t logprob_bytes(const std::vector<PieceLogprob>& logprobs) {
  size_t n = 0;
  for (const PieceLogprob& piece : logprobs) n += sizeof(piece) + piece.top.size() * sizeof(PieceLogprob::Alternative);
  return n;
}

struct EventBytes {
  size_t operator()(const ThoughtText& event) const { return event.text.size() + logprob_bytes(event.logprobs); }
  size_t operator()(const AnswerText& event) const { return event.text.size() + logprob_bytes(event.logprobs); }
  size_t operator()(const ToolCallArguments& event) const { return event.text.size(); }
  template <typename Other>
  size_t operator()(const Other&) const {
    return 0;
  }
};

}  // namespace

size_t event_bytes(const ReplyEvent& event) { return sizeof(ReplyEvent) + std::visit(EventBytes{}, event); }

}  // namespace minke::server
