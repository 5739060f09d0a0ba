#include "plan/training/step_time.h"

#include <algorithm>

#include "plan/shape/compute.h"
#include "plan/shape/exchange.h"
#include "plan/shape/parameters.h"
#include "plan/training/memory.h"

namespace minke::plan {
namespace {

// A ring or tree moves this share of the whole, twice for an all-reduce.
double others(double n) { return n <= 1 ? 0 : (n - 1) / n; }

// What one micro-batch costs one device of the fullest stage.
struct StageWork {
  Seconds forward, recomputed, weight_part;
};

StageWork stage_work(const TrainingTask& task, const Layout& l, const TrainingRates& rates) {
  const ModelConfig& c = task.config;
  Tokens tokens(static_cast<double>(l.micro_batch * task.seq_len) / static_cast<double>(l.context * l.tensor));
  double n_layers = static_cast<double>(c.n_layers);
  // The fullest stage sets the pace; head and modules of multi-token prediction are spread as if they were layers.
  double share = static_cast<double>(stage_layers(c, l)) / n_layers;
  FlopsPerToken linear = linear_flops(c);
  FlopsPerToken attention = attention_flops(c, static_cast<double>(task.seq_len) / 2);
  if (task.with_mtp) {
    linear += FlopsPerToken(2 * static_cast<double>(model_parameters(c).mtp_active));
    attention += attention * (static_cast<double>(c.n_mtp_layers) / n_layers);
  }
  Seconds linear_time = share * (tokens * linear / rates.linear);
  Seconds attention_time = share * (tokens * attention / rates.attention);
  StageWork work;
  work.forward = linear_time + attention_time;
  work.weight_part = linear_time;  // attention itself has no weights
  if (l.recomputation == Recomputation::kFull) work.recomputed = work.forward;
  if (l.recomputation == Recomputation::kSelective && c.attention == AttentionKind::kMla) {
    // The up-projections of MLA are done again; norms and SwiGLU are not counted.
    double up = static_cast<double>(c.n_heads *
                                    (c.q_lora_rank * c.qk_head_dim() + c.kv_lora_rank * (c.qk_nope_head_dim + c.v_head_dim)));
    work.recomputed = share * (tokens * FlopsPerToken(2 * up * n_layers) / rates.linear);
  }
  return work;
}

// Forward part of tensor parallelism in a stage: attention and MLP each leave a sum over the devices.
Seconds tensor_comm(const TrainingTask& task, const Layout& l, const TrainingRates& rates) {
  if (l.tensor == 1) return Seconds(0);
  double tokens = static_cast<double>(l.micro_batch * task.seq_len) / static_cast<double>(l.context);
  double per_layer = 2 * 2 * others(static_cast<double>(l.tensor)) * tokens * static_cast<double>(task.config.hidden_size) * 2;
  return static_cast<double>(stage_layers(task.config, l)) * (Bytes(per_layer) / rates.scale_up) * (1 - rates.hidden_comm);
}

// Forward part of context parallelism: keys and values of every other part of the sequence come by. MLA's are expanded.
Seconds context_comm(const TrainingTask& task, const Layout& l, const TrainingRates& rates) {
  if (l.context == 1) return Seconds(0);
  const ModelConfig& c = task.config;
  double values = static_cast<double>(c.attention == AttentionKind::kMla ? c.n_heads * (c.qk_head_dim() + c.v_head_dim)
                                                                         : 2 * c.n_kv_heads * c.head_dim);
  double others_tokens =
      static_cast<double>(l.micro_batch * task.seq_len) / static_cast<double>(l.context) * static_cast<double>(l.context - 1);
  bool is_inside = l.tensor * l.context <= task.device.scale_up_size;
  BytesPerS link = is_inside ? rates.scale_up : rates.scale_out;
  Bytes per_layer(2 * others_tokens * values / static_cast<double>(l.tensor));
  return static_cast<double>(stage_layers(c, l)) * (per_layer / link) * (1 - rates.hidden_comm);
}

// Forward part of the pipeline: activations go to the next stage, once for every chunk of layers.
Seconds pipeline_comm(const TrainingTask& task, const Layout& l, const TrainingRates& rates) {
  if (l.pipeline == 1) return Seconds(0);
  double tokens = static_cast<double>(l.micro_batch * task.seq_len) / static_cast<double>(l.context * l.tensor);
  bool is_inside = task.n_devices <= task.device.scale_up_size;
  Bytes activations(2 * tokens * static_cast<double>(task.config.hidden_size * l.n_chunks));
  return activations / (is_inside ? rates.scale_up : rates.scale_out) * (1 - rates.hidden_comm);
}

Seconds expert_comm(const TrainingTask& task, const Layout& l, const TrainingRates& rates) {
  const ModelConfig& c = task.config;
  if (l.expert == 1) return Seconds(0);
  ExpertExchange exchange;
  exchange.n_tokens = static_cast<double>(l.micro_batch * task.seq_len) / static_cast<double>(l.context * l.tensor);
  exchange.n_devices = static_cast<double>(l.expert);
  exchange.bytes_per_value = task.precision == Precision::kBf16 ? 4 : 3;  // dispatch in the products' format, combine in BF16
  exchange.scale_up = rates.scale_up;
  exchange.scale_out = rates.scale_out;
  exchange.scale_up_size = task.device.scale_up_size;
  double moe_share = static_cast<double>(model_parameters(c).n_moe_layers) / static_cast<double>(c.n_layers);
  return moe_share * static_cast<double>(stage_layers(c, l)) * exchange_time(c, exchange);
}

// The link that n replicas talk over.
BytesPerS link_of(double n, const TrainingTask& task, const TrainingRates& rates) {
  bool is_inside = n <= static_cast<double>(task.device.scale_up_size) && task.n_devices <= task.device.scale_up_size;
  return is_inside && rates.scale_up.value() > 0 ? rates.scale_up : rates.scale_out;
}

Seconds replicas_comm(double bytes_per_parameter, const LocalParameters& local, const TrainingTask& task,
                      const TrainingRates& rates) {
  auto part = [&](double parameters, double replicas) {
    if (replicas <= 1 || parameters <= 0) return Seconds(0);
    return Bytes(others(replicas) * parameters * bytes_per_parameter) / link_of(replicas, task, rates);
  };
  return part(local.dense, local.dense_replicas) + part(local.experts, local.expert_replicas);
}

}  // namespace

TrainingRates training_rates(const TrainingTask& task, const Tables& tables, Corner corner, Working& working) {
  const Device& device = task.device;
  const std::string& kind = device.device_class;
  bool is_moe = task.config.moe.n_routed_experts > 0;
  const char* purpose = task.precision == Precision::kBf16 ? (is_moe ? "train.matmul.bf16-moe" : "train.matmul.bf16")
                                                           : (is_moe ? "train.matmul.fp8-moe" : "train.matmul.fp8");
  TrainingRates rates;
  rates.linear = tables.factor(purpose, kind, corner, working) * device.peak(task.precision);
  rates.attention = tables.factor("train.matmul.bf16", kind, corner, working) * device.bf16;
  rates.scale_up = tables.factor("link.scale-up", corner, working) * device.scale_up;
  rates.scale_out = tables.factor("link.scale-out", corner, working) * device.scale_out;
  rates.memory = tables.factor("memory.stream", kind, corner, working) * device.bandwidth;
  rates.hidden_comm = tables.factor("train.hidden-exchange", corner, working);
  return rates;
}

StepTime step_time(const TrainingTask& task, const Layout& l, const TrainingRates& rates) {
  StageWork work = stage_work(task, l, rates);
  Seconds tensor = tensor_comm(task, l, rates), context = context_comm(task, l, rates);
  Seconds pipeline = pipeline_comm(task, l, rates), expert = expert_comm(task, l, rates);
  bool hides_experts = l.schedule == PipelineSchedule::kDualPipe;
  if (hides_experts) expert = std::max(Seconds(0), expert - work.forward);  // a forward runs beside a backward chunk
  double n = static_cast<double>(n_micro_batches(task, l));
  LocalParameters local = local_parameters(task, l);
  StepTime step;
  step.forward = work.forward + tensor + context + pipeline + expert;
  // Gradients of keys and values go around with them.
  step.backward = 2 * work.forward + work.recomputed + tensor + 2 * context + pipeline + expert;
  step.compute = n * (3 * work.forward + work.recomputed);
  step.tensor_comm = n * 2 * tensor;
  step.context_comm = n * 3 * context;
  step.pipeline_comm = n * 2 * pipeline;
  step.expert_comm = n * 2 * expert;
  step.bubble = bubble(l, step.forward, step.backward, work.weight_part);
  if (l.zero_stage == 3) {
    // Weights come twice a micro-batch and gradients go once, hidden as far as compute lasts.
    Seconds fetch = replicas_comm(2 * parameter_bytes(task.precision).weight + 2, local, task, rates);
    step.weight_comm = n * std::max(Seconds(0), fetch - (3 * work.forward + work.recomputed));
  } else {
    step.gradient_comm = replicas_comm(2 + 2, local, task, rates);  // gradients out and weights back, in BF16
  }
  ParameterBytes bytes = parameter_bytes(task.precision);
  double owned = local.dense / local.dense_replicas + local.experts / std::max(1.0, local.expert_replicas);
  step.optimizer = Bytes(owned * (2 * bytes.optimizer + bytes.gradient + bytes.weight)) / rates.memory;
  return step;
}

}  // namespace minke::plan
