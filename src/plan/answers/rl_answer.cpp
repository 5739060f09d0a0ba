#include "plan/answers/rl_answer.h"

#include <algorithm>
#include <array>

#include "plan/serving/roofline.h"
#include "plan/shape/compute.h"

namespace minke::plan {
namespace {

struct RlFigures {
  double writing = 0, scoring = 0, learning = 0, days = 0, device_hours = 0, usd = 0, rate = 0;
  bool waits = false;
};

ServingUnit unit_of(const RlQuestion& q) {
  ServingUnit unit;
  unit.config = q.config;
  unit.device = q.device;
  unit.weight_bits = q.weight_bits;
  unit.runs_eight_bit = q.device.eight_bit().has_value();
  return unit;
}

// Tokens/s of a device when all answers are under way: the size of unit that writes fastest.
Result<double> writing_rate(const RlQuestion& q, const Tables& tables, Corner corner, Working& working) {
  ServingUnit unit = unit_of(q);
  ServingRates rates = TRY(serving_rates(unit, tables, corner, working));
  double per_device = std::max(1.0, q.answers_per_round / static_cast<double>(q.n_devices)), best = 0;
  Status last = error("{} devices are too few", q.n_devices);
  for (int64_t n = 1; n <= q.n_devices; n *= 2) {
    unit.n_devices = n;
    Status fits = check_unit(unit, rates);
    if (!fits) {
      last = fits;
      continue;
    }
    double context = q.prompt_tokens + q.answer_tokens / 2;
    double most = kv_capacity(unit, rates).value() / context;
    double n_sequences = std::min(most, per_device * static_cast<double>(n));
    if (n_sequences < 1) continue;
    best = std::max(best, decode_step(unit, rates, n_sequences, context).total().value() / static_cast<double>(n));
  }
  if (best == 0) return error("{} on {} {}: {}", q.model_name, q.n_devices, q.device.name, last.error().message);
  return best;
}

Result<RlFigures> figures_at(const RlQuestion& q, const Tables& tables, Corner corner, Working& working) {
  TrainingTask task;
  task.config = q.config;
  task.device = q.device;
  task.precision = q.config.fp8_block_rows > 0 && q.device.fp8.value() > 0 ? Precision::kFp8 : Precision::kBf16;
  RlTask rl;
  rl.n_rounds = q.n_rounds;
  rl.answers_per_round = q.answers_per_round;
  rl.prompt = Tokens(q.prompt_tokens);
  rl.answer = Tokens(q.answer_tokens);
  rl.cap = Tokens(q.cap_tokens);
  rl.tail = tables.factor("rl.tail", corner, working);
  rl.n_devices = static_cast<double>(q.n_devices);
  double rate = TRY(writing_rate(q, tables, corner, working));
  rl.writing_rate = TokensPerS(rate);
  rl.stream_rate = TokensPerS(tables.factor("rl.stream-rate", q.device.device_class, corner, working));
  rl.forward = linear_flops(q.config) + attention_flops(q.config, q.prompt_tokens + q.answer_tokens / 2);
  rl.learning_rate = training_rates(task, tables, corner, working).linear;
  RlTime time = rl_time(rl);
  RlFigures f;
  f.writing = in_hours(time.writing);
  f.scoring = in_hours(time.scoring);
  f.learning = in_hours(time.learning);
  f.days = in_days(time.total());
  f.device_hours = in_hours(time.total()) * rl.n_devices;
  f.rate = rate;
  f.waits = time.waits_for_longest;
  double longest = std::min(q.cap_tokens, q.answer_tokens * rl.tail);
  working.step("writing a round", "max(answers x tokens / (rate x devices), longest / rate of a stream)",
               fmt::format("max({:.4g} x {:.4g} / ({:.4g} x {}), {:.4g} / {:.3g})", q.answers_per_round, q.answer_tokens, rate,
                           q.n_devices, longest, rl.stream_rate.value()),
               fmt::format("{:.4g} s", time.writing.value() / q.n_rounds));
  working.step("learning from a round", "(3 + scorings) x tokens x forward / (rate x devices)",
               fmt::format("(3 + {:.0f}) x {:.4g} x {:.4g} / ({:.4g} x {})", rl.n_scorings,
                           q.answers_per_round * (q.prompt_tokens + q.answer_tokens), rl.forward.value(),
                           rl.learning_rate.value(), q.n_devices),
               fmt::format("{:.4g} s", (time.scoring + time.learning).value() / q.n_rounds));
  const DevicePrice* rental = tables.rental(q.device.name);
  if (!q.usd_per_hour && rental == nullptr) return f;
  double price = q.usd_per_hour.value_or(rental != nullptr ? rental->usd.at(corner, false) : 0);
  working.input(fmt::format("price of {}", q.device.name), fmt::format("{:.4g} $/h", price),
                q.usd_per_hour ? "stated" : source_text(rental->source));
  f.usd = (usd_per_hour(price) * hours(f.device_hours)).value();
  return f;
}

}  // namespace

Result<RlAnswer> answer_rl(const RlQuestion& q, const Tables& tables) {
  if (q.n_devices < 1) return error("no devices: --on NxDEVICE needs at least one");
  if (q.answer_tokens > q.cap_tokens) {
    return error("--answer {:.0f} and --cap {:.0f} contradict each other: no answer is longer than the cap", q.answer_tokens,
                 q.cap_tokens);
  }
  RlAnswer a;
  a.working.input("model", q.model_name, q.model_source);
  a.working.input("device", q.device.name, source_text(q.device.source));
  std::array<RlFigures, 3> at;
  for (size_t i = 0; i < 3; i++) {
    Working unused;
    Corner corner = i == 0 ? Corner::kLow : i == 1 ? Corner::kLikely : Corner::kHigh;
    at[i] = TRY(figures_at(q, tables, corner, i == 1 ? a.working : unused));
  }
  auto range = [&](double RlFigures::*figure) { return range_of(at[0].*figure, at[1].*figure, at[2].*figure); };
  a.writing_hours = range(&RlFigures::writing);
  a.scoring_hours = range(&RlFigures::scoring);
  a.learning_hours = range(&RlFigures::learning);
  a.days = range(&RlFigures::days);
  a.device_hours = range(&RlFigures::device_hours);
  a.usd = range(&RlFigures::usd);
  a.writing_per_device = range(&RlFigures::rate);
  a.waits_for_longest = at[1].waits;
  a.has_price = q.usd_per_hour || tables.rental(q.device.name) != nullptr;
  return a;
}

}  // namespace minke::plan
