// From a model's tokens to typed events. Whoever knows the vocabulary says what each token is, by its id; no text is searched
// for marks, so what the model writes as plain characters stays text and no mark ever becomes text.
//
// The same events, joined, come out however the text is cut: characters are held until they are whole, the start of a stop
// string until it is told apart, white space at the borders of a thought until it is known to be inside. Stop strings end the
// answer only. A tool call's text is held until it ends and given out when it has a name and arguments.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/model/reply_event.h"

namespace minke::server {

enum class PieceKind {
  kText,
  kThoughtBegin,
  kThoughtEnd,
  kToolsBegin,  // round all calls, where a family has that
  kToolBegin,
  kToolSeparator,
  kToolEnd,
  kToolsEnd,
};

// How the text of a call stands between kToolBegin and kToolEnd.
enum class ToolSyntax {
  kJsonObject,    // {"name": ..., "arguments": {...}}               Qwen, Hermes
  kFencedJson,    // function SEPARATOR name \n ```json \n {...} \n ```   DeepSeek V3, R1
  kNameThenJson,  // name SEPARATOR {...}                             DeepSeek V3.1, Kimi K2
};

struct Piece {
  PieceKind kind = PieceKind::kText;
  std::string_view bytes = {};            // of kText; need not end with a whole character
  const PieceLogprob* logprob = nullptr;  // of the token that these bytes begin
};

struct AssemblerOptions {
  int choice = 0;
  bool starts_in_thought = false;  // the prompt ends with the mark that opens a thought
  std::vector<std::string> stop;
  ToolSyntax tool_syntax = ToolSyntax::kJsonObject;
};

class ReplyAssembler {
 public:
  explicit ReplyAssembler(AssemblerOptions options);

  // Appends the events that the piece completes. False once a stop string was met: the model may stop, later pieces do nothing.
  bool push(const Piece& piece, std::vector<ReplyEvent>& out);
  // How the next kThoughtEnd came about, when the model did not write it by itself.
  void thought_is_closed_by(ThinkingEnd reason) { thought_end_ = reason; }
  // The end of the choice: what is still held, then ChoiceEnd. A thought that never ended is reported with the reason kLength;
  // a call that was cut by the length has the arguments that there were, and one that cannot be read is an ApiError.
  void finish(ChoiceFinish reason, std::vector<ReplyEvent>& out);

  bool in_thought() const { return phase_ == Phase::kThought; }

 private:
  enum class Phase { kThought, kAnswer, kTools, kCall, kStopped };
  struct HeldLogprob {
    size_t begin;  // where the token's bytes begin, in all bytes of this phase
    PieceLogprob logprob;
  };

  void push_text(const Piece& piece, std::vector<ReplyEvent>& out);
  // Gives out n bytes of held_ and the log-probabilities of the tokens that begin in them.
  void release(size_t n, std::vector<ReplyEvent>& out);
  void drop_held(size_t n);
  void flush_text(std::vector<ReplyEvent>& out);
  void end_thought(std::vector<ReplyEvent>& out);
  void enter(Phase phase);
  void begin_call(std::vector<ReplyEvent>& out);
  void end_call(bool cut, std::vector<ReplyEvent>& out);
  size_t held_for_stop() const;

  AssemblerOptions options_;
  Phase phase_ = Phase::kAnswer;
  std::string held_;
  size_t n_passed_ = 0;  // bytes of this phase that left held_
  std::vector<HeldLogprob> logprobs_;
  bool trims_leading_ = false;
  ThinkingEnd thought_end_ = ThinkingEnd::kFinished;
  std::string call_;
  size_t separator_ = std::string::npos;
  int n_calls_ = 0;
  bool failed_ = false;
  std::string stop_string_;
};

}  // namespace minke::server
