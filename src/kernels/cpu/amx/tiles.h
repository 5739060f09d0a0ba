// The instructions of AMX-TILE and AMX-INT8, one each. Written in assembly because the compiler's own forms of the loads do not
// say that they read memory, so that it may drop the stores before them.
#pragma once

#include <cstdint>

#include "kernels/cpu/amx/products.h"

namespace minke {
namespace {

struct AmxTiles {
  static void configure(const TileShapes& shapes) { asm volatile("ldtilecfg %0" : : "m"(shapes) : "memory"); }
  static void release() { asm volatile("tilerelease"); }
  template <int kTile>
  static void clear() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  template <int kTile>
  static void load(const void* base, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(base), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  static void store(void* base, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(base), "r"(stride), "i"(kTile) : "memory");
  }
  // sums += signed bytes of x times unsigned bytes of codes
  template <int kSums, int kX, int kCodes>
  static void dot() {
    asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kX), "i"(kCodes));
  }
};

}  // namespace
}  // namespace minke
