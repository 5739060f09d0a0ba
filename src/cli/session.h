// What run and chat share: a loaded model with its tokenizer and template, the flags of generation, and the printing of an
// answer as it comes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "chat/language_model.h"
#include "cli/model_argument.h"
#include "engine/generator.h"

namespace minke::cli {

// -1, empty or unset: not given by the user; then generation_config.json decides where it samples, else minke's defaults.
struct GenerationFlags {
  std::string model;
  int n_threads = 0;
  int64_t context_tokens = 0;
  uint64_t memory_bytes = 0;  // for weights, KV cache and scratch; 0: what they take
  DType kv = DType::kF16;
  int64_t max_new_tokens = -1;
  std::optional<double> temperature, top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty;
  std::optional<int64_t> top_k;
  std::optional<uint64_t> seed;
  bool greedy = false;
  std::vector<std::string> stops;
  std::vector<std::string> logit_bias;  // "ID=VALUE"
  int n_logprobs = -1;
  std::string mla;                 // "", naive, absorbed
  std::string speculate = "auto";  // off, auto, lookup, mtp
  int64_t max_drafts = 0;
  std::string think;  // "", on, off
  std::string thoughts = "show";
  std::string system;
  std::string template_file;  // in place of the model's own template
  std::string lora;           // the folder of an adapter; empty: none
};

void add_generation_flags(CLI::App& command, GenerationFlags& flags);

struct Session {
  Machine machine;
  LanguageModel lm;
  std::unique_ptr<Generator> generator;
  SamplingOptions sampling;
};

// Loads everything and prints the config's warnings on stderr.
Result<Session> open_session(const GenerationFlags& flags);

// Tokens of a conversation, through the chat template, ready for the assistant's turn.
Result<std::vector<TokenId>> conversation_tokens(const Session& session, const GenerationFlags& flags, const Json& messages);

struct Answer {
  std::string text;  // without the thought
  std::string thought;
  GenerateResult result;
  std::vector<GeneratedToken> tokens;  // kept when logprobs were asked for
  bool interrupted = false;
};

// Where an answer goes while it is made.
struct AnswerOutput {
  bool print = true;                    // the answer to stdout, the thought dimmed to stderr
  bool interrupt_ends_thought = false;  // the first Ctrl-C closes the thought, the next one ends the answer
};

// Generates and prints. A stop string ends the answer, never the thought.
Result<Answer> generate_answer(Session& session, const GenerationFlags& flags, std::vector<TokenId> prompt,
                               const AnswerOutput& output);

// "prompt 12 tokens (0 reused) 40.1/s · answer 100 tokens 50.0/s · stop", for the line under an answer.
std::string speed_text(const GenerateResult& result);

}  // namespace minke::cli
