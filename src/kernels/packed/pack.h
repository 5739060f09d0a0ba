// From the bytes of a file to panels.
#pragma once

#include "base/context.h"
#include "kernels/weight.h"

namespace minke {

// True when the weight has a packed form: its dtype has one, and rows of bf16 are made of whole blocks of 32 columns.
bool can_pack(const Weight& weight);
size_t packed_bytes(const Weight& weight);
// Rows [first_row, first_row + n_rows) of the weight into `out`, the start of their panels (64-byte aligned, packed_bytes of
// that many rows). first_row is a multiple of 16, and n_rows too unless it ends the weight. On the calling thread.
void pack_rows(std::byte* out, const Weight& weight, int64_t first_row, int64_t n_rows, Isa isa);
// The packed form of the whole weight, at `data`.
Weight packed_weight(const Weight& weight, const std::byte* data);

}  // namespace minke
