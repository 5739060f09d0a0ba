#include "plan/training/layout.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace minke::plan {
namespace {

struct ScheduleName {
  PipelineSchedule schedule;
  std::string_view name;
};
constexpr std::array<ScheduleName, 4> kSchedules = {{{PipelineSchedule::k1F1B, "1f1b"},
                                                     {PipelineSchedule::kInterleaved, "interleaved"},
                                                     {PipelineSchedule::kZeroBubble, "zb1p"},
                                                     {PipelineSchedule::kDualPipe, "dualpipe"}}};
struct RecomputationName {
  Recomputation recomputation;
  std::string_view name;
};
constexpr std::array<RecomputationName, 3> kRecomputations = {
    {{Recomputation::kNone, "none"}, {Recomputation::kSelective, "selective"}, {Recomputation::kFull, "full"}}};

constexpr int64_t kMaxWays = int64_t{1} << 15;  // the product of four stays far below where it overflows

// "pp16": the prefix and a number from 1 up.
bool take(std::string_view part, std::string_view prefix, int64_t& out) {
  if (!part.starts_with(prefix)) return false;
  std::string_view digits = part.substr(prefix.size());
  int64_t value = 0;
  auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (failed != std::errc() || end != digits.data() + digits.size() || value < 1 || value > kMaxWays) return false;
  out = value;
  return true;
}

bool take_name(std::string_view part, Layout& layout) {
  for (const ScheduleName& row : kSchedules) {
    if (part == row.name) return layout.schedule = row.schedule, true;
  }
  for (const RecomputationName& row : kRecomputations) {
    if (part == row.name) return layout.recomputation = row.recomputation, true;
  }
  return false;
}

Status check_model(const TrainingTask& task, const Layout& l) {
  const ModelConfig& c = task.config;
  if (c.n_heads % l.tensor != 0) {
    return error("tp{}: {} heads cannot be cut into {} equal parts", l.tensor, c.n_heads, l.tensor);
  }
  if (c.attention == AttentionKind::kGqa && c.n_kv_heads % l.tensor != 0 && l.tensor % c.n_kv_heads != 0) {
    return error("tp{}: {} key-value heads cannot be cut into {} equal parts", l.tensor, c.n_kv_heads, l.tensor);
  }
  if (l.pipeline * l.n_chunks > c.n_layers) {
    return error("pp{}: {} stages for {} layers", l.pipeline, l.pipeline * l.n_chunks, c.n_layers);
  }
  if (task.seq_len % l.context != 0) {
    return error("cp{}: sequences of {} tokens cannot be cut into {} equal parts", l.context, task.seq_len, l.context);
  }
  if (c.moe.n_routed_experts == 0) {
    if (l.expert > 1) return error("ep{}: the model has no experts", l.expert);
  } else if (c.moe.n_routed_experts % l.expert != 0) {
    return error("ep{}: {} experts cannot be spread evenly over {} devices", l.expert, c.moe.n_routed_experts, l.expert);
  }
  return {};
}

Status check_cluster(const TrainingTask& task, const Layout& l) {
  if (l.n_devices() != task.n_devices) {
    return error("tp{} x pp{} x cp{} x dp{} = {} devices, but there are {}", l.tensor, l.pipeline, l.context, l.data,
                 l.n_devices(), task.n_devices);
  }
  if (l.tensor > std::max<int64_t>(1, task.device.scale_up_size)) {
    return error("tp{}: tensor parallelism leaves the {} devices that {}'s fast links connect", l.tensor,
                 std::max<int64_t>(1, task.device.scale_up_size), task.device.name);
  }
  int64_t shared = l.tensor * l.context * l.data;
  if (shared % l.expert != 0) {
    return error("ep{}: does not divide tp{} x cp{} x dp{} = {} devices of a stage", l.expert, l.tensor, l.context, l.data,
                 shared);
  }
  return {};
}

}  // namespace

std::string_view schedule_name(PipelineSchedule schedule) {
  for (const ScheduleName& row : kSchedules) {
    if (row.schedule == schedule) return row.name;
  }
  return "";
}

