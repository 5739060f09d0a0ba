// The trainable tensors of a model: one Parameter per row of the weight table that has numbers of its own. A tied head and what
// modules of multi-token prediction share with the model are the same memory and have no row here; the bias of a router is not
// trained by gradients and is kept as a Buffer, for checkpoints.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/error.h"
#include "model/model.h"
#include "model/training/adapter.h"
#include "model/weights.h"
#include "tensor/tensor.h"

namespace minke {

// Where a tensor may begin in the memory that tensors share.
constexpr uint64_t kAlign = 64;
constexpr uint64_t aligned(uint64_t n_bytes) { return (n_bytes + kAlign - 1) / kAlign * kAlign; }

struct Parameter {
  std::string name;  // in the Hugging Face layout
  Shape shape;
  WeightKind kind = WeightKind::kLinear;
  int64_t layer = -1, expert = -1;
  bool decays = false;
  bool is_matrix = false;
  DType dtype = DType::kF32;   // of value: f32 or bf16
  std::byte* value = nullptr;  // what the forward pass reads
  float* master = nullptr;     // null when value is f32 or no master is wanted
  float* grad = nullptr;
  int64_t n = 0;          // elements
  int64_t head_rows = 0;  // of an adapter: AdapterSite::head_rows

  TensorView value_view() const { return {dtype, shape, value}; }
};

// Numbers of a model that belong to a checkpoint and that no gradient changes.
struct Buffer {
  std::string name;
  Vector* values = nullptr;
};

struct ParameterOptions {
  DType dtype = DType::kF32;  // of matrices: f32 or bf16. Norms and biases are f32 always
  bool has_master = true;     // f32 copies of bf16 matrices, which updates work on
};

class ParameterStore {
 public:
  // Allocates values, masters and gradients (all zero) and points `weights` at them. The weights' own vectors hold the norms
  // and biases, so `weights` must stay where it is and outlive the store.
  static Result<std::unique_ptr<ParameterStore>> create(const ModelConfig& config, ModelWeights& weights,
                                                        const ParameterOptions& options);

  // Adapters for matrices of a loaded model whose own weights stay as they are: two parameters for each site that
  // `adapter.targets` name, called as in the file of an adapter. The model must not be packed.
  static Result<std::unique_ptr<ParameterStore>> create_adapters(Model& model, const AdapterConfig& adapter,
                                                                 const ParameterOptions& options);

  std::span<Parameter> parameters() { return parameters_; }
  std::span<const Parameter> parameters() const { return parameters_; }
  std::span<const Buffer> buffers() const { return buffers_; }
  const ParameterOptions& options() const { return options_; }
  int64_t n_elements() const { return n_elements_; }
  uint64_t memory_bytes() const { return values_.size + masters_.size + grads_.size; }

  // Matrices Normal(0, std), norms 1, biases 0. A number depends on seed, name and index alone, so another number of threads,
  // another depth or storage changes none (bf16 is the rounding of the same f32).
  void initialize(uint64_t seed, double std, const Context& context);

  // A Uniform(-1/sqrt(in), 1/sqrt(in)), which is PEFT's kaiming_uniform with a = sqrt(5), and B 0: at first the model computes
  // what it did without adapters. Numbers depend on seed, name and index alone.
  void initialize_adapters(uint64_t seed, const Context& context);

  // The numbers of a loaded model with this store's configuration: of the Hugging Face layout and not packed. Quantised ones
  // are decoded. Refused when a module of multi-token prediction has an embedding or a head other than the model's.
  Status copy_from(const Model& model, const Context& context);

  void zero_grads(const Context& context);

 private:
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  struct Block {  // zeroed, 64-byte aligned
    std::unique_ptr<std::byte[], Free> memory;
    uint64_t size = 0;
  };
  ParameterStore() = default;
  static Result<Block> allocate(uint64_t size, std::string_view what);
  // Memory for values of matrices, masters and gradients of all parameters.
  Status place();
  void set_values(Parameter& parameter, const float* f32, int64_t begin, int64_t n);

  ModelConfig config_;
  std::vector<std::unique_ptr<Adapter>> adapters_;
  ParameterOptions options_;
  std::vector<Parameter> parameters_;
  std::vector<Buffer> buffers_;
  Block values_, masters_, grads_;
  int64_t n_elements_ = 0;
};

}  // namespace minke
