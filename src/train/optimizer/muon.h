// Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers"): the momentum of a matrix is replaced by a nearby matrix
// whose singular values are all about 1, found by a quintic Newton-Schulz iteration:
//   X = M / |M|_F;  n_iterations times: G = X X^T;  X = a X + (b G + c G G) X     with X turned so that n_rows <= n_cols
// In f32 throughout; the published code iterates in bf16.
#pragma once

#include <cstdint>

#include "base/arena.h"
#include "base/context.h"

namespace minke {

// How much a step moves a matrix of n_rows outputs and n_cols inputs, times the learning rate.
//   kSpectral    sqrt(max(1, n_rows / n_cols)): Jordan's; wants a learning rate of its own, about 0.02
//   kMatchAdamw  0.2 sqrt(max(n_rows, n_cols)): moves as much as AdamW does, so that the rates of AdamW fit (Moonlight, arXiv
//                2502.16982, section 2.2; Kimi K2)
enum class MuonScale { kSpectral, kMatchAdamw };

double muon_scale(MuonScale scale, int64_t n_rows, int64_t n_cols);

// x [n_rows, n_cols] in place; zeros stay zeros. The arena is scratch and is left as it was. The same bits for any number of
// threads.
void orthogonalize(float* x, int64_t n_rows, int64_t n_cols, int n_iterations, Arena& arena, const Context& context);

}  // namespace minke
