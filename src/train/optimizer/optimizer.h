// AdamW for all parameters, or Muon for the matrices between embedding and head and AdamW for the rest. Every number is
// updated on its own or by products with a fixed order, so the number of threads changes no bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/error.h"
#include "kernels/optimizer.h"
#include "train/optimizer/muon.h"
#include "train/parameters.h"

namespace minke {

enum class OptimizerKind { kAdamw, kMuon };

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kAdamw;
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
  double weight_decay = 0.1;    // decoupled: value *= 1 - lr * weight_decay, on rows that decay
  DType moments = DType::kF32;  // f32, or bf16 as DeepSeek-V3 (arXiv 2412.19437, section 3.3.2)
  double muon_momentum = 0.95;
  bool muon_nesterov = true;
  int muon_iterations = 5;
  MuonScale muon_scale = MuonScale::kMatchAdamw;
  double muon_lr_factor = 1.0;  // of Muon's rate to the scheduled one
};

// |g| over all gradients: squares in f64, summed in pieces whose order is that of the parameters.
double grad_norm(std::span<const Parameter> parameters, const Context& context);

// What gradients are multiplied with, so that their norm is at most max_norm; max_norm 0: no clipping.
double clip_scale(double norm, double max_norm);

// A tensor of the optimizer's state, for checkpoints: "m.NAME", "v.NAME", "momentum.NAME", "master.NAME".
struct StateTensor {
  std::string name;
  Shape shape;
  MutableFloats values;
  TensorView view() const { return {values.dtype, shape, values.data}; }
};

class Optimizer {
 public:
  // The parameters' memory must outlive the optimizer.
  static Result<std::unique_ptr<Optimizer>> create(std::span<const Parameter> parameters, const OptimizerOptions& options);

  // One step with gradients times grad_scale.
  void step(double lr, double grad_scale, const Context& context);

  // Steps taken: bias correction depends on it. Set when a checkpoint is restored.
  int64_t n_steps() const { return n_steps_; }
  void set_n_steps(int64_t n) { n_steps_ = n; }
  const OptimizerOptions& options() const { return options_; }
  std::vector<StateTensor> state() const;
  uint64_t memory_bytes() const { return n_bytes_; }

 private:
  struct Row {
    Parameter parameter;
    bool is_muon = false;
    MutableFloats first, second;  // m and v; momentum alone for Muon
  };
  struct Piece {  // of a row that AdamW updates
    size_t row;
    int64_t begin, n;
  };
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  Optimizer() = default;
  void step_adamw(double lr, double grad_scale, const Context& context);
  void step_muon(double lr, double grad_scale, const Context& context);
  void step_matrix(const Row& row, double lr, double grad_scale, Arena& arena, const Context& context);

  OptimizerOptions options_;
  std::vector<Row> rows_;
  std::vector<Piece> pieces_;
  std::vector<size_t> muon_rows_;
  std::unique_ptr<std::byte[], Free> memory_;
  uint64_t n_bytes_ = 0;
  int64_t n_steps_ = 0;
};

}  // namespace minke
