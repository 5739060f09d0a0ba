// The same question on several devices, and what-ifs that scale one property of them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "plan/answers/run_answer.h"
#include "plan/answers/serve_answer.h"
#include "plan/answers/train_answer.h"

namespace minke::plan {

// Multiplies a property of a device: bandwidth (of its memory), network, compute, memory. False: there is no such property.
bool scale_device(Device& device, std::string_view property, double factor);

// What a sweep scales: a property of the device, the price, or the tokens.
struct Sweep {
  std::string property;
  double low = 1, high = 1;
};
Status check_sweep(const Sweep& sweep);
// Factors from low to high, evenly in their ratio.
constexpr int kSweepPoints = 9;
double sweep_factor(const Sweep& sweep, int point);

struct Comparison {
  std::variant<TrainQuestion, ServeQuestion, RunQuestion> question;  // its device is replaced by each of `devices`
  std::vector<Device> devices;
};

struct Outcome {
  std::string device, note;                // note: the layout or the unit; why there is no figure
  Range days, device_hours, usd;           // training
  Range prefill, decode, stream, usd_out;  // serving; of one machine the first two
  bool is_known = false, has_price = false;
};

// On one device, with a property scaled ("": none).
Outcome outcome_on(const Comparison& comparison, Device device, std::string_view property, double factor, const Tables& tables);

}  // namespace minke::plan