std::string layout_text(const Layout& l) {
  std::string_view recomputation;
  for (const RecomputationName& row : kRecomputations) {
    if (row.recomputation == l.recomputation) recomputation = row.name;
  }
  std::string pipeline = l.pipeline == 1 ? "" : fmt::format(", {}", schedule_name(l.schedule));
  if (l.schedule == PipelineSchedule::kInterleaved && l.pipeline > 1) pipeline += fmt::format(" x{}", l.n_chunks);
  return fmt::format("tp{} pp{} cp{} ep{} dp{}{}, zero{}, micro-batch {}, {} recomputation", l.tensor, l.pipeline, l.context,
                     l.expert, l.data, pipeline, l.zero_stage, l.micro_batch, recomputation);
}

Result<Layout> parse_layout(std::string_view text, Layout layout) {
  while (!text.empty()) {
    size_t comma = std::min(text.find(','), text.size());
    std::string_view part = text.substr(0, comma);
    text.remove_prefix(std::min(text.size(), comma + 1));
    int64_t stage = 0;
    bool known = take(part, "tp", layout.tensor) || take(part, "pp", layout.pipeline) || take(part, "cp", layout.context) ||
                 take(part, "ep", layout.expert) || take(part, "dp", layout.data) || take(part, "mb", layout.micro_batch) ||
                 take(part, "chunks", layout.n_chunks) || take_name(part, layout);
    if (!known && take(part, "zero", stage) && stage <= 3) {
      layout.zero_stage = static_cast<int>(stage);
      known = true;
    }
    if (!known) {
      return error(
          "layout part \"{}\": expected tpN, ppN, cpN, epN, dpN, mbN, chunksN, zero1-3, 1f1b, interleaved, zb1p, dualpipe, "
          "none, "
          "selective or full",
          part);
    }
  }
  return layout;
}

int64_t n_micro_batches(const TrainingTask& task, const Layout& l) { return task.n_sequences / (l.data * l.micro_batch); }

int64_t stage_layers(const ModelConfig& config, const Layout& l) {
  int64_t pieces = l.pipeline * l.n_chunks;
  return (config.n_layers + pieces - 1) / pieces * l.n_chunks;
}

Status check_layout(const TrainingTask& task, const Layout& l) {
  TRY(check_model(task, l));
  TRY(check_cluster(task, l));
  if (task.n_sequences % (l.data * l.micro_batch) != 0) {
    return error("dp{} x micro-batch {}: {} sequences a step are no whole number of micro-batches for each replica", l.data,
                 l.micro_batch, task.n_sequences);
  }
  if (l.n_chunks > 1 && (l.schedule != PipelineSchedule::kInterleaved || l.pipeline == 1)) {
    return error("chunks{}: only an interleaved pipeline has chunks", l.n_chunks);
  }
  if (l.schedule == PipelineSchedule::kDualPipe) {
    if (l.pipeline % 2 != 0) return error("dualpipe: pp{} is odd, and the two ends feed micro-batches in pairs", l.pipeline);
    if (n_micro_batches(task, l) < 2 * l.pipeline) {
      return error("dualpipe: {} micro-batches a step, and pp{} needs at least {}", n_micro_batches(task, l), l.pipeline,
                   2 * l.pipeline);
    }
  }
  if (l.zero_stage == 3 && l.pipeline > 1)
    return error("zero3: weights are fetched for every micro-batch, which pp{} defeats", l.pipeline);
  return {};
}

Seconds bubble(const Layout& l, Seconds forward, Seconds backward, Seconds weight_part) {
  double stages = static_cast<double>(l.pipeline);
  if (l.pipeline == 1) return Seconds(0);
  switch (l.schedule) {
    case PipelineSchedule::k1F1B:
      return (stages - 1) * (forward + backward);
    case PipelineSchedule::kInterleaved:
      return (stages - 1) / static_cast<double>(l.n_chunks) * (forward + backward);
    case PipelineSchedule::kZeroBubble:
      return (stages - 1) * (forward + backward - 2 * weight_part);
    case PipelineSchedule::kDualPipe:
      // A forward chunk runs beside a backward chunk in the time of both.
      return (stages / 2 - 1) * (forward + backward + backward - 3 * weight_part);
  }
  return Seconds(0);
}

double n_in_flight(const Layout& l, int64_t n_micro) {
  double stages = static_cast<double>(l.pipeline), n = static_cast<double>(n_micro);
  if (l.pipeline == 1) return 1;
  if (l.schedule == PipelineSchedule::kDualPipe) return std::min(n, stages + 1);
  if (l.schedule == PipelineSchedule::kInterleaved) {
    return std::min(n, stages * (1 + (stages - 1) / (stages * static_cast<double>(l.n_chunks))));
  }
  return std::min(n, stages);
}

}  // namespace minke::plan
