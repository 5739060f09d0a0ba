// Answers of the policy to problems, sampled by the engine from the very weights that are trained, and what they are worth.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/chat_encoder.h"
#include "engine/engine.h"
#include "tasks/task.h"
#include "tokenizer/tokenizer.h"
#include "train/rl/rewards.h"
#include "train/rl/task_mix.h"

namespace minke {

struct RolloutOptions {
  int64_t n_samples = 8;  // of each problem
  int64_t max_new_tokens = 256;
  double temperature = 1;
  uint64_t seed = 0;  // of the draws
  RewardOptions rewards;
};

struct Rollout {
  std::vector<TokenId> prompt, answer;  // the answer with its stop token
  std::vector<float> logprobs;          // [answer], when they were drawn
  bool is_whole = false;                // ended by a stop token, not cut
  std::string text;                     // the answer from the opening tag of its thought on, without the stop token
  double accuracy = 0;
  std::vector<double> parts;  // of the reward
  double reward = 0;
};

class RolloutMaker {
 public:
  // The tokenizer has a chat template and an eos token. A model with MLA keeps heads in its cache: the form of training.
  static Result<RolloutMaker> create(Model& model, const Tokenizer& tokenizer, const Context& context);

  // n_samples rollouts of each problem, problem after problem; nothing when wants_stop said so.
  Result<std::optional<std::vector<Rollout>>> make(const TaskMix& mix, std::span<const Problem> problems,
                                                   const RolloutOptions& options, const std::function<bool()>& wants_stop);

 private:
  RolloutMaker(Model& model, const Tokenizer& tokenizer, const Context& context, ChatEncoder encoder);
  Status judge(Rollout& rollout, const TaskMix& mix, const Problem& problem, bool is_open, const RolloutOptions& options) const;

  Model* model_;
  const Tokenizer* tokenizer_;
  Context context_;
  ChatEncoder encoder_;
  std::vector<TokenId> stop_tokens_;
};

}  // namespace minke
