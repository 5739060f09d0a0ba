// What reinforcement learning costs: mostly the writing of long answers, and waiting for the longest of each round.
#pragma once

#include "plan/units.h"

namespace minke::plan {

struct RlTask {
  double n_rounds = 0;  // of writing answers and learning from them
  double answers_per_round = 0;
  Tokens prompt, answer;  // means
  double tail = 4;        // longest answer of a round over the mean
  Tokens cap;             // an answer never exceeds it
  double n_devices = 0;
  TokensPerS writing_rate;  // of one device with its share of the answers
  TokensPerS stream_rate;   // of one answer
  FlopsPerToken forward;    // of one token in the middle of an answer
  FlopsPerS learning_rate;  // of one device in training
  double n_scorings = 2;    // forward passes for log-probs: of the policy before the step and of the reference
};

struct RlTime {
  Seconds writing, scoring, learning;  // of the whole run
  bool waits_for_longest = false;      // and not for the devices
  Seconds total() const { return writing + scoring + learning; }
};
RlTime rl_time(const RlTask& task);

}  // namespace minke::plan
