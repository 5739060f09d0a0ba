#include "kernels/packed/pack.h"

#include "base/check.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/packed/layout.h"

namespace minke {

bool can_pack(const Weight& weight) {
  const PackedFormat* format = packed_format(weight.dtype);
  return format != nullptr && !weight.is_packed && weight.scales == nullptr && weight.n_cols % format->block_columns == 0;
}

size_t packed_bytes(const Weight& weight) { return packed_bytes(*packed_format(weight.dtype), weight.n_rows, weight.n_cols); }

void pack_rows(std::byte* out, const Weight& weight, int64_t first_row, int64_t n_rows, Isa isa) {
  CHECK(can_pack(weight) && first_row % kPanelRows == 0 && first_row + n_rows <= weight.n_rows, "rows [{}, + {}) of {}",
        first_row, n_rows, weight.n_rows);
  const PackedFormat& format = *packed_format(weight.dtype);
  const InterleaveFn interleave = isa == Isa::kRef ? nullptr : kernels(isa).interleave_words;
  const size_t row_stride = static_cast<size_t>(weight.n_cols / format.block_columns) * format.block_bytes;
  auto* panel = reinterpret_cast<uint8_t*>(out);
  for (int64_t r = first_row; r < first_row + n_rows; r += kPanelRows, panel += panel_bytes(format, weight.n_cols)) {
    pack_panel(panel, format, reinterpret_cast<const uint8_t*>(weight.row(r)), row_stride,
               std::min(kPanelRows, first_row + n_rows - r), weight.n_cols, interleave);
  }
  __builtin_ia32_sfence();  // the kernel's stores go past the caches
}

Weight packed_weight(const Weight& weight, const std::byte* data) {
  Weight packed = weight;
  packed.data = data;
  packed.is_packed = true;
  return packed;
}

}  // namespace minke
