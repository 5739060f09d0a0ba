#include "train/optimizer/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"

namespace minke {
namespace {

constexpr int64_t kPiece = 32768;  // elements: part of the order of the norm's sums


// The part of a row that begins at an element.
MutableFloats part(MutableFloats floats, int64_t begin) {
  return {floats.data + begin * static_cast<int64_t>(dtype_info(floats.dtype).block_bytes), floats.dtype};
}

TrainedValues part(const Parameter& p, int64_t begin) {
  return {part(MutableFloats{p.value, p.dtype}, begin), p.master == nullptr ? nullptr : p.master + begin};
}

// Embedding and head are tables of vectors, one per token, not maps between hidden spaces: they stay with AdamW, as everywhere.
bool is_hidden_matrix(const Parameter& p) {
  return p.is_matrix && p.kind != WeightKind::kEmbedding && p.kind != WeightKind::kLmHead;
}

}  // namespace

double grad_norm(std::span<const Parameter> parameters, const Context& context) {
  struct Part {
    const float* grad;
    int64_t n;
  };
  std::vector<Part> parts;
  for (const Parameter& p : parameters) {
    for (int64_t begin = 0; begin < p.n; begin += kPiece) parts.push_back({p.grad + begin, std::min(kPiece, p.n - begin)});
  }
  std::vector<double> sums(parts.size());
  context.parallel_for(static_cast<int64_t>(parts.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); i++) {
      sums[i] = sum_of_squares(parts[i].grad, parts[i].n, context.isa);
    }
  });
  double total = 0;
  for (double sum : sums) total += sum;
  return std::sqrt(total);
}

double clip_scale(double norm, double max_norm) { return max_norm > 0 && norm > max_norm ? max_norm / norm : 1.0; }

Result<std::unique_ptr<Optimizer>> Optimizer::create(std::span<const Parameter> parameters, const OptimizerOptions& options) {
  CHECK(options.moments == DType::kF32 || options.moments == DType::kBF16, "moments in {}", dtype_name(options.moments));
  std::unique_ptr<Optimizer> optimizer(new Optimizer());
  optimizer->options_ = options;
  const uint64_t element_bytes = dtype_info(options.moments).block_bytes;
  uint64_t n_bytes = 0;
  for (const Parameter& p : parameters) {
    const bool is_muon = options.kind == OptimizerKind::kMuon && is_hidden_matrix(p);
    n_bytes += (is_muon ? 1 : 2) * aligned(element_bytes * static_cast<uint64_t>(p.n));
    optimizer->rows_.push_back({p, is_muon, {}, {}});
  }
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(64, std::max(n_bytes, uint64_t{64})));
  if (memory == nullptr) return error("out of memory: {:.2f} GB for the optimizer's state", static_cast<double>(n_bytes) / 1e9);
  std::memset(memory, 0, n_bytes);
  optimizer->memory_.reset(memory);
  optimizer->n_bytes_ = n_bytes;
  for (size_t i = 0; i < optimizer->rows_.size(); i++) {
    Row& row = optimizer->rows_[i];
    const int64_t n = row.parameter.n;
    auto take = [&] {
      MutableFloats floats = {memory, options.moments};
      memory += aligned(element_bytes * static_cast<uint64_t>(n));
      return floats;
    };
    row.first = take();
    if (row.is_muon) {
      optimizer->muon_rows_.push_back(i);
      continue;
    }
    row.second = take();
    for (int64_t begin = 0; begin < n; begin += kPiece) {
      optimizer->pieces_.push_back({i, begin, std::min(kPiece, n - begin)});
    }
  }
  return optimizer;
}

void Optimizer::step(double lr, double grad_scale, const Context& context) {
  n_steps_++;
  step_adamw(lr, grad_scale, context);
  step_muon(lr, grad_scale, context);
}

void Optimizer::step_adamw(double lr, double grad_scale, const Context& context) {
  const auto t = static_cast<double>(n_steps_);
  AdamwNumbers numbers = {.beta1 = options_.beta1,
                          .beta2 = options_.beta2,
                          .eps = options_.eps,
                          .decay = 1.0,
                          .step_size = lr / (1.0 - std::pow(options_.beta1, t)),
                          .inverse_root_correction = 1.0 / std::sqrt(1.0 - std::pow(options_.beta2, t)),
                          .grad_scale = grad_scale};
  AdamwNumbers decaying = numbers;
  decaying.decay = 1.0 - lr * options_.weight_decay;
  context.parallel_for(static_cast<int64_t>(pieces_.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); i++) {
      const Piece& piece = pieces_[i];
      const Row& row = rows_[piece.row];
      const Parameter& p = row.parameter;
      adamw(part(p, piece.begin), part(row.first, piece.begin), part(row.second, piece.begin), p.grad + piece.begin, piece.n,
            p.decays ? decaying : numbers, context.isa);
    }
  });
}

void Optimizer::step_muon(double lr, double grad_scale, const Context& context) {
  const auto n = static_cast<int64_t>(muon_rows_.size());
  // Many matrices: a thread each, and the products inside run on it. Few: one after the other with all threads.
  const bool is_many = n >= 4 * context.n_threads();
  auto run = [&](int64_t begin, int64_t end) {
    Arena arena;
    for (int64_t i = begin; i < end; i++) {
      arena.reset();
      step_matrix(rows_[muon_rows_[static_cast<size_t>(i)]], lr, grad_scale, arena, context);
    }
  };
  if (is_many) {
    context.parallel_for(n, 1, run);
  } else {
    run(0, n);
  }
}

void Optimizer::step_matrix(const Row& row, double lr, double grad_scale, Arena& arena, const Context& context) {
  const Parameter& p = row.parameter;
  const int64_t n_cols = p.shape.back(), n_rows = p.n / std::max(n_cols, int64_t{1});
  float* update = arena.allocate<float>(p.n);
  const MomentumNumbers numbers = {options_.muon_momentum, options_.muon_nesterov, grad_scale};
  context.parallel_for(p.n, kPiece, [&](int64_t begin, int64_t end) {
    momentum(update + begin, part(row.first, begin), p.grad + begin, end - begin, numbers, context.isa);
  });
  orthogonalize(update, n_rows, n_cols, options_.muon_iterations, arena, context);
  const double rate = lr * options_.muon_lr_factor;
  const double decay = p.decays ? 1.0 - rate * options_.weight_decay : 1.0;
  const double step_size = rate * muon_scale(options_.muon_scale, n_rows, n_cols);
  context.parallel_for(p.n, kPiece, [&](int64_t begin, int64_t end) {
    apply_update(part(p, begin), update + begin, end - begin, decay, step_size, context.isa);
  });
}

std::vector<StateTensor> Optimizer::state() const {
  std::vector<StateTensor> tensors;
  for (const Row& row : rows_) {
    const Parameter& p = row.parameter;
    if (p.master != nullptr) {
      tensors.push_back({"master." + p.name, p.shape, {reinterpret_cast<std::byte*>(p.master), DType::kF32}});
    }
    tensors.push_back({(row.is_muon ? "momentum." : "m.") + p.name, p.shape, row.first});
    if (!row.is_muon) tensors.push_back({"v." + p.name, p.shape, row.second});
  }
  return tensors;
}

}  // namespace minke
