// The attention table of a unit.
#pragma once

#include "kernels/cpu/attention/float_body.h"
#include "kernels/cpu/attention/q8_body.h"
#include "kernels/cpu/attention/store_body.h"

namespace minke {
namespace {

constexpr AttentionTable make_attention_table() {
  return {
      .attend_heads = {attend_floats<F32Row, false>, attend_floats<F16Row, false>, attend_floats<Bf16Row, false>,
                       attend_q8<false>},
      .attend_latent = {attend_floats<F32Row, true>, attend_floats<F16Row, true>, attend_floats<Bf16Row, true>,
                        attend_q8<true>},
      .store_heads = {store_heads<KvType::kF32>, store_heads<KvType::kF16>, store_heads<KvType::kBF16>, store_q8_heads},
      .store_latent = {store_latent<KvType::kF32>, store_latent<KvType::kF16>, store_latent<KvType::kBF16>, store_q8_latent},
      .read_latents = {read_latents<F32Row>, read_latents<F16Row>, read_latents<Bf16Row>, read_q8_latents},
      .code_query = code_query,
      .merge = merge_states,
      .finish_row = finish_row,
  };
}

}  // namespace
}  // namespace minke
