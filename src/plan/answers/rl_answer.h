// What a run of reinforcement learning costs, writing its answers included.
#pragma once

#include <optional>
#include <string>

#include "plan/answers/train_answer.h"
#include "plan/training/rl.h"

namespace minke::plan {

struct RlQuestion {
  std::string model_name, model_source;
  ModelConfig config;
  Device device;
  int64_t n_devices = 0;
  double n_rounds = 0, answers_per_round = 0;
  double prompt_tokens = 200, answer_tokens = 0, cap_tokens = 32768;
  double weight_bits = 8;
  std::optional<double> usd_per_hour;
};

struct RlAnswer {
  Range writing_hours, scoring_hours, learning_hours, days, device_hours, usd;
  Range writing_per_device;        // tokens/s, all answers at once
  bool waits_for_longest = false;  // at the likely corner
  bool has_price = false;
  Working working;
};

Result<RlAnswer> answer_rl(const RlQuestion& question, const Tables& tables);

}  // namespace minke::plan
