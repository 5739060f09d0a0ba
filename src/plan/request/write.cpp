#include "plan/request/write.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace minke::plan {
namespace {

// Six digits are more than any of these figures is worth.
double rounded(double value) { return std::isfinite(value) ? std::stod(fmt::format("{:.6g}", value)) : value; }

Json range_or_null(bool is_known, const Range& range) { return is_known ? range_json(range) : Json(); }

void add_layout(Json& out, const LayoutChoice& choice, Bytes usable) {
  const TrainingMemory& m = choice.memory;
  const StepTime& s = choice.step;
  out["layout"] = layout_text(choice.layout);
  out["memory_bytes"] = {{"weights", m.weights.value()},     {"gradients", m.gradients.value()},
                         {"optimizer", m.optimizer.value()}, {"activations", m.activations.value()},
                         {"logits", m.logits.value()},       {"total", m.total().value()},
                         {"usable", usable.value()}};
  out["step_parts_s"] = {{"compute", s.compute.value()},
                         {"tensor_exchange", s.tensor_comm.value()},
                         {"context_exchange", s.context_comm.value()},
                         {"pipeline_exchange", s.pipeline_comm.value()},
                         {"expert_exchange", s.expert_comm.value()},
                         {"weight_exchange", s.weight_comm.value()},
                         {"bubble", s.bubble.value()},
                         {"gradient_exchange", s.gradient_comm.value()},
                         {"optimizer", s.optimizer.value()}};
}

Json units_json(const ServeAnswer& a) {
  Json decode = {{"devices", a.decode_unit.n_devices},
                 {"tensor", a.decode_unit.tensor},
                 {"streams", a.decode.n_sequences},
                 {"streams_that_fit", a.streams_that_fit},
                 {"step_ms", a.decode.step.value() * 1e3},
                 {"limit", a.decode.limit},
                 {"parts_ms",
                  {{"weights", a.decode.weights.value() * 1e3},
                   {"products", a.decode.products.value() * 1e3},
                   {"cache", a.decode.cache.value() * 1e3},
                   {"attention", a.decode.attention.value() * 1e3},
                   {"exchange", a.decode.exchange.value() * 1e3},
                   {"starts", a.decode.overhead.value() * 1e3}}}};
  return {{"decode_unit", std::move(decode)},
          {"prefill_unit", {{"devices", a.prefill_unit.n_devices}, {"tensor", a.prefill_unit.tensor}}}};
}

}  // namespace

const char* precision_name(Precision precision) { return precision == Precision::kFp8 ? "FP8" : "BF16"; }

Json range_json(const Range& range) {
  return Json{{"low", rounded(range.low)}, {"likely", rounded(range.likely)}, {"high", rounded(range.high)}};
}

Json working_json(const Working& working) {
  Json out = {{"inputs", Json::array()}, {"steps", Json::array()}};
  for (const Working::Input& input : working.inputs()) {
    out["inputs"].push_back({{"name", input.name}, {"value", input.value}, {"source", input.source}});
  }
  for (const Working::Step& step : working.steps()) {
    out["steps"].push_back(
        {{"name", step.name}, {"formula", step.formula}, {"numbers", step.numbers}, {"result", step.result}});
  }
  return out;
}

Json train_json(const TrainQuestion& q, const TrainAnswer& a, Language language) {
  Json out = {{"question",
               {{"model", q.model_name},
                {"tokens", q.tokens.value()},
                {"device", q.device.name},
                {"devices", q.n_devices},
                {"seq_len", q.seq_len},
                {"sequences", a.n_sequences},
                {"precision", precision_name(a.precision)}}},
              {"flops_per_token", a.flops_per_token.value()},
              {"step_s", range_json(a.step_s)},
              {"tokens_per_day", range_json(a.tokens_per_day)},
              {"tflops", range_json(a.tflops)},
              {"mfu", range_json(a.mfu)},
              {"goodput", range_json(a.goodput)},
              {"days", range_json(a.days)},
              {"device_hours", range_json(a.device_hours)},
              {"energy_mwh", range_json(a.energy_mwh)},
              {"tonnes_co2", range_json(a.tonnes_co2)},
              {"run_usd", range_or_null(a.has_price, a.run_usd)},
              {"programme_usd", range_or_null(a.has_price, a.programme_usd)},
              {"fleet_usd", range_or_null(a.has_purchase, a.fleet_usd)},
              {"owned_usd_per_hour", range_or_null(a.has_purchase, a.owned_usd_per_hour)}};
  if (a.choice) add_layout(out, *a.choice, a.usable_memory);
  out["not_included"] = left_out_of_training(language);
  out["working"] = working_json(a.working);
  return out;
}

