// Answers of the policy to problems, sampled by the engine from the very weights that are trained, and what they are worth.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/chat_encoder.h"
#include "engine/engine.h"
#include "tasks/task.h"
#include "tokenizer/tokenizer.h"

namespace minke {

struct RolloutOptions {
  int64_t n_samples = 8;  // of each problem
  int64_t max_new_tokens = 256;
  double temperature = 1;  // 0: greedy
  uint64_t seed = 0;       // of the draws
};

struct Rollout {
  std::vector<TokenId> prompt, answer;  // the answer with its stop token
  std::vector<float> logprobs;          // [answer], when they were drawn
  bool is_whole = false;                // ended by a stop token, not cut
  std::string text;                     // the answer from the opening tag of its thought on, without the stop token
  double accuracy = 0;
};

// 1 right, 0 wrong, of what follows the thought. An error is a fault of the machine, never of the answer.
using Grade = std::function<Result<double>(const Problem& problem, std::string_view content)>;

class RolloutMaker {
 public:
  // The tokenizer has a chat template and an eos token. A model with MLA keeps heads in its cache, the form of training, where
  // its kv_b_proj allows it.
  static Result<RolloutMaker> create(Model& model, const Tokenizer& tokenizer, const Context& context);

  // n_samples rollouts of each problem, problem after problem; nothing when wants_stop(answers done) said so. What has no whole
  // answer, or only a thought, is wrong.
  Result<std::optional<std::vector<Rollout>>> make(std::span<const Problem> problems, const RolloutOptions& options,
                                                   const Grade& grade, const std::function<bool(int64_t n_done)>& wants_stop);

 private:
  RolloutMaker(Model& model, const Tokenizer& tokenizer, const Context& context, ChatEncoder encoder);
  Status judge(Rollout& rollout, const Problem& problem, bool is_open, const Grade& grade) const;

  Model* model_;
  const Tokenizer* tokenizer_;
  Context context_;
  ChatEncoder encoder_;
  MlaCache mla_ = MlaCache::kHeads;
  std::vector<TokenId> stop_tokens_;
};

}  // namespace minke
