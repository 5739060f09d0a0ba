// Compiled with the flags of kernels_avx512vnni.cpp and those of AMX; runs only where cpu_info found them and the operating
// system allowed the tiles.
// The order of includes matters: the bodies are written over the vectors.
// clang-format off
#include "kernels/cpu/vec_avx512.h"
#include "kernels/cpu/packed/ints_avx512.h"
#include "kernels/cpu/amx/products.h"
#include "kernels/cpu/amx/tiles.h"
#include "kernels/cpu/amx/probe.h"
// clang-format on

namespace minke {

constexpr AmxUnit kAmxUnit = {.packed = tile_table<AmxTiles>(), .byte_dot_steps = tile_dot_steps<AmxTiles>};

}  // namespace minke