Json rl_json(const RlQuestion& q, const RlAnswer& a, Language language) {
  return {{"question",
           {{"model", q.model_name},
            {"device", q.device.name},
            {"devices", q.n_devices},
            {"rounds", q.n_rounds},
            {"answers_per_round", q.answers_per_round},
            {"answer_tokens", q.answer_tokens}}},
          {"waits_for_longest", a.waits_for_longest},
          {"writing_tokens_per_s_per_device", range_json(a.writing_per_device)},
          {"writing_hours", range_json(a.writing_hours)},
          {"scoring_hours", range_json(a.scoring_hours)},
          {"learning_hours", range_json(a.learning_hours)},
          {"days", range_json(a.days)},
          {"device_hours", range_json(a.device_hours)},
          {"usd", range_or_null(a.has_price, a.usd)},
          {"not_included", left_out_of_rl(language)},
          {"working", working_json(a.working)}};
}

Json serve_json(const ServeQuestion& q, const ServeAnswer& a, Language language) {
  Json out = {{"question",
               {{"model", q.model_name},
                {"device", q.device.name},
                {"devices", q.n_devices},
                {"input_tokens", q.input_tokens},
                {"output_tokens", q.output_tokens},
                {"hit_share", q.hit_share},
                {"use", q.utilisation}}}};
  out.update(units_json(a));
  out.update(Json{{"prefill_tokens_per_s_per_device", range_json(a.prefill_per_device)},
                  {"decode_tokens_per_s_per_device", range_json(a.decode_per_device)},
                  {"stream_tokens_per_s", range_json(a.stream_rate)},
                  {"prefill_share", range_json(a.prefill_share)},
                  {"requests_per_s", range_json(a.requests_per_s)},
                  {"usd_per_million_in", range_or_null(a.has_price, a.usd_per_million_in)},
                  {"usd_per_million_out", range_or_null(a.has_price, a.usd_per_million_out)},
                  {"usd_per_request", range_or_null(a.has_price, a.usd_per_request)},
                  {"usd_per_day", range_or_null(a.has_price, a.usd_per_day)},
                  {"api", Json::array()}});
  for (const ApiComparison& c : a.api) {
    out["api"].push_back({{"model", c.model},
                          {"from", c.date},
                          {"usd_per_request", c.usd_per_request},
                          {"break_even_use", range_or_null(a.has_price, c.break_even)}});
  }
  out["not_included"] = left_out_of_serving(language);
  out["working"] = working_json(a.working);
  return out;
}

Json run_json(const RunQuestion& q, const RunAnswer& a, Language language) {
  return {{"model", q.model.name},
          {"bits", q.model.bits},
          {"context", q.context},
          {"memory_bytes", a.memory_bytes},
          {"machine_bytes", a.usable_bytes},
          {"fits", a.fits()},
          {"disk_share", a.disk_share},
          {"decode_tokens_per_s", range_json(a.decode)},
          {"prefill_tokens_per_s", range_or_null(a.has_prefill, a.prefill)},
          {"not_included", left_out_of_running(language)},
          {"working", working_json(a.working)}};
}

Json outcome_json(const Comparison& comparison, const Outcome& o) {
  if (!o.is_known) return {{"device", o.device}, {"error", o.note}};
  if (std::holds_alternative<RunQuestion>(comparison.question)) {
    return {
        {"device", o.device}, {"decode_tokens_per_s", range_json(o.decode)}, {"prefill_tokens_per_s", range_json(o.prefill)}};
  }
  if (std::holds_alternative<TrainQuestion>(comparison.question)) {
    return {{"device", o.device},
            {"days", range_json(o.days)},
            {"device_hours", range_json(o.device_hours)},
            {"usd", range_or_null(o.has_price, o.usd)},
            {"layout", o.note}};
  }
  return {{"device", o.device},
          {"prefill_tokens_per_s_per_device", range_json(o.prefill)},
          {"decode_tokens_per_s_per_device", range_json(o.decode)},
          {"stream_tokens_per_s", range_json(o.stream)},
          {"usd_per_million_out", range_or_null(o.has_price, o.usd_out)}};
}

Json comparison_json(const Comparison& comparison, const std::optional<Sweep>& sweep, const Tables& tables) {
  Json rows = Json::array();
  if (!sweep) {
    for (const Device& device : comparison.devices) {
      rows.push_back(outcome_json(comparison, outcome_on(comparison, device, "", 1, tables)));
    }
    return rows;
  }
  for (int i = 0; i < kSweepPoints; i++) {
    double factor = sweep_factor(*sweep, i);
    for (const Device& device : comparison.devices) {
      Json point = outcome_json(comparison, outcome_on(comparison, device, sweep->property, factor, tables));
      point["factor"] = factor;
      rows.push_back(std::move(point));
    }
  }
  return {{"sweep", sweep->property}, {"points", std::move(rows)}};
}

}  // namespace minke::plan
