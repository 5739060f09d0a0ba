#include "plan/answers/serve_answer.h"

#include <algorithm>
#include <array>
#include <vector>

#include "plan/answers/train_answer.h"
#include "plan/cost.h"
#include "plan/shape/compute.h"

namespace minke::plan {
namespace {

struct ServeFigures {
  double prefill = 0, decode = 0, stream = 0, prefill_share = 0, requests = 0, usd_in = 0, usd_out = 0, usd_request = 0,
         usd_day = 0;
};

struct Choice {
  ServingUnit decode_unit, prefill_unit;
  double n_sequences = 0;  // of the decoding unit
};

double context_of(const ServeQuestion& q) { return q.input_tokens + q.output_tokens / 2; }

// Accepted drafts make a step worth more tokens and longer.
double step_worth(const ServeQuestion& q) {
  return q.n_drafts == 0 ? 1 : tokens_per_step(q.acceptance, static_cast<double>(q.n_drafts));
}

double draft_overhead(const ServeQuestion& q, const Tables& tables, Corner corner, Working& working) {
  return q.n_drafts == 0 ? 1 : 1 + static_cast<double>(q.n_drafts) * tables.factor("serve.draft-overhead", corner, working);
}

// Sizes of units: powers of two, whole nodes beyond the fast links, and all devices.
std::vector<int64_t> unit_sizes(const ServeQuestion& q) {
  if (q.unit) return {*q.unit};
  std::vector<int64_t> sizes;
  for (int64_t n = 1; n <= q.n_devices; n *= 2) sizes.push_back(n);
  for (int64_t n : {24, 40, 48, 72, 96, 144, 192, 288, 320}) {
    if (n <= q.n_devices) sizes.push_back(n);
  }
  return sizes;
}

std::vector<int64_t> tensor_ways(const ServeQuestion& q) {
  if (q.tensor) return {*q.tensor};
  if (q.config.attention == AttentionKind::kMla) return {1};  // its latent would be held by every way
  std::vector<int64_t> ways;
  for (int64_t t = 1; t <= std::max<int64_t>(1, q.device.scale_up_size) && t <= q.config.n_heads; t *= 2) ways.push_back(t);
  return ways;
}

// The most streams that the cache holds and, where a limit is given, that leave each its speed.
struct Batch {
  double n_sequences = 0;
  double per_device = 0;  // tokens/s
};
Batch best_batch(const ServeQuestion& q, const ServingUnit& unit, const ServingRates& rates, double overhead) {
  double n = static_cast<double>(unit.n_devices), worth = step_worth(q);
  double most = kv_capacity(unit, rates).value() / context_of(q);
  Batch best;
  constexpr double kGrowth = 1.25;
  for (double sequences = 1; sequences <= most; sequences *= kGrowth) {
    DecodePoint point = decode_step(unit, rates, sequences, context_of(q));
    double token_s = point.step.value() * overhead / worth;
    if (q.token_ms && token_s * 1e3 > *q.token_ms) break;
    double per_device = sequences / token_s / n;
    if (per_device > best.per_device) best = {sequences, per_device};
  }
  return best;
}

Result<Choice> choose(const ServeQuestion& q, const Tables& tables, Working& working) {
  ServingUnit unit{.config = q.config,
                   .device = q.device,
                   .n_devices = 1,
                   .tensor = 1,
                   .weight_bits = q.weight_bits,
                   .kv_bytes = q.kv_bytes,
                   .runs_eight_bit = q.runs_eight_bit};
  ServingRates rates = TRY(serving_rates(unit, tables, Corner::kLikely, working));
  double overhead = draft_overhead(q, tables, Corner::kLikely, working);
  Choice choice;
  double best_decode = 0, best_prefill = 0;
  Status last = {};
  bool fits = false;
  for (int64_t n : unit_sizes(q)) {
    for (int64_t tensor : tensor_ways(q)) {
      unit.n_devices = n;
      unit.tensor = tensor;
      Status works = check_unit(unit, rates);
      if (!works) {
        if (!fits) last = works;
        continue;
      }
      fits = true;
      Batch batch = best_batch(q, unit, rates, overhead);
      if (batch.per_device > best_decode) {
        best_decode = batch.per_device;
        choice.decode_unit = unit;
        choice.n_sequences = batch.n_sequences;
      }
      double prefill = prefill_point(unit, rates, q.input_tokens / 2).total(1).value();
      if (prefill > best_prefill) {
        best_prefill = prefill;
        choice.prefill_unit = unit;
      }
    }
  }
  if (!fits) return error("{} on {} {}: {}", q.model_name, q.n_devices, q.device.name, last.error().message);
  if (best_decode == 0) {
    return error(
        "no unit of {} {} gives a token in {} ms with room for one stream of {:.0f} tokens; allow more --token-ms or fewer "
        "tokens",
        q.n_devices, q.device.name, q.token_ms.value_or(0), context_of(q));
  }
  return choice;
}

Result<ServeFigures> figures_at(const ServeQuestion& q, const Choice& choice, const Tables& tables, Corner corner,
                           Working& working) {
  ServingRates rates = TRY(serving_rates(choice.decode_unit, tables, corner, working));
  double overhead = draft_overhead(q, tables, corner, working);
  DecodePoint decode = decode_step(choice.decode_unit, rates, choice.n_sequences, context_of(q));
  PrefillPoint prefill = prefill_point(choice.prefill_unit, rates, q.input_tokens / 2);
  ServeFigures f;
  f.stream = step_worth(q) / (decode.step.value() * overhead);
  f.decode = choice.n_sequences * f.stream / static_cast<double>(choice.decode_unit.n_devices);
  f.prefill = prefill.total(1).value();
  double prefill_s = q.input_tokens * (1 - q.hit_share) / f.prefill, decode_s = q.output_tokens / f.decode;  // of a device
  f.prefill_share = prefill_s / (prefill_s + decode_s);
  f.requests = static_cast<double>(q.n_devices) * q.utilisation / (prefill_s + decode_s);
  const DevicePrice* rental = tables.rental(q.device.name);
  if (!q.usd_per_hour && rental == nullptr) return f;
  double rate = q.usd_per_hour.value_or(rental != nullptr ? rental->usd.at(corner, false) : 0);
  working.input(fmt::format("price of {}", q.device.name), fmt::format("{:.4g} $/h", rate),
                q.usd_per_hour ? "stated" : source_text(rental->source));
  UsdPerS busy = usd_per_hour(rate) / q.utilisation;
  f.usd_in = per_million(busy / TokensPerS(f.prefill));
  f.usd_out = per_million(busy / TokensPerS(f.decode));
  f.usd_request = busy.value() * (prefill_s + decode_s);
  f.usd_day = rate * 24 * static_cast<double>(q.n_devices);
  return f;
}

void explain(const ServeQuestion& q, const ServeAnswer& a, const ServeFigures& f, Working& working) {
  auto ms = [](Seconds s) { return s.value() * 1e3; };
  const DecodePoint& d = a.decode;
  working.input("model", q.model_name, q.model_source);
  working.input("device", q.device.name, source_text(q.device.source));
  working.step("cache of a token",
               q.config.attention == AttentionKind::kMla ? "layers x (latent + rope) x bytes"
                                                         : "2 x layers x key-value heads x head x bytes",
               fmt::format("{} layers, {:.3g} bytes a value", q.config.n_layers, q.kv_bytes),
               fmt::format("{:.5g} B", kv_bytes_per_token(q.config, q.kv_bytes).value()));
  working.step("streams that fit", "free memory / (tokens of a stream x cache of a token)",
               fmt::format("{:.4g} tokens / {:.4g}", a.cache_tokens.value(), context_of(q)),
               fmt::format("{:.4g}", a.streams_that_fit));
  working.step("decoding step",
               d.overlaps ? "max(max(2 weights, products) + max(cache, attention), exchange) + 2 starts"
                          : "max(weights, products) + max(cache, attention) + exchange + starts",
               fmt::format("weights {:.3g}, products {:.3g}, cache {:.3g}, attention {:.3g}, exchange {:.3g}, starts {:.3g} ms",
                           ms(d.weights), ms(d.products), ms(d.cache), ms(d.attention), ms(d.exchange), ms(d.overhead)),
               fmt::format("{:.4g} ms for {:.4g} streams on {} devices", ms(d.step), d.n_sequences, a.decode_unit.n_devices));
  working.step("prefill of a token", "max(products + attention, exchange)",
               fmt::format("max({:.3g} + {:.3g}, {:.3g}) us", a.prefill.products.value() * 1e6,
                           a.prefill.attention.value() * 1e6, a.prefill.exchange.value() * 1e6),
               fmt::format("{:.4g} tokens/s a device", f.prefill));
  working.step("seconds of a device for a request", "input x (1 - hits) / prefill + output / decoding",
               fmt::format("{:.4g} x {:.3g} / {:.4g} + {:.4g} / {:.4g}", q.input_tokens, 1 - q.hit_share, f.prefill,
                           q.output_tokens, f.decode),
               fmt::format("{:.4g} s", static_cast<double>(q.n_devices) * q.utilisation / f.requests));
}

// full_load: dollars of a request when all capacity is used.
Result<std::vector<ApiComparison>> compare_api(const ServeQuestion& q, const Tables& tables, const Range& full_load) {
  std::vector<ApiComparison> out;
  if (q.api.empty()) return out;
  for (const ApiPrice& price : tables.api_prices()) {
    if (q.api != "all" && plain_name(price.model) != plain_name(q.api)) continue;
    ApiComparison c{price.model, price.source.date, 0, {}};
    double input = q.hit_share * price.hit + (1 - q.hit_share) * price.miss;
    c.usd_per_request = (q.input_tokens * input + q.output_tokens * price.out) / 1e6;
    c.break_even = {full_load.low / c.usd_per_request, full_load.likely / c.usd_per_request,
                    full_load.high / c.usd_per_request};
    out.push_back(c);
  }
  if (out.empty()) return error("no API price of \"{}\" in the tables; minke plan tables prices shows them", q.api);
  std::stable_sort(out.begin(), out.end(), [](const auto& x, const auto& y) { return x.date < y.date; });
  return out;
}

Status check_question(const ServeQuestion& q) {
  if (q.n_devices < 1) return error("no devices: --on NxDEVICE needs at least one");
  if (q.unit && *q.unit > q.n_devices) return error("--unit {}: there are {} devices", *q.unit, q.n_devices);
  if (q.input_tokens + q.output_tokens > static_cast<double>(q.config.max_seq_len)) {
    return error("--in {:.0f} and --out {:.0f} are {:.0f} tokens, {} has a context of {}", q.input_tokens, q.output_tokens,
                 q.input_tokens + q.output_tokens, q.model_name, q.config.max_seq_len);
  }
  return {};
}

}  // namespace

Result<ServeAnswer> answer_serving(const ServeQuestion& q, const Tables& tables) {
  TRY(check_question(q));
  ServeAnswer a;
  Choice choice = TRY(choose(q, tables, a.working));
  ServingRates rates = TRY(serving_rates(choice.decode_unit, tables, Corner::kLikely, a.working));
  a.decode_unit = choice.decode_unit;
  a.prefill_unit = choice.prefill_unit;
  a.decode = decode_step(choice.decode_unit, rates, choice.n_sequences, context_of(q));
  a.prefill = prefill_point(choice.prefill_unit, rates, q.input_tokens / 2);
  a.cache_tokens = kv_capacity(choice.decode_unit, rates);
  a.streams_that_fit = a.cache_tokens.value() / context_of(q);
  a.tokens_per_step = step_worth(q);
  a.has_price = q.usd_per_hour || tables.rental(q.device.name) != nullptr;
  std::array<ServeFigures, 3> at;
  for (size_t i = 0; i < 3; i++) {
    Working unused;
    Corner corner = i == 0 ? Corner::kLow : i == 1 ? Corner::kLikely : Corner::kHigh;
    at[i] = TRY(figures_at(q, choice, tables, corner, i == 1 ? a.working : unused));
  }
  explain(q, a, at[1], a.working);
  // At full load a request costs usd x utilisation; what it brings must pay that at share u: u = cost at full load / revenue.
  double use = q.utilisation;
  a.api = TRY(compare_api(q, tables, range_of(at[0].usd_request * use, at[1].usd_request * use, at[2].usd_request * use)));
  auto range = [&](double ServeFigures::*figure) { return range_of(at[0].*figure, at[1].*figure, at[2].*figure); };
  a.prefill_per_device = range(&ServeFigures::prefill);
  a.decode_per_device = range(&ServeFigures::decode);
  a.stream_rate = range(&ServeFigures::stream);
  a.prefill_share = range(&ServeFigures::prefill_share);
  a.requests_per_s = range(&ServeFigures::requests);
  a.usd_per_million_in = range(&ServeFigures::usd_in);
  a.usd_per_million_out = range(&ServeFigures::usd_out);
  a.usd_per_request = range(&ServeFigures::usd_request);
  a.usd_per_day = range(&ServeFigures::usd_day);
  return a;
}

}  // namespace minke::plan
