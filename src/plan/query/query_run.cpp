// Questions about training runs: rates, hours, money, energy, failures.
#include <array>

#include "plan/cost.h"
#include "plan/query/query.h"
#include "plan/shape/compute.h"
#include "plan/training/search.h"

namespace minke::plan {
namespace {

double in_usd_per_hour(UsdPerS rate) { return rate.value() * 3600; }

// Tokens of a step and its seconds: tokens a day, and the share of the peak.
Result<QueryOutputs> rate(QueryInputs& in, const QueryContext& context) {
  std::string model_name = in.text("model"), device_name = in.text("device");
  int64_t n_devices = in.integer("devices"), n_sequences = in.integer("sequences"), seq_len = in.integer("seq_len");
  Seconds step(in.number("step_s"));
  TRY(in.done());
  ModelRow model = TRY(context.tables.model(model_name));
  Device device = TRY(context.tables.device(device_name));
  TokensPerS tokens = Tokens(static_cast<double>(n_sequences * seq_len)) / step;
  FlopsPerS peak = device.bf16 * static_cast<double>(n_devices);
  FlopsPerS causal = tokens * training_flops(model.config, seq_len, AttentionCount::kCausal);
  FlopsPerS full = tokens * training_flops(model.config, seq_len, AttentionCount::kFull);
  return QueryOutputs{{"tokens_per_day", (tokens * days(1)).value()},
                      {"mfu_causal", causal / peak},
                      {"mfu_full", full / peak},
                      {"tflops_causal", causal.value() / static_cast<double>(n_devices) / 1e12},
                      {"tflops_full", full.value() / static_cast<double>(n_devices) / 1e12}};
}

// A rate in tokens a day on so many devices: hours and money of a run of `tokens`, with extra hours of other stages.
Result<QueryOutputs> cost(QueryInputs& in, const QueryContext&) {
  double per_day = in.number("tokens_per_day"), n_devices = in.number("devices"), tokens = in.number("tokens");
  double extra = in.number_or("extra_hours", 0), price = in.number("usd_per_hour");
  TRY(in.done());
  TokensPerS rate = Tokens(per_day) / days(1);
  Seconds run = Tokens(tokens) / rate, trillion = Tokens(1e12) / rate;
  double run_hours = in_hours(run) * n_devices;
  Usd money = usd_per_hour(price) * hours(run_hours + extra);
  return QueryOutputs{{"hours_per_trillion", in_hours(trillion) * n_devices},
                      {"days_per_trillion", in_days(trillion)},
                      {"run_hours", run_hours},
                      {"total_hours", run_hours + extra},
                      {"usd", money.value()},
                      {"days", in_days(run)}};
}

// Wall-clock hours of up to three stages on the same devices.
Result<QueryOutputs> stages(QueryInputs& in, const QueryContext&) {
  double n_devices = in.number("devices");
  double wall = in.number("hours_1") + in.number_or("hours_2", 0) + in.number_or("hours_3", 0);
  double extra = in.number_or("extra_hours", 0), price = in.number("usd_per_hour");
  TRY(in.done());
  double device_hours = n_devices * wall + extra;
  return QueryOutputs{{"device_hours", device_hours}, {"usd", (usd_per_hour(price) * hours(device_hours)).value()}};
}

// Device-hours at a given rate of model operations.
Result<QueryOutputs> run_hours(QueryInputs& in, const QueryContext& context) {
  std::string model_name = in.text("model");
  double tokens = in.number("tokens"), tflops = in.number("tflops"), share = in.number_or("goodput", 1);
  int64_t seq_len = in.integer("seq_len");
  TRY(in.done());
  ModelRow model = TRY(context.tables.model(model_name));
  Flops work = Tokens(tokens) * training_flops(model.config, seq_len, AttentionCount::kCausal);
  return QueryOutputs{{"flops", work.value()}, {"device_hours", in_hours(work / teraflops(tflops)) / share}};
}

// A run whose operations and seconds are known.
Result<QueryOutputs> measured(QueryInputs& in, const QueryContext& context) {
  Flops work(in.number("flops"));
  std::string device_name = in.text("device");
  double n_devices = in.number("devices"), per_node = in.number("devices_per_node"), price = in.number("usd_per_node_hour");
  Seconds wall(in.number("seconds"));
  TRY(in.done());
  Device device = TRY(context.tables.device(device_name));
  FlopsPerS each = work / wall / n_devices;
  return QueryOutputs{{"hours", in_hours(wall)},
                      {"tflops", each.value() / 1e12},
                      {"mfu", each / device.bf16},
                      {"usd", (usd_per_hour(price) * wall * (n_devices / per_node)).value()}};
}

Result<QueryOutputs> energy(QueryInputs& in, const QueryContext&) {
  double device_hours = in.number("device_hours"), watts = in.number("watts"), kg = in.number("kg_per_kwh");
  double load = in.number_or("load", 1), pue = in.number_or("pue", 1);
  TRY(in.done());
  Joules used = energy_used(hours(device_hours), Watts(watts), load, pue);
  return QueryOutputs{{"gwh", in_kwh(used) / 1e6}, {"tonnes_co2", tonnes_co2(used, kg)}};
}

Result<QueryOutputs> failures(QueryInputs& in, const QueryContext&) {
  double n_devices = in.number("devices"), n_faults = in.number("faults"), wall_days = in.number("days");
  Reliability reliability;
  reliability.save = Seconds(in.number_or("save_s", 0));
  reliability.restart = Seconds(in.number_or("restart_s", 0));
  TRY(in.done());
  reliability.device_mtbf = n_devices * days(wall_days) / n_faults;
  return QueryOutputs{{"hours_between", in_hours(job_mtbf(reliability, n_devices))},
                      {"device_mtbf_hours", in_hours(reliability.device_mtbf)},
                      {"goodput", goodput(reliability, n_devices)}};
}

Result<QueryOutputs> owned(QueryInputs& in, const QueryContext&) {
  Ownership o;
  o.purchase = Usd(in.number("usd"));
  o.extra_share = in.number_or("extra_share", 0);
  o.years = in.number("years");
  o.interest = in.number_or("interest", 0);
  o.upkeep_share = in.number_or("upkeep_share", 0);
  o.utilisation = in.number_or("utilisation", 1);
  o.watts = Watts(in.number("watts"));
  o.pue = in.number_or("pue", 1);
  o.electricity = usd_per_kwh(in.number("usd_per_kwh"));
  TRY(in.done());
  return QueryOutputs{{"usd_per_hour", in_usd_per_hour(ownership_rate(o))}};
}

// The step that the planner predicts for a layout, or for the one that it finds.
Result<QueryOutputs> step(QueryInputs& in, const QueryContext& context) {
  std::string model_name = in.text("model"), device_name = in.text("device"), layout_words = in.text_or("layout", "");
  std::string precision = in.text("precision");
  TrainingTask task;
  task.n_devices = in.integer("devices");
  task.n_sequences = in.integer("sequences");
  task.seq_len = in.integer("seq_len");
  task.with_mtp = in.flag_or("mtp", false);
  TRY(in.done());
  if (precision != "bf16" && precision != "fp8") return error("precision \"{}\": expected bf16 or fp8", precision);
  task.precision = precision == "fp8" ? Precision::kFp8 : Precision::kBf16;
  ModelRow model = TRY(context.tables.model(model_name));
  task.config = model.config;
  task.device = TRY(context.tables.device(device_name));
  TrainingRates rates = training_rates(task, context.tables, Corner::kLikely, context.working);
  Bytes usable = usable_memory(task.device, context.tables, context.working);
  LayoutChoice choice;
  if (layout_words.empty()) {
    choice = TRY(search_layout(task, rates, usable));
  } else {
    Layout layout = TRY(parse_layout(layout_words, {}));
    choice = TRY(use_layout(task, layout, rates, usable));
  }
  TokensPerS tokens = task.step_tokens() / choice.step.total();
  FlopsPerS work = tokens * training_flops(task.config, task.seq_len, AttentionCount::kCausal);
  double n = static_cast<double>(task.n_devices);
  return QueryOutputs{{"step_s", choice.step.total().value()},
                      {"tokens_per_s_per_device", tokens.value() / n},
                      {"tflops", work.value() / n / 1e12},
                      {"hours_per_trillion", in_hours(Tokens(1e12) / tokens) * n},
                      {"memory_gb", choice.memory.total().value() / 1e9}};
}

constexpr std::array<Query, 9> kRunQueries = {{{"run.rate", "tokens a day and share of the peak of a measured step", rate},
                                            {"run.cost", "hours and dollars of tokens at a rate", cost},
                                            {"run.stages", "hours and dollars of stages on the same devices", stages},
                                            {"run.hours", "device-hours of tokens at a rate of operations", run_hours},
                                            {"run.measured", "rate and dollars of a run with known operations", measured},
                                            {"run.energy", "energy and CO2 of device-hours", energy},
                                            {"run.failures", "hours between failures", failures},
                                            {"run.owned", "dollars an hour of owned hardware", owned},
                                            {"run.step", "the step that the planner predicts", step}}};

}  // namespace

std::span<const Query> run_queries() { return kRunQueries; }

}  // namespace minke::plan
