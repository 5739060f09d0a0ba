// The exchange of tokens between the devices that hold a layer's experts.
#pragma once

#include <cstdint>

#include "model/config.h"
#include "plan/units.h"

namespace minke::plan {

// Seconds of both exchanges of one layer of experts (dispatch and combine) for n_tokens of a device. bytes_per_value: of both
// together. A token's vector goes once to every node that it reaches, and there on to its experts; both at once.
struct ExpertExchange {
  double n_tokens = 0, n_devices = 1, bytes_per_value = 3;
  BytesPerS scale_up, scale_out;
  int64_t scale_up_size = 1;
};
Seconds exchange_time(const ModelConfig& config, const ExpertExchange& exchange);

}  // namespace minke::plan
