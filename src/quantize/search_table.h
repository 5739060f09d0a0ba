// The searches of one instruction set as a table; included by the units search_*.cpp.
#pragma once

#include "quantize/search_affine.h"
#include "quantize/search_scale.h"

namespace minke {
namespace {

constexpr SearchTable make_search_table() {
  return {
      .q4_0 = search_scale_block<UniformLevels<-8, 7>>,
      .q5_0 = search_scale_block<UniformLevels<-16, 15>>,
      .iq4_nl = search_scale_block<Iq4Levels>,
      .q4_1 = search_affine_block<15>,
      .q5_1 = search_affine_block<31>,
      .q3_k = search_scale_super<ScaleSuperFormat<UniformLevels<-4, 3>, 16, -32, 31>>,
      .q6_k = search_scale_super<ScaleSuperFormat<UniformLevels<-32, 31>, 16, -128, 127>>,
      .iq4_xs = search_scale_super<ScaleSuperFormat<Iq4Levels, 32, -32, 31>>,
      .q2_k = search_affine_super<AffineSuperFormat<3, 16, 15>>,
      .q4_k = search_affine_super<AffineSuperFormat<15, 32, 63>>,
      .q5_k = search_affine_super<AffineSuperFormat<31, 32, 63>>,
  };
}

}  // namespace
}  // namespace minke
