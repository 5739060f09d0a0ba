// One machine: does a model fit, and how many tokens a second are there. Either a device of the tables, or a machine whose
// speed was measured or is stated.
#pragma once

#include <optional>
#include <string>

#include "plan/local/local.h"

namespace minke::plan {

// What a machine has to hold and read, from a model's files or from its shape and bits.
struct RunModel {
  std::string name;
  ModelConfig config;
  double weight_bytes = 0;  // all
  double read_bytes = 0;    // by one token
  double operations = 0;    // of one token of a prompt, its head and the routed experts apart
  double expert_operations = 0;
  double token_operations = 0;  // of one token of an answer, its head included
  double bits = 0;  // of a weight
  Arithmetic arithmetic = Arithmetic::kBytes;
};
RunModel shaped_model(std::string name, const ModelConfig& config, double bits);

struct OwnMachine {
  double read_gb_per_s = 0;
  double compute_gops = 0;  // of the model's arithmetic; 0: not known
  double f32_gflops = 0;    // 0: not known, and attention is left out
  double usable_bytes = 0;  // 0: not known
  std::string source;       // of the two rates
};

struct RunQuestion {
  RunModel model;
  double context = 0;             // tokens that are already there
  std::optional<OwnMachine> own;  // else:
  Device device;                  // of Placement::kHybrid the CPU
  Placement placement = Placement::kDevice;
  BytesPerS disk;  // of Placement::kExpertsDisk
};

struct RunAnswer {
  Range decode, prefill;    // tokens a second
  bool has_prefill = true;  // not where the machine's compute is not known
  double prompt_tokens = 0;  // that prefill was counted for
  double memory_bytes = 0, usable_bytes = 0;
  double disk_share = 0;  // of the routed experts that a token wants
  bool fits() const { return usable_bytes == 0 || memory_bytes <= usable_bytes; }
  Working working;
};

Result<RunAnswer> answer_running(const RunQuestion& question, const Tables& tables);

}  // namespace minke::plan
