// Questions about serving, one machine, and reinforcement learning.
#include <array>

#include "plan/cost.h"
#include "plan/local/local.h"
#include "plan/query/query.h"
#include "plan/serving/roofline.h"

namespace minke::plan {
namespace {

Result<QueryOutputs> exchange_ceiling(QueryInputs& in, const QueryContext&) {
  ExchangeCeiling e;
  e.n_tokens = in.number("tokens");
  e.fan = in.number("fan");
  e.hidden = in.number("hidden");
  e.bytes_per_value = in.number("bytes_per_value");
  e.n_layers = in.integer("layers");
  e.link = gigabytes_per_s(in.number("link_gb_per_s"));
  TRY(in.done());
  return QueryOutputs{{"exchange_us", exchange_of_layer_half(e).value() * 1e6},
                      {"token_ms", time_per_token(e).value() * 1e3},
                      {"tokens_per_s", 1 / time_per_token(e).value()}};
}

// A day of production: nodes, cost and revenue at list prices.
Result<QueryOutputs> day(QueryInputs& in, const QueryContext&) {
  double input = in.number("input_tokens"), hits = in.number_or("hit_tokens", 0), output = in.number("output_tokens");
  TokensPerS in_rate(in.number("input_per_node")), out_rate(in.number("output_per_node"));
  double per_node = in.number("devices_per_node"), price = in.number("usd_per_hour");
  double hit_price = in.number_or("hit_price", 0), miss_price = in.number("miss_price"), out_price = in.number("output_price");
  TRY(in.done());
  double nodes = Tokens(input) / in_rate / days(1) + Tokens(output) / out_rate / days(1);
  Usd cost = usd_per_hour(price) * days(1) * nodes * per_node;
  Usd revenue((hits * hit_price + (input - hits) * miss_price + output * out_price) / 1e6);
  return QueryOutputs{{"nodes", nodes}, {"usd", cost.value()}, {"revenue", revenue.value()}, {"margin", revenue / cost - 1}};
}

Result<QueryOutputs> price(QueryInputs& in, const QueryContext&) {
  UsdPerS rate = in.number("devices") * usd_per_hour(in.number("usd_per_hour"));
  TokensPerS tokens(in.number("tokens_per_s"));
  TRY(in.done());
  return QueryOutputs{{"usd_per_million", per_million(rate / tokens)}};
}

// Drafts that the model checks: either tokens a step as measured, or the chance that a draft is accepted.
Result<QueryOutputs> speculation(QueryInputs& in, const QueryContext& context) {
  double drafts = in.number("drafts"), tokens = in.number_or("tokens_per_step", 0), chance = in.number_or("acceptance", 0);
  TRY(in.done());
  if ((tokens > 0) == (chance > 0)) return error("give tokens_per_step or acceptance, one of them");
  if (tokens == 0) tokens = tokens_per_step(chance, drafts);
  double overhead = context.tables.factor("serve.draft-overhead", Corner::kLikely, context.working);
  return QueryOutputs{{"tokens_per_step", tokens}, {"speed_up", speculation_gain(tokens, drafts, overhead)}};
}

Result<QueryOutputs> local_decode(QueryInputs& in, const QueryContext& context) {
  std::string model_name = in.text("model"), device_name = in.text("device"), placement = in.text_or("placement", "device");
  LocalTask task;
  task.bits = in.number("bits");
  task.context = in.number_or("context", 0);
  TRY(in.done());
  if (placement != "device" && placement != "hybrid") return error("placement \"{}\": expected device or hybrid", placement);
  if (placement == "hybrid") task.placement = Placement::kHybrid;
  ModelRow model = TRY(context.tables.model(model_name));
  task.config = model.config;
  task.device = TRY(context.tables.device(device_name));
  LocalPlan plan = TRY(local_plan(task, context.tables, Corner::kLikely, context.working));
  return QueryOutputs{{"tokens_per_s", plan.decode().value()}, {"gb_per_token", plan.read.value() / 1e9}};
}

struct UnitInputs {
  std::string model, device;
  ServingUnit unit;
};

UnitInputs read_unit(QueryInputs& in) {
  UnitInputs u;
  u.model = in.text("model");
  u.device = in.text("device");
  u.unit.n_devices = in.integer("devices");
  u.unit.tensor = in.integer_or("tensor", 1);
  u.unit.weight_bits = in.number_or("weight_bits", 8);
  u.unit.kv_bytes = in.number_or("kv_bytes", 2);
  u.unit.runs_eight_bit = in.flag_or("eight_bit", true);
  return u;
}

Result<ServingRates> prepare(UnitInputs& u, const QueryContext& context) {
  ModelRow model = TRY(context.tables.model(u.model));
  u.unit.config = model.config;
  u.unit.device = TRY(context.tables.device(u.device));
  ServingRates rates = TRY(serving_rates(u.unit, context.tables, Corner::kLikely, context.working));
  TRY(check_unit(u.unit, rates));
  return rates;
}

Result<QueryOutputs> decode(QueryInputs& in, const QueryContext& context) {
  UnitInputs u = read_unit(in);
  double per_device = in.number("sequences_per_device"), length = in.number("context");
  TRY(in.done());
  ServingRates rates = TRY(prepare(u, context));
  double n = static_cast<double>(u.unit.n_devices);
  DecodePoint point = decode_step(u.unit, rates, per_device * n, length);
  return QueryOutputs{{"tokens_per_s_per_device", point.total().value() / n}, {"step_ms", point.step.value() * 1e3}};
}

Result<QueryOutputs> prefill(QueryInputs& in, const QueryContext& context) {
  UnitInputs u = read_unit(in);
  double prompt = in.number("prompt");
  TRY(in.done());
  ServingRates rates = TRY(prepare(u, context));
  PrefillPoint point = prefill_point(u.unit, rates, prompt / 2);
  return QueryOutputs{{"tokens_per_s_per_device", point.total(1).value()}};
}

Result<QueryOutputs> capacity(QueryInputs& in, const QueryContext& context) {
  UnitInputs u = read_unit(in);
  double length = in.number("context");
  TRY(in.done());
  ServingRates rates = TRY(prepare(u, context));
  return QueryOutputs{{"streams", kv_capacity(u.unit, rates).value() / length}};
}

// Speeds of minke itself from the peaks that it measured beside them.
Result<QueryOutputs> own_speed(QueryInputs& in, const QueryContext& context) {
  OwnPeaks peaks{gigabytes_per_s(in.number("read_gb_per_s")), FlopsPerS(in.number("compute_gops") * 1e9),
                 FlopsPerS(in.number("f32_gflops") * 1e9), Arithmetic::kBytes};
  peaks.arithmetic = TRY(find_arithmetic(in.text_or("arithmetic", "bytes")));
  OwnToken token{Bytes(in.number("bytes_per_token")), Bytes(in.number_or("cache_bytes", 0)),
                 Flops(in.number("operations_with_head")), in.number_or("dense_layers", 0), in.number_or("moe_layers", 0)};
  OwnPrompt prompt{Flops(in.number("operations_per_token")), Flops(in.number_or("expert_operations", 0)),
                   Flops(in.number_or("attention_operations", 0))};
  TRY(in.done());
  LocalRates rates = own_rates(peaks, context.tables, Corner::kLikely, context.working);
  return QueryOutputs{{"decode", 1 / own_token_time(token, rates).value()}, {"prefill", 1 / own_prompt_time(prompt, rates).value()}};
}

constexpr std::array<Query, 9> kServeQueries = {
    {{"serve.exchange-ceiling", "the limit of expert parallelism when only the exchange takes time", exchange_ceiling},
     {"serve.day", "nodes, cost and revenue of a day", day},
     {"serve.price", "dollars for a million tokens at a rate", price},
     {"serve.speculation", "what checking drafts gains", speculation},
     {"serve.decode", "the decoding rate that the planner predicts", decode},
     {"serve.prefill", "the prefill rate that the planner predicts", prefill},
     {"serve.capacity", "streams that the cache holds", capacity},
     {"local.decode", "tokens a second on one machine", local_decode},
     {"minke.speed", "minke's own speed from measured peaks", own_speed}}};

}  // namespace

std::span<const Query> serve_queries() { return kServeQueries; }

}  // namespace minke::plan
