#include "plan/answers/compare.h"

#include <cmath>

namespace minke::plan {
namespace {

Range scaled(const Range& range, double factor) { return {factor * range.low, factor * range.likely, factor * range.high}; }

// A question of the comparison, asked about `device` with so many times its tokens.
Outcome answer_on(TrainQuestion q, Device device, double tokens, const Tables& tables) {
  q.device = std::move(device);
  q.tokens = tokens * q.tokens;
  Outcome out;
  out.device = q.device.name;
  Result<TrainAnswer> answer = answer_training(q, tables);
  if (!answer) {
    out.note = answer.error().message;
    return out;
  }
  out.is_known = true;
  out.days = answer->days;
  out.device_hours = answer->device_hours;
  out.has_price = answer->has_price;
  out.usd = answer->run_usd;
  out.note = answer->choice ? layout_text(answer->choice->layout) : "";
  return out;
}

Outcome answer_on(ServeQuestion q, Device device, double tokens, const Tables& tables) {
  q.runs_eight_bit = q.runs_eight_bit && device.eight_bit().has_value();
  q.device = std::move(device);
  q.input_tokens *= tokens;
  q.output_tokens *= tokens;
  Outcome out;
  out.device = q.device.name;
  Result<ServeAnswer> answer = answer_serving(q, tables);
  if (!answer) {
    out.note = answer.error().message;
    return out;
  }
  out.is_known = true;
  out.prefill = answer->prefill_per_device;
  out.decode = answer->decode_per_device;
  out.stream = answer->stream_rate;
  out.has_price = answer->has_price;
  out.usd_out = answer->usd_per_million_out;
  out.note = fmt::format("{} {}", answer->decode_unit.n_devices, answer->decode.limit);
  return out;
}

Outcome answer_on(RunQuestion q, Device device, double tokens, const Tables& tables) {
  q.own.reset();
  q.device = std::move(device);
  q.context *= tokens;
  Outcome out;
  out.device = q.device.name;
  Result<RunAnswer> answer = answer_running(q, tables);
  if (!answer) {
    out.note = answer.error().message;
    return out;
  }
  out.is_known = true;
  out.decode = answer->decode;
  out.prefill = answer->prefill;
  return out;
}

}  // namespace

bool scale_device(Device& device, std::string_view property, double factor) {
  if (property == "bandwidth") {
    device.bandwidth = factor * device.bandwidth;
  } else if (property == "compute") {
    device.bf16 = factor * device.bf16;
    device.fp8 = factor * device.fp8;
    device.int8 = factor * device.int8;
  } else if (property == "memory") {
    device.memory = factor * device.memory;
  } else if (property == "network") {
    device.scale_up = factor * device.scale_up;
    device.scale_out = factor * device.scale_out;
  } else {
    return false;
  }
  return true;
}

Status check_sweep(const Sweep& sweep) {
  Device unused;
  bool is_known = sweep.property == "price" || sweep.property == "tokens" || scale_device(unused, sweep.property, 1);
  bool is_span = sweep.low > 0 && sweep.low < sweep.high && std::isfinite(sweep.high);
  if (is_known && is_span) return {};
  return error(
      "a sweep of {} from {:.6g} to {:.6g}: expected bandwidth, network, compute, memory, price or tokens and two factors "
      "above "
      "0, the lower one first",
      sweep.property, sweep.low, sweep.high);
}

double sweep_factor(const Sweep& sweep, int point) {
  return sweep.low * std::pow(sweep.high / sweep.low, static_cast<double>(point) / (kSweepPoints - 1));
}

Outcome outcome_on(const Comparison& comparison, Device device, std::string_view property, double factor,
                   const Tables& tables) {
  scale_device(device, property, factor);
  double price = property == "price" ? factor : 1, tokens = property == "tokens" ? factor : 1;
  Outcome out = std::visit([&](const auto& q) { return answer_on(q, std::move(device), tokens, tables); }, comparison.question);
  out.usd = scaled(out.usd, price);
  out.usd_out = scaled(out.usd_out, price);
  return out;
}

}  // namespace minke::plan
