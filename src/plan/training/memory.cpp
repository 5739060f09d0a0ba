#include "plan/training/memory.h"

#include <algorithm>

#include "plan/shape/parameters.h"

namespace minke::plan {
namespace {

// Elements that the backward pass wants of attention, for one token. The input of the layer is among them.
double attention_elements(const ModelConfig& c, Recomputation recomputation) {
  double d = static_cast<double>(c.hidden_size), heads = static_cast<double>(c.n_heads);
  double out = heads * static_cast<double>(c.value_head_dim());
  double normed = recomputation == Recomputation::kNone ? d : 0;  // norms are cheap to do again
  if (c.attention == AttentionKind::kGqa) {
    double kv = 2 * static_cast<double>(c.n_kv_heads * c.head_dim);
    return d + normed + heads * static_cast<double>(c.head_dim) + kv + out;
  }
  double latents = static_cast<double>(c.q_lora_rank + c.kv_lora_rank + c.qk_rope_head_dim);
  double expanded = heads * (2 * static_cast<double>(c.qk_head_dim()) + static_cast<double>(c.v_head_dim));
  return d + normed + latents + out + (recomputation == Recomputation::kNone ? latents + expanded : 0);
}

double mlp_elements(const ModelConfig& c, bool is_moe, Recomputation recomputation) {
  double d = static_cast<double>(c.hidden_size);
  double per_width = recomputation == Recomputation::kNone ? 3 : 2;  // gate and up, and their product
  double normed = recomputation == Recomputation::kNone ? d : 0;
  if (!is_moe) return d + normed + per_width * static_cast<double>(c.intermediate_size);
  const MoeConfig& m = c.moe;
  double width = static_cast<double>(m.intermediate_size), k = static_cast<double>(m.n_experts_per_token);
  // Every expert that a token goes to keeps its own copy of the token.
  return d + normed + k * (d + per_width * width) + static_cast<double>(m.n_shared_experts) * per_width * width +
         static_cast<double>(m.n_routed_experts);
}

}  // namespace

ParameterBytes parameter_bytes(Precision precision) {
  // FP8 training as in DeepSeek-V3's report: weights in FP8 with a scale of 4 bytes for each 128 x 128, gradients and master
  // weights in f32, moments in BF16.
  if (precision != Precision::kBf16) return {.weight = 1 + 4.0 / (128 * 128), .gradient = 4, .optimizer = 4 + 2 * 2};
  return {.weight = 2, .gradient = 4, .optimizer = 4 + 2 * 4};
}

LocalParameters local_parameters(const TrainingTask& task, const Layout& l) {
  ModelParameters p = model_parameters(task.config);
  const LayerParameters& layer = p.n_moe_layers > 0 ? p.moe_layer : p.dense_layer;
  double n_layers = static_cast<double>(stage_layers(task.config, l));
  double dense = n_layers * static_cast<double>(layer.total() - layer.routed_experts);
  // The first stage has the embedding, the last one the head; without a pipeline one device has both.
  dense += static_cast<double>(l.pipeline == 1 ? p.embedding + p.lm_head : std::max(p.embedding, p.lm_head));
  if (task.with_mtp) dense += static_cast<double>(p.mtp - task.config.n_mtp_layers * layer.routed_experts);
  LocalParameters local;
  local.dense = dense / static_cast<double>(l.tensor);
  double mtp_experts = task.with_mtp ? static_cast<double>(task.config.n_mtp_layers * layer.routed_experts) : 0;
  local.experts = (n_layers * static_cast<double>(layer.routed_experts) + mtp_experts) / static_cast<double>(l.expert);
  local.dense_replicas = static_cast<double>(l.data * l.context);
  local.expert_replicas = static_cast<double>(l.data * l.context * l.tensor) / static_cast<double>(l.expert);
  return local;
}

Bytes activation_bytes(const ModelConfig& c, bool is_moe, Recomputation recomputation, Precision precision) {
  if (recomputation == Recomputation::kFull) return Bytes(2 * static_cast<double>(c.hidden_size));
  double mlp_width = precision == Precision::kBf16 ? 2 : 1;  // FP8 training keeps the inputs of its products in FP8
  return Bytes(2 * attention_elements(c, recomputation) + mlp_width * mlp_elements(c, is_moe, recomputation));
}

TrainingMemory training_memory(const TrainingTask& task, const Layout& l) {
  const ModelConfig& c = task.config;
  LocalParameters local = local_parameters(task, l);
  ParameterBytes bytes = parameter_bytes(task.precision);
  auto shared = [&](double per_parameter, bool is_shared) {
    return Bytes(per_parameter * (local.dense / (is_shared ? local.dense_replicas : 1) +
                                  local.experts / (is_shared ? std::max(1.0, local.expert_replicas) : 1)));
  };
  double copies = l.schedule == PipelineSchedule::kDualPipe && l.pipeline > 1 ? 2 : 1;
  TrainingMemory memory;
  memory.weights = copies * shared(bytes.weight, l.zero_stage >= 3);
  memory.gradients = shared(bytes.gradient, l.zero_stage >= 2);
  memory.optimizer = shared(bytes.optimizer, l.zero_stage >= 1);

  double tokens = static_cast<double>(l.micro_batch * task.seq_len) / static_cast<double>(l.context * l.tensor);
  bool is_moe = c.moe.n_routed_experts > 0;
  double layers_held = n_in_flight(l, n_micro_batches(task, l)) * static_cast<double>(stage_layers(c, l));
  memory.activations = tokens * layers_held * activation_bytes(c, is_moe, l.recomputation, task.precision);
  if (l.recomputation == Recomputation::kFull) {  // and all of the layer that is being done again
    memory.activations += tokens * activation_bytes(c, is_moe, Recomputation::kNone, task.precision);
  }
  memory.logits = Bytes(tokens * static_cast<double>(c.vocab_size) * (2 + 4));  // BF16, and their gradients in f32
  return memory;
}

}  // namespace minke::plan
