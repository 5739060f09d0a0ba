#include "server/model/reply_assembler.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/utf8.h"

namespace minke::server {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

struct ParsedCall {
  std::string name;
  std::string arguments;
};

Outcome<ParsedCall> broken_call(std::string_view what) {
  return tl::unexpected(
      ApiError{ErrorKind::kInternal, fmt::format("the model's tool call cannot be read: {}", what), {}, "invalid_tool_call"});
}

Outcome<ParsedCall> parse_object_call(std::string_view text) {
  auto json = parse_json(text, "tool call");
  if (!json) return broken_call("its text is not JSON");
  if (!json->is_object() || !json->contains("name") || !(*json)["name"].is_string()) return broken_call("it has no name");
  const Json& arguments = json->contains("arguments") ? (*json)["arguments"] : (*json)["parameters"];
  if (!arguments.is_object() && !arguments.is_null()) return broken_call("its arguments are no object");
  return ParsedCall{(*json)["name"].get<std::string>(), arguments.is_null() ? "{}" : dump_json(arguments)};
}

// Kimi writes functions.NAME:0; no name of a function has a dot or a colon.
std::string_view bare_name(std::string_view name) {
  constexpr std::string_view kPrefix = "functions.";
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  return name.substr(0, name.find(':'));
}

Outcome<ParsedCall> parse_separated_call(std::string_view before, std::string_view after, ToolSyntax syntax) {
  if (syntax == ToolSyntax::kNameThenJson) {
    const std::string_view arguments = trimmed(after);
    return ParsedCall{std::string(bare_name(trimmed(before))), arguments.empty() ? "{}" : std::string(arguments)};
  }
  const size_t line = after.find('\n');
  const std::string_view name = trimmed(after.substr(0, line));
  std::string_view arguments = line == after.npos ? std::string_view{} : trimmed(after.substr(line));
  constexpr std::string_view kFence = "```";
  if (arguments.starts_with(kFence)) {
    const size_t body = arguments.find('\n');
    arguments = body == arguments.npos ? std::string_view{} : arguments.substr(body);
    if (trimmed(arguments).ends_with(kFence)) arguments = trimmed(arguments), arguments.remove_suffix(kFence.size());
  }
  arguments = trimmed(arguments);
  return ParsedCall{std::string(name), arguments.empty() ? "{}" : std::string(arguments)};
}

Outcome<ParsedCall> parse_call(std::string_view text, size_t separator, ToolSyntax syntax) {
  if (syntax == ToolSyntax::kJsonObject) return parse_object_call(trimmed(text));
  if (separator == text.npos) return broken_call("its separator is missing");
  auto call = parse_separated_call(text.substr(0, separator), text.substr(separator), syntax);
  if (call && call->name.empty()) return broken_call("it has no name");
  return call;
}

}  // namespace

ReplyAssembler::ReplyAssembler(AssemblerOptions options) : options_(std::move(options)) {
  std::erase(options_.stop, "");
  if (options_.starts_in_thought) enter(Phase::kThought);
}

void ReplyAssembler::enter(Phase phase) {
  trims_leading_ = phase == Phase::kThought || (phase == Phase::kAnswer && phase_ != Phase::kAnswer);
  phase_ = phase;
  held_.clear();
  logprobs_.clear();
  n_passed_ = 0;
}

bool ReplyAssembler::push(const Piece& piece, std::vector<ReplyEvent>& out) {
  if (phase_ == Phase::kStopped) return false;
  switch (piece.kind) {
    case PieceKind::kText:
      push_text(piece, out);
      break;
    case PieceKind::kThoughtBegin:
      if (phase_ != Phase::kAnswer) break;
      flush_text(out);
      if (phase_ == Phase::kAnswer) enter(Phase::kThought);
      break;
    case PieceKind::kThoughtEnd:
      if (phase_ == Phase::kThought) end_thought(out);
      break;
    case PieceKind::kToolsBegin:
      if (phase_ == Phase::kThought) end_thought(out);
      if (phase_ == Phase::kAnswer) flush_text(out);
      if (phase_ == Phase::kAnswer) enter(Phase::kTools);
      break;
    case PieceKind::kToolBegin:
      begin_call(out);
      break;
    case PieceKind::kToolSeparator:
      if (phase_ == Phase::kCall) separator_ = std::min(separator_, call_.size());
      break;
    case PieceKind::kToolEnd:
      if (phase_ == Phase::kCall) end_call(false, out);
      break;
    case PieceKind::kToolsEnd:
      if (phase_ == Phase::kCall) end_call(false, out);
      if (phase_ == Phase::kTools) enter(Phase::kAnswer);
      break;
  }
  return phase_ != Phase::kStopped;
}

