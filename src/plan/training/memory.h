// Memory of one device in training, by part. Formulas: docs/plan.md.
#pragma once

#include "plan/training/layout.h"

namespace minke::plan {

struct TrainingMemory {
  Bytes weights, gradients, optimizer, activations, logits;
  Bytes total() const { return weights + gradients + optimizer + activations + logits; }
};

// Bytes that a parameter takes: weights as products read them, gradients summed in f32, master weights and two moments.
struct ParameterBytes {
  double weight = 2, gradient = 4, optimizer = 12;
};
ParameterBytes parameter_bytes(Precision precision);

// Parameters that one device of the fullest stage holds.
struct LocalParameters {
  double dense = 0, experts = 0;
  double dense_replicas = 1, expert_replicas = 1;  // devices that hold the same ones
};
LocalParameters local_parameters(const TrainingTask& task, const Layout& layout);

// Of one token in one layer, before tensor and context parallelism divide it.
Bytes activation_bytes(const ModelConfig& config, bool is_moe_layer, Recomputation recomputation, Precision precision);

TrainingMemory training_memory(const TrainingTask& task, const Layout& layout);

}  // namespace minke::plan
