// What training a model costs: time, device-hours, energy, money, each as a range, with the working.
#pragma once

#include <optional>
#include <string>

#include "plan/training/search.h"
#include "plan/working.h"

namespace minke::plan {

struct TrainQuestion {
  std::string model_name, model_source;
  ModelConfig config;
  Tokens tokens;
  int64_t seq_len = 4096;
  int64_t n_sequences = 0;  // of a step; 0: the least multiple of the devices with 16 M tokens
  Device device;
  int64_t n_devices = 0;
  std::optional<Precision> precision;  // none: FP8 where the checkpoint is of FP8 and the device has it, else BF16
  bool with_mtp = false;
  std::string layout;                  // parts of parse_layout; empty: the fastest that fits
  std::optional<double> tflops;        // of model operations for each device, measured elsewhere: no layout is timed then
  std::optional<double> usd_per_hour;  // for a device; none: of the tables
  std::optional<double> goodput;       // none: from failures and checkpoints
  double extra_hours = 0;              // device-hours of other stages: longer contexts, post-training
  std::optional<double> programme;     // all experiments and runs over the final one; none: what others published
};

struct TrainAnswer {
  Precision precision = Precision::kBf16;
  int64_t n_sequences = 0;
  std::optional<LayoutChoice> choice;  // at the likely corner
  Bytes usable_memory;
  FlopsPerToken flops_per_token;
  Range step_s, tokens_per_day, mfu, tflops, goodput;
  Range days, device_hours;
  Range energy_mwh, tonnes_co2;
  Range run_usd;             // the final run at the hourly rate; 0 when the tables have no price
  Range programme_usd;       // with experiments and failed runs
  Range fleet_usd;           // buying the devices with their network and building
  Range owned_usd_per_hour;  // of the same devices, when owned and always in use
  bool has_price = false, has_purchase = false;
  Working working;  // of the likely corner
};

Result<TrainAnswer> answer_training(const TrainQuestion& question, const Tables& tables);

// The three values in order of size, the likely one in the middle place.
Range range_of(double a, double likely, double b);

}  // namespace minke::plan