void ReplyAssembler::push_text(const Piece& piece, std::vector<ReplyEvent>& out) {
  if (phase_ == Phase::kCall) {
    call_ += piece.bytes;
    return;
  }
  if (phase_ == Phase::kTools) {
    // Between calls there is only white space; a call whose opening mark was left out is no text for the user either.
    return;
  }
  if (piece.logprob != nullptr) logprobs_.push_back({n_passed_ + held_.size(), *piece.logprob});
  held_ += piece.bytes;
  if (trims_leading_) {
    const size_t begin = std::min(held_.find_first_not_of(kSpace), held_.size());
    drop_held(begin);
    if (held_.empty()) return;
    trims_leading_ = false;
  }
  if (phase_ == Phase::kAnswer) {
    size_t first = std::string::npos, length = 0;
    for (const std::string& stop : options_.stop) {
      const size_t at = held_.find(stop);
      // Of two that begin at one place the one that would have been whole first, so that cuts make no difference.
      if (at != std::string::npos && (first == std::string::npos || at + stop.size() < first + length)) {
        first = at;
        length = stop.size();
        stop_string_ = stop;
      }
    }
    if (first != std::string::npos) {
      release(first, out);
      phase_ = Phase::kStopped;
      held_.clear();
      return;
    }
  }
  size_t keep = phase_ == Phase::kAnswer ? held_for_stop() : held_.size() - (held_.find_last_not_of(kSpace) + 1);
  // The whole characters of what need not be kept.
  size_t n = held_.size() - keep;
  n -= utf8_incomplete_suffix(std::string_view(held_).substr(0, n));
  release(n, out);
}

// The longest end of held_ that is the start of a stop string.
size_t ReplyAssembler::held_for_stop() const {
  size_t longest = 0;
  for (const std::string& stop : options_.stop) {
    for (size_t n = std::min(stop.size() - 1, held_.size()); n > longest; --n) {
      if (std::string_view(held_).ends_with(std::string_view(stop).substr(0, n))) longest = n;
    }
  }
  return longest;
}

void ReplyAssembler::drop_held(size_t n) {
  held_.erase(0, n);
  n_passed_ += n;
  std::erase_if(logprobs_, [&](const HeldLogprob& held) { return held.begin + held.logprob.bytes.size() <= n_passed_; });
}

void ReplyAssembler::release(size_t n, std::vector<ReplyEvent>& out) {
  if (n == 0) return;
  std::string text = utf8_lossy(std::string_view(held_).substr(0, n));
  held_.erase(0, n);
  n_passed_ += n;
  std::vector<PieceLogprob> logprobs;
  size_t n_logprobs = 0;
  while (n_logprobs < logprobs_.size() && logprobs_[n_logprobs].begin < n_passed_)
    logprobs.push_back(std::move(logprobs_[n_logprobs++].logprob));
  logprobs_.erase(logprobs_.begin(), logprobs_.begin() + static_cast<std::ptrdiff_t>(n_logprobs));
  if (phase_ == Phase::kThought) {
    out.emplace_back(ThoughtText{options_.choice, std::move(text), std::move(logprobs)});
  } else {
    out.emplace_back(AnswerText{options_.choice, std::move(text), std::move(logprobs)});
  }
}

void ReplyAssembler::flush_text(std::vector<ReplyEvent>& out) {
  if (phase_ == Phase::kThought) {
    const size_t end = held_.find_last_not_of(kSpace);
    release(end == std::string::npos ? 0 : end + 1, out);
  } else if (phase_ == Phase::kAnswer) {
    release(held_.size(), out);
  }
}

void ReplyAssembler::end_thought(std::vector<ReplyEvent>& out) {
  flush_text(out);
  out.emplace_back(ThoughtEnd{options_.choice, std::exchange(thought_end_, ThinkingEnd::kFinished)});
  enter(Phase::kAnswer);
}

void ReplyAssembler::begin_call(std::vector<ReplyEvent>& out) {
  if (phase_ == Phase::kThought) end_thought(out);
  if (phase_ == Phase::kCall) end_call(false, out);
  if (phase_ == Phase::kAnswer) flush_text(out);
  enter(Phase::kCall);
  call_.clear();
  separator_ = std::string::npos;
}

void ReplyAssembler::end_call(bool cut, std::vector<ReplyEvent>& out) {
  const auto call = parse_call(utf8_lossy(call_), separator_, options_.tool_syntax);
  enter(Phase::kTools);
  if (!call) {
    // What the length cut before it had a name is nothing that a client could run; the reason says that it was cut.
    if (!cut && !failed_) out.emplace_back(call.error());
    failed_ = failed_ || !cut;
    return;
  }
  out.emplace_back(ToolCallBegin{options_.choice, n_calls_, call->name});
  out.emplace_back(ToolCallArguments{options_.choice, n_calls_, call->arguments});
  ++n_calls_;
}

void ReplyAssembler::finish(ChoiceFinish reason, std::vector<ReplyEvent>& out) {
  if (phase_ == Phase::kStopped) {
    if (reason == ChoiceFinish::kStop) reason = ChoiceFinish::kStopString;
  } else if (phase_ == Phase::kThought) {
    flush_text(out);
    const ThinkingEnd why = reason == ChoiceFinish::kLength      ? ThinkingEnd::kLength
                            : reason == ChoiceFinish::kCancelled ? ThinkingEnd::kUser
                                                                 : thought_end_;
    out.emplace_back(ThoughtEnd{options_.choice, why});
  } else if (phase_ == Phase::kCall) {
    end_call(reason != ChoiceFinish::kStop, out);
  } else {
    flush_text(out);
  }
  if (failed_) return;  // the error was the last event
  if (reason == ChoiceFinish::kStop && n_calls_ > 0) reason = ChoiceFinish::kToolCalls;
  out.emplace_back(ChoiceEnd{options_.choice, reason, reason == ChoiceFinish::kStopString ? stop_string_ : ""});
}

}  // namespace minke::server
