// What serving a model costs: speeds, how devices divide into prefill and decoding, money for a million tokens, break-even.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/serving/roofline.h"
#include "plan/working.h"

namespace minke::plan {

struct ServeQuestion {
  std::string model_name, model_source;
  ModelConfig config;
  Device device;
  int64_t n_devices = 0;
  double input_tokens = 2000, output_tokens = 600;  // of a request, means
  double hit_share = 0;                             // of input tokens that a prefix cache holds
  double weight_bits = 8, kv_bytes = 2;
  bool runs_eight_bit = true;
  std::optional<int64_t> tensor;   // ways; none: the best
  std::optional<int64_t> unit;     // devices of a decoding unit; none: the best
  std::optional<double> token_ms;  // at most, for a stream's token; none: the cheapest tokens
  int64_t n_drafts = 0;            // of speculation
  double acceptance = 0.85;
  std::optional<double> usd_per_hour;  // for a device; none: of the tables
  double utilisation = 1;              // share of the capacity that requests fill
  std::string api;                     // model whose API prices to compare with, "all" for all of them; empty: none
};

// What an API charged for such a request from a date on.
struct ApiComparison {
  std::string model, date;
  double usd_per_request = 0;
  Range break_even;  // share of the capacity that must be used for these prices to pay the devices; above 1: never
};

struct ServeAnswer {
  ServingUnit decode_unit, prefill_unit;  // at the likely corner
  DecodePoint decode;                     // of that unit
  PrefillPoint prefill;
  Tokens cache_tokens;                            // of a decoding unit
  double streams_that_fit = 0;                    // in its cache
  double tokens_per_step = 1;                     // with speculation
  Range prefill_per_device, decode_per_device;    // tokens/s; prefill of tokens that are not in the cache
  Range stream_rate;                              // tokens/s of one user
  Range prefill_share;                            // of the devices
  Range requests_per_s;                           // of all devices
  Range usd_per_million_in, usd_per_million_out;  // of uncached input; of output
  Range usd_per_request, usd_per_day;
  bool has_price = false;
  std::vector<ApiComparison> api;  // by date; without break-even when there is no price
  Working working;
};

Result<ServeAnswer> answer_serving(const ServeQuestion& question, const Tables& tables);

}  // namespace minke::plan
