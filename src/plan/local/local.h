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

// What products with weights multiply: bytes with quantised ones, bf16 with those, else f32.
enum class Arithmetic : uint8_t { kF32, kBf16, kBytes };
Arithmetic arithmetic_of(double bits);
std::string_view arithmetic_name(Arithmetic arithmetic);  // "f32", "bf16", "bytes"
Result<Arithmetic> find_arithmetic(std::string_view name);

// Measured or stated.
struct OwnPeaks {
  BytesPerS read;  // of memory as large as the weights
  FlopsPerS products;
  FlopsPerS f32;  // of attention; 0: not known, attention takes no time
  Arithmetic arithmetic = Arithmetic::kBytes;
};
// minke itself on such a machine: what it reaches of the peaks.
struct LocalRates {
  BytesPerS weights, cache;
  FlopsPerS token_products;                // of an answer's token, one row at a time
  FlopsPerS products, experts, attention;  // of a prompt; products: all but those of routed experts
  Seconds dense_layer, moe_layer;          // what a token takes in a layer beside its bytes
};
LocalRates own_rates(const OwnPeaks& peaks, const Tables& tables, Corner corner, Working& working);

// What one token of an answer reads, and the layers that it goes through.
struct OwnToken {
  Bytes weights, cache;
  Flops products;
  double dense_layers = 0, moe_layers = 0;
};
// Weights are multiplied while they are read: the slower of both counts.
Seconds own_token_time(const OwnToken& token, const LocalRates& rates);
// What one token of a prompt computes.
struct OwnPrompt {
  Flops products, experts, attention;
};
Seconds own_prompt_time(const OwnPrompt& prompt, const LocalRates& rates);

// Bits of a weight of a named quant mix ("q4_k_m", "f16", ...), from the sizes of published files.
Result<double> bits_of(const std::string& quant);

}  // namespace minke::plan
