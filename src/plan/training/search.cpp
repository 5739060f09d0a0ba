#include "plan/training/search.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

namespace minke::plan {
namespace {

std::vector<int64_t> divisors(int64_t n, int64_t max) {
  std::vector<int64_t> out;
  for (int64_t d = 1; d <= std::min(n, max); d++) {
    if (n % d == 0) out.push_back(d);
  }
  return out;
}

// Schedules, chunks, ZeRO stages, micro-batches and recomputation for given ways.
void visit_options(const TrainingTask& task, Layout layout, const std::function<void(const Layout&)>& visit) {
  auto with_schedule = [&](PipelineSchedule schedule, int64_t n_chunks) {
    layout.schedule = schedule;
    layout.n_chunks = n_chunks;
    for (int zero : {1, 3}) {
      layout.zero_stage = zero;
      for (int64_t micro_batch : {1, 2, 4}) {
        layout.micro_batch = micro_batch;
        for (Recomputation r : {Recomputation::kNone, Recomputation::kSelective, Recomputation::kFull}) {
          layout.recomputation = r;
          if (check_layout(task, layout)) visit(layout);
        }
      }
    }
  };
  with_schedule(PipelineSchedule::k1F1B, 1);
  if (layout.pipeline == 1) return;
  for (int64_t chunks : {2, 4, 8}) with_schedule(PipelineSchedule::kInterleaved, chunks);
  with_schedule(PipelineSchedule::kZeroBubble, 1);
  if (task.config.moe.n_routed_experts > 0) with_schedule(PipelineSchedule::kDualPipe, 1);
}

void visit_layouts(const TrainingTask& task, const std::function<void(const Layout&)>& visit) {
  const ModelConfig& c = task.config;
  constexpr int64_t kMaxContext = 16;
  for (int64_t tensor : divisors(task.n_devices, std::max<int64_t>(1, task.device.scale_up_size))) {
    if (c.n_heads % tensor != 0) continue;
    for (int64_t pipeline : divisors(task.n_devices / tensor, c.n_layers)) {
      for (int64_t context : divisors(task.n_devices / tensor / pipeline, kMaxContext)) {
        Layout layout;
        layout.tensor = tensor;
        layout.pipeline = pipeline;
        layout.context = context;
        layout.data = task.n_devices / (tensor * pipeline * context);
        if (task.n_sequences % layout.data != 0) continue;
        int64_t shared = tensor * context * layout.data;
        for (int64_t expert : divisors(std::max<int64_t>(1, c.moe.n_routed_experts), shared)) {
          if (shared % expert != 0) continue;
          layout.expert = expert;
          visit_options(task, layout, visit);
        }
      }
    }
  }
}

// How far apart two layouts are: doublings of each way, and one for every other difference.
double distance(const Layout& a, const Layout& b) {
  auto doublings = [](int64_t x, int64_t y) { return std::abs(std::log2(static_cast<double>(x) / static_cast<double>(y))); };
  double d = doublings(a.tensor, b.tensor) + doublings(a.pipeline, b.pipeline) + doublings(a.context, b.context) +
             doublings(a.expert, b.expert) + doublings(a.data, b.data) + doublings(a.micro_batch, b.micro_batch);
  return d + (a.schedule != b.schedule) + (a.n_chunks != b.n_chunks) + (a.zero_stage != b.zero_stage) +
         (a.recomputation != b.recomputation);
}

std::string gb(Bytes bytes) { return fmt::format("{:.1f} GB", bytes.value() / 1e9); }

Status check_memory(const TrainingTask& task, const Layout& layout, Bytes usable) {
  TrainingMemory m = training_memory(task, layout);
  if (m.total() <= usable) return {};
  return error("{} are needed on each {} (weights {}, gradients {}, optimizer {}, activations {}, logits {}), {} are usable",
               gb(m.total()), task.device.name, gb(m.weights), gb(m.gradients), gb(m.optimizer), gb(m.activations),
               gb(m.logits), gb(usable));
}

Status check_task(const TrainingTask& task) {
  if (task.device.peak(task.precision).value() <= 0) {
    return error("{} has no {} unit in the tables; --precision bf16 works everywhere", task.device.name,
                 task.precision == Precision::kFp8 ? "FP8" : "INT8");
  }
  if (task.n_devices > task.device.scale_up_size && task.device.scale_out.value() <= 0) {
    return error("{} {}: their fast links connect {}, and the tables have no network between nodes for them", task.n_devices,
                 task.device.name, task.device.scale_up_size);
  }
  if (task.with_mtp && task.config.n_mtp_layers == 0) return error("--mtp: the model has no modules of multi-token prediction");
  return {};
}

}  // namespace

Bytes usable_memory(const Device& device, const Tables& tables, Working& working) {
  return device.memory * tables.factor("memory.usable", Corner::kLikely, working);
}

Result<LayoutChoice> search_layout(const TrainingTask& task, const TrainingRates& rates, Bytes usable) {
  TRY(check_task(task));
  std::optional<LayoutChoice> best;
  std::optional<Layout> frugal;
  Bytes least;
  visit_layouts(task, [&](const Layout& layout) {
    TrainingMemory memory = training_memory(task, layout);
    if (!frugal || memory.total() < least) {
      frugal = layout;
      least = memory.total();
    }
    if (memory.total() > usable) return;
    StepTime step = step_time(task, layout, rates);
    if (!best || step.total() < best->step.total()) best = LayoutChoice{layout, step, memory};
  });
  if (best) return *best;
  if (!frugal) {
    return error("no layout of {} {} divides {} sequences a step evenly; choose --batch as a multiple of a divisor of {}",
                 task.n_devices, task.device.name, task.n_sequences, task.n_devices);
  }
  Status lacks = check_memory(task, *frugal, usable);
  return error("no layout fits {} {}: even {} does not: {}; use more devices or ones with more memory", task.n_devices,
               task.device.name, layout_text(*frugal), lacks.error().message);
}

Result<LayoutChoice> use_layout(const TrainingTask& task, const Layout& wanted, const TrainingRates& rates, Bytes usable) {
  TRY(check_task(task));
  Status fits = check_layout(task, wanted);
  if (fits) fits = check_memory(task, wanted, usable);
  if (fits) return LayoutChoice{wanted, step_time(task, wanted, rates), training_memory(task, wanted)};
  std::optional<Layout> nearest;
  visit_layouts(task, [&](const Layout& layout) {
    if (nearest && distance(layout, wanted) >= distance(*nearest, wanted)) return;
    if (training_memory(task, layout).total() <= usable) nearest = layout;
  });
  if (!nearest)
    return error("layout {}: {}; no other layout of these devices works either", layout_text(wanted), fits.error().message);
  return error("layout {}: {}; the nearest that works: {}", layout_text(wanted), fits.error().message, layout_text(*nearest));
}

}  // namespace minke::plan
