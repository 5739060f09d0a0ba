// Serving speed from the devices' limits: prefill by compute, decode by the slowest of memory, compute and communication.
// Formulas: docs/plan.md.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "model/config.h"
#include "plan/tables/tables.h"
#include "plan/units.h"
#include "plan/working.h"

namespace minke::plan {

// A model on a group of devices that answers together: experts are spread over all of them, everything else stands on each
// `tensor` ways cut.
struct ServingUnit {
  ModelConfig config;
  Device device;
  int64_t n_devices = 1;
  int64_t tensor = 1;          // ways that attention is cut; MLA's latent cannot be cut and is held by each
  double weight_bits = 8;      // of a weight with its scales
  double kv_bytes = 2;         // of a value in the cache
  bool runs_eight_bit = true;  // products in FP8 or INT8; else BF16
};

// What its devices reach, factors applied.
struct ServingRates {
  FlopsPerS prefill, linear, attention;
  BytesPerS memory, scale_up, scale_out;
  Seconds layer_overhead;  // of starting a layer's kernels
  Seconds link_latency;    // of one exchange
  double imbalance = 1;    // fullest device over mean, of experts
  double usable = 1;       // share of memory
};
Result<ServingRates> serving_rates(const ServingUnit& unit, const Tables& tables, Corner corner, Working& working);

// An error names what is impossible and the least number of devices that would do.
Status check_unit(const ServingUnit& unit, const ServingRates& rates);

Bytes weight_bytes_per_device(const ServingUnit& unit);
// Tokens of cache that all devices hold beside the weights.
Tokens kv_capacity(const ServingUnit& unit, const ServingRates& rates);

struct DecodePoint {
  double n_sequences = 0;                                           // in the whole unit
  Seconds weights, products, cache, attention, exchange, overhead;  // what each alone would take in a step
  Seconds step;
  bool overlaps = false;   // two halves of the batch hide each other's exchange
  const char* limit = "";  // memory, compute, exchange or overhead: the largest part
  TokensPerS total() const { return Tokens(n_sequences) / step; }
};
// A step that gives each of n_sequences one token, which sees `context` tokens.
DecodePoint decode_step(const ServingUnit& unit, const ServingRates& rates, double n_sequences, double context);

// Seconds of all devices together for each prompt token that is not in the cache; its keys are on average n_keys.
struct PrefillPoint {
  SecondsPerToken products, attention, exchange, token;
  TokensPerS total(int64_t n_devices) const { return Tokens(static_cast<double>(n_devices)) / (token * Tokens(1)); }
};
PrefillPoint prefill_point(const ServingUnit& unit, const ServingRates& rates, double n_keys);

// The ceiling of decoding with expert parallelism when everything but the exchange is free: bytes of a dispatch and combine of
// n_tokens to `fan` devices, two such exchanges a layer.
struct ExchangeCeiling {
  double n_tokens = 32, fan = 9, hidden = 7168, bytes_per_value = 3;
  int64_t n_layers = 61;
  BytesPerS link;
};
Seconds exchange_of_layer_half(const ExchangeCeiling& ceiling);
Seconds time_per_token(const ExchangeCeiling& ceiling);

}  // namespace minke::plan
