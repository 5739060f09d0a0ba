#include "plan/answers/train_answer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "plan/cost.h"
#include "plan/shape/compute.h"
#include "plan/shape/parameters.h"

namespace minke::plan {
namespace {

constexpr double kDefaultStepTokens = 16e6;  // of a large run; Llama 3 405B

// Everything that differs between the corners.
struct TrainFigures {
  double step_s = 0, tokens_per_day = 0, mfu = 0, tflops = 0, goodput = 0, days = 0, device_hours = 0, energy_mwh = 0,
         tonnes = 0, run_usd = 0, programme_usd = 0, fleet_usd = 0, owned_usd_per_hour = 0;
};

Result<TrainingTask> task_of(const TrainQuestion& q) {
  if (q.n_devices < 1) return error("no devices: --on NxDEVICE needs at least one");
  if (q.seq_len < 1 || q.seq_len > q.config.max_seq_len) {
    return error("--seq {}: {} has a context of {}", q.seq_len, q.model_name, q.config.max_seq_len);
  }
  TrainingTask task;
  task.config = q.config;
  task.seq_len = q.seq_len;
  task.with_mtp = q.with_mtp;
  task.device = q.device;
  task.n_devices = q.n_devices;
  bool takes_fp8 = q.config.fp8_block_rows > 0 && q.device.fp8.value() > 0;
  task.precision = q.precision.value_or(takes_fp8 ? Precision::kFp8 : Precision::kBf16);
  task.n_sequences = q.n_sequences;
  if (task.n_sequences == 0) {
    double least = kDefaultStepTokens / static_cast<double>(q.seq_len * q.n_devices);
    task.n_sequences = q.n_devices * std::max<int64_t>(1, static_cast<int64_t>(std::ceil(least)));
  }
  return task;
}

struct Timed {
  Seconds step;
  std::optional<LayoutChoice> choice;
};

// The step at a corner. The layout is the one that is fastest at the likely corner.
Result<Timed> time_step(const TrainQuestion& q, const TrainingTask& task, const std::optional<Layout>& layout,
                        const Tables& tables, Corner corner, Working& working) {
  FlopsPerToken flops = training_flops(task.config, task.seq_len, AttentionCount::kCausal);
  if (q.tflops) {
    if (!q.layout.empty()) return error("--tflops and --layout contradict each other: a given rate is not timed by a layout");
    return Timed{task.step_tokens() * flops / (teraflops(*q.tflops) * static_cast<double>(task.n_devices)), std::nullopt};
  }
  TrainingRates rates = training_rates(task, tables, corner, working);
  Bytes usable = usable_memory(task.device, tables, working);
  LayoutChoice choice;
  if (layout) {
    choice = TRY(use_layout(task, *layout, rates, usable));
  } else {
    choice = TRY(search_layout(task, rates, usable));
  }
  return Timed{choice.step.total(), choice};
}

double goodput_at(const TrainQuestion& q, const Tables& tables, Corner corner, Working& working) {
  if (q.goodput) return *q.goodput;
  Reliability r;
  r.device_mtbf = hours(tables.factor("fail.device-mtbf-hours", corner, working));
  r.save = Seconds(tables.factor("fail.save-seconds", corner, working));
  r.restart = Seconds(tables.factor("fail.restart-seconds", corner, working));
  double share = goodput(r, static_cast<double>(q.n_devices));
  working.step(
      "share of time that makes progress", "1 - save/interval - interval/(2 MTBF) - restart/MTBF",
      fmt::format("MTBF of the job {:.4g} h, interval {:.4g} s", in_hours(job_mtbf(r, static_cast<double>(q.n_devices))),
                  checkpoint_interval(r, static_cast<double>(q.n_devices)).value()),
      fmt::format("{:.4f}", share));
  return share;
}

void add_money(TrainFigures& f, const TrainQuestion& q, const Tables& tables, Corner corner, Working& working) {
  const DevicePrice* rental = tables.rental(q.device.name);
  if (q.usd_per_hour || rental != nullptr) {
    double rate = q.usd_per_hour.value_or(rental != nullptr ? rental->usd.at(corner, false) : 0);
    working.input(fmt::format("price of {}", q.device.name), fmt::format("{:.4g} $/h", rate),
                  q.usd_per_hour ? "stated" : source_text(rental->source));
    f.run_usd = (usd_per_hour(rate) * hours(f.device_hours)).value();
    double multiplier = q.programme ? *q.programme : tables.factor("programme.multiplier", corner, working);
    if (q.programme) working.input("experiments and failed runs", fmt::format("x {:.3g}", multiplier), "stated");
    f.programme_usd = multiplier * f.run_usd;
    working.step("final run", "device-hours x price", fmt::format("{:.5g} h x {:.4g} $/h", f.device_hours, rate),
                 fmt::format("{:.5g} $", f.run_usd));
    working.step("programme", "final run x experiments and failed runs",
                 fmt::format("{:.5g} $ x {:.3g}", f.run_usd, multiplier), fmt::format("{:.5g} $", f.programme_usd));
  }
  const DevicePrice* purchase = tables.purchase(q.device.name);
  if (purchase == nullptr) return;
  Ownership o;
  o.purchase = Usd(purchase->usd.at(corner, false));
  o.extra_share = tables.factor("own.extra-share", corner, working);
  o.years = tables.factor("own.years", corner, working);
  o.interest = tables.factor("own.interest", corner, working);
  o.upkeep_share = tables.factor("own.upkeep-share", corner, working);
  o.watts = q.device.watts;
  o.pue = tables.factor("power.pue", corner, working);
  o.electricity = usd_per_kwh(tables.factor("power.usd-per-kwh", corner, working));
  working.input(fmt::format("purchase of {}", q.device.name), fmt::format("{:.5g} $", o.purchase.value()),
                source_text(purchase->source));
  f.owned_usd_per_hour = ownership_rate(o).value() * 3600;
  f.fleet_usd = o.purchase.value() * (1 + o.extra_share) * static_cast<double>(q.n_devices);
  working.step("fleet", "devices x purchase x (1 + network and building)",
               fmt::format("{} x {:.5g} $ x {:.3g}", q.n_devices, o.purchase.value(), 1 + o.extra_share),
               fmt::format("{:.5g} $", f.fleet_usd));
}

TrainFigures figures_at(const TrainQuestion& q, const TrainingTask& task, Seconds step, const Tables& tables, Corner corner,
                   Working& working) {
  double n = static_cast<double>(q.n_devices);
  FlopsPerToken flops = training_flops(task.config, task.seq_len, AttentionCount::kCausal);
  TokensPerS rate = task.step_tokens() / step;
  TrainFigures f;
  f.step_s = step.value();
  f.tokens_per_day = (rate * days(1)).value();
  f.tflops = (rate * flops).value() / n / 1e12;
  f.mfu = f.tflops * 1e12 / q.device.bf16.value();
  f.goodput = goodput_at(q, tables, corner, working);
  Seconds wall = q.tokens / rate / f.goodput + hours(q.extra_hours / n);
  f.days = in_days(wall);
  f.device_hours = in_hours(wall) * n;
  working.step("device-hours", "tokens / (tokens/s) / progress x devices + extra hours",
               fmt::format("{:.4g} / {:.5g} / {:.4f} x {} + {:.4g}", q.tokens.value(), rate.value(), f.goodput, q.n_devices,
                           q.extra_hours),
               fmt::format("{:.5g} h", f.device_hours));
  double load = tables.factor("power.load", corner, working), pue = tables.factor("power.pue", corner, working);
  Joules energy = energy_used(hours(f.device_hours), q.device.watts, load, pue);
  f.energy_mwh = in_kwh(energy) / 1e3;
  f.tonnes = tonnes_co2(energy, tables.factor("power.kg-per-kwh", corner, working));
  working.step("energy", "device-hours x watts x load x PUE",
               fmt::format("{:.5g} h x {:.4g} W x {:.3g} x {:.3g}", f.device_hours, q.device.watts.value(), load, pue),
               fmt::format("{:.5g} MWh", f.energy_mwh));
  add_money(f, q, tables, corner, working);
  return f;
}

void explain_step(const TrainQuestion& q, const TrainingTask& task, const Timed& timed, Working& working) {
  const ModelConfig& c = task.config;
  ModelParameters p = model_parameters(c);
  working.input("model", q.model_name, q.model_source);
  working.input("device", q.device.name, source_text(q.device.source));
  double linear = linear_flops(c).value(), attention = attention_flops(c, static_cast<double>(task.seq_len) / 2).value();
  working.step("operations for a token", "3 x (2 x active matrices + 2 x keys x layers x heads x (d_qk + d_v))",
               fmt::format("3 x (2 x {:.5g} + 2 x {} x {} x {} x {})", static_cast<double>(p.active_matmul), task.seq_len / 2,
                           c.n_layers, c.n_heads, c.qk_head_dim() + c.value_head_dim()),
               fmt::format("{:.5g} FLOP", 3 * (linear + attention)));
  if (!timed.choice) {
    working.step("step", "operations / (rate x devices)", fmt::format("rate {:.4g} TFLOPS, stated", *q.tflops),
                 fmt::format("{:.4g} s", timed.step.value()));
    return;
  }
  const StepTime& s = timed.choice->step;
  working.step("micro-batch", "forward, backward of the fullest stage", layout_text(timed.choice->layout),
               fmt::format("{:.4g} s, {:.4g} s", s.forward.value(), s.backward.value()));
  working.step("exchanges not hidden", "tensor + context + pipeline + expert + weights + gradients",
               fmt::format("{:.3g} + {:.3g} + {:.3g} + {:.3g} + {:.3g} + {:.3g}", s.tensor_comm.value(), s.context_comm.value(),
                           s.pipeline_comm.value(), s.expert_comm.value(), s.weight_comm.value(), s.gradient_comm.value()),
               fmt::format("{:.4g} s", s.exchanges().value()));
  working.step("step", "compute + exchanges + bubble + optimizer",
               fmt::format("{:.4g} + {:.4g} + {:.3g} + {:.3g}", s.compute.value(), s.exchanges().value(), s.bubble.value(),
                           s.optimizer.value()),
               fmt::format("{:.4g} s", s.total().value()));
}

}  // namespace

Range range_of(double a, double likely, double b) { return {std::min(a, b), likely, std::max(a, b)}; }

Result<TrainAnswer> answer_training(const TrainQuestion& q, const Tables& tables) {
  TrainingTask task = TRY(task_of(q));
  std::optional<Layout> layout;
  if (!q.layout.empty()) layout = TRY(parse_layout(q.layout, {}));
  TrainAnswer answer;
  Timed likely = TRY(time_step(q, task, layout, tables, Corner::kLikely, answer.working));
  if (likely.choice) layout = likely.choice->layout;
  explain_step(q, task, likely, answer.working);
  TrainFigures middle = figures_at(q, task, likely.step, tables, Corner::kLikely, answer.working);
  std::array<TrainFigures, 2> ends;
  for (size_t i = 0; i < 2; i++) {
    Corner corner = i == 0 ? Corner::kLow : Corner::kHigh;
    Working unused;
    Timed timed = TRY(time_step(q, task, layout, tables, corner, unused));
    ends[i] = figures_at(q, task, timed.step, tables, corner, unused);
  }
  auto range = [&](double TrainFigures::*figure) { return range_of(ends[0].*figure, middle.*figure, ends[1].*figure); };
  answer.precision = task.precision;
  answer.n_sequences = task.n_sequences;
  answer.choice = likely.choice;
  answer.usable_memory = usable_memory(task.device, tables, answer.working);
  answer.flops_per_token = training_flops(task.config, task.seq_len, AttentionCount::kCausal);
  answer.step_s = range(&TrainFigures::step_s);
  answer.tokens_per_day = range(&TrainFigures::tokens_per_day);
  answer.mfu = range(&TrainFigures::mfu);
  answer.tflops = range(&TrainFigures::tflops);
  answer.goodput = range(&TrainFigures::goodput);
  answer.days = range(&TrainFigures::days);
  answer.device_hours = range(&TrainFigures::device_hours);
  answer.energy_mwh = range(&TrainFigures::energy_mwh);
  answer.tonnes_co2 = range(&TrainFigures::tonnes);
  answer.run_usd = range(&TrainFigures::run_usd);
  answer.programme_usd = range(&TrainFigures::programme_usd);
  answer.fleet_usd = range(&TrainFigures::fleet_usd);
  answer.owned_usd_per_hour = range(&TrainFigures::owned_usd_per_hour);
  answer.has_price = q.usd_per_hour || tables.rental(q.device.name) != nullptr;
  answer.has_purchase = tables.purchase(q.device.name) != nullptr;
  return answer;
}

}  // namespace minke::plan
