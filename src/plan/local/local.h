// One machine and one conversation: does a model fit, and how many tokens a second. Reading weights is what decoding costs.
// Formulas: docs/plan.md.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "model/config.h"
#include "plan/tables/tables.h"
#include "plan/units.h"
#include "plan/working.h"

namespace minke::plan {

enum class Placement {
  kDevice,       // all weights in the device's memory
  kHybrid,       // routed experts in the memory of the CPU, the rest on a GPU: the experts' bytes decide
  kExpertsDisk,  // routed experts that memory has no room for are read from a disk
};

struct LocalTask {
  ModelConfig config;
  Device device;       // what holds the weights; of kHybrid the CPU
  double bits = 4.82;  // of a weight, averaged over the file
  double context = 0;  // tokens already there
  double kv_bytes = 2;
  Placement placement = Placement::kDevice;
  BytesPerS disk;  // of kExpertsDisk
};

struct LocalPlan {
  Bytes weights;          // the file
  Bytes cache;            // of `context` tokens
  Bytes read;             // by one token
  double disk_share = 0;  // of the routed experts that a token wants, those that come from disk
  Seconds token;
  TokensPerS decode() const { return Tokens(1) / token; }
  TokensPerS prefill;  // 0 where no rate is known
};

// An error when the model does not fit, with what would.
Result<LocalPlan> local_plan(const LocalTask& task, const Tables& tables, Corner corner, Working& working);

// minke itself on a machine whose peaks were measured: what it reaches of them.
struct LocalRates {
  BytesPerS weights, cache;
  FlopsPerS compute;
};
LocalRates own_rates(BytesPerS read_peak, FlopsPerS compute_peak, const Tables& tables, Corner corner, Working& working);
// A token that reads so many bytes of weights and of cache.
Seconds own_token_time(Bytes weights, Bytes cache, const LocalRates& rates);

// Bits of a weight of a named quant mix ("q4_k_m", "f16", ...), from the sizes of published files.
Result<double> bits_of(const std::string& quant);

}  // namespace minke::plan
