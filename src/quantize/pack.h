// Bytes of blocks, as docs/formats.md lays them out, from what a search decided. The inverse of kernels/cpu/dequantize_body.h.
#pragma once

#include <cstddef>

#include "quantize/search.h"

namespace minke {

void pack_q4_0(std::byte* out, const ScaleBlock& block);
void pack_q5_0(std::byte* out, const ScaleBlock& block);
void pack_q4_1(std::byte* out, const AffineBlock& block);
void pack_q5_1(std::byte* out, const AffineBlock& block);
void pack_q2_k(std::byte* out, const AffineSuperBlock& block);
void pack_q3_k(std::byte* out, const ScaleSuperBlock& block);
void pack_q4_k(std::byte* out, const AffineSuperBlock& block);
void pack_q5_k(std::byte* out, const AffineSuperBlock& block);
void pack_q6_k(std::byte* out, const ScaleSuperBlock& block);
void pack_iq4_xs(std::byte* out, const ScaleSuperBlock& block);
// IQ4_NL is Q4_0 with other levels: pack_q4_0.

}  // namespace minke
