#include "plan/answers/run_answer.h"

#include <array>

#include "plan/answers/train_answer.h"
#include "plan/shape/compute.h"
#include "plan/shape/parameters.h"

namespace minke::plan {
namespace {

constexpr std::array<Corner, 3> kCorners = {Corner::kLow, Corner::kLikely, Corner::kHigh};

RunAnswer on_own_machine(const RunQuestion& q, const OwnMachine& own, const Tables& tables) {
  double cache = kv_bytes_per_token(q.model.config, 2).value() * q.context;
  RunAnswer a;
  a.memory_bytes = q.model.weight_bytes + cache;
  a.usable_bytes = own.usable_bytes;
  a.has_prefill = own.compute_gops > 0;
  a.working.input("reading", fmt::format("{:.4g} GB/s", own.read_gb_per_s), own.source);
  if (a.has_prefill) a.working.input("computing", fmt::format("{:.4g} GOP/s", own.compute_gops), own.source);
  std::array<double, 3> decode{}, prefill{};
  for (size_t i = 0; i < kCorners.size(); i++) {
    bool is_likely = kCorners[i] == Corner::kLikely;
    Working unused;
    LocalRates rates = own_rates(gigabytes_per_s(own.read_gb_per_s), FlopsPerS(own.compute_gops * 1e9), tables, kCorners[i],
                                 is_likely ? a.working : unused);
    Seconds token = own_token_time(Bytes(q.model.read_bytes), Bytes(cache), rates);
    decode[i] = 1 / token.value();
    // Attention of a prompt of that length: half of it is seen on average.
    Flops prompt(q.model.operations + attention_flops(q.model.config, q.context / 2).value());
    prefill[i] = a.has_prefill ? 1 / (prompt / rates.compute).value() : 0;
    if (!is_likely) continue;
    a.working.step(
        "seconds a token", "weights / (share x reading) + cache / (share x reading)",
        fmt::format("{:.4g} / {:.4g} + {:.4g} / {:.4g}", q.model.read_bytes, rates.weights.value(), cache, rates.cache.value()),
        fmt::format("{:.4g} s = {:.4g} tokens/s", token.value(), decode[i]));
    if (!a.has_prefill) continue;
    a.working.step("prompt, tokens a second", "share x computing / operations",
                   fmt::format("{:.4g} / {:.4g}", rates.compute.value(), prompt.value()), fmt::format("{:.4g}", prefill[i]));
  }
  a.decode = range_of(decode[0], decode[1], decode[2]);
  a.prefill = range_of(prefill[0], prefill[1], prefill[2]);
  return a;
}

Result<RunAnswer> on_device(const RunQuestion& q, const Tables& tables) {
  LocalTask task;
  task.config = q.model.config;
  task.device = q.device;
  task.bits = q.model.bits;
  task.context = q.context;
  task.placement = q.placement;
  task.disk = q.disk;
  RunAnswer a;
  a.working.input("device", task.device.name, source_text(task.device.source));
  std::array<LocalPlan, 3> at;
  for (size_t i = 0; i < kCorners.size(); i++) {
    Working unused;
    at[i] = TRY(local_plan(task, tables, kCorners[i], kCorners[i] == Corner::kLikely ? a.working : unused));
  }
  a.decode = range_of(at[0].decode().value(), at[1].decode().value(), at[2].decode().value());
  a.prefill = range_of(at[0].prefill.value(), at[1].prefill.value(), at[2].prefill.value());
  a.memory_bytes = (at[1].weights + at[1].cache).value();
  a.usable_bytes = task.device.memory.value();
  a.disk_share = at[1].disk_share;
  return a;
}

}  // namespace

RunModel shaped_model(std::string name, const ModelConfig& config, double bits) {
  ModelParameters p = model_parameters(config);
  return {.name = std::move(name),
          .config = config,
          .weight_bytes = static_cast<double>(p.total()) * bits / 8,
          .read_bytes = static_cast<double>(p.active_matmul) * bits / 8,
          .operations = linear_flops(config, false).value(),
          .bits = bits};
}

Result<RunAnswer> answer_running(const RunQuestion& q, const Tables& tables) {
  if (q.own) return on_own_machine(q, *q.own, tables);
  return on_device(q, tables);
}

}  // namespace minke::plan
