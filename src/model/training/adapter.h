// Low-rank adapters (LoRA, Hu et al., arXiv 2106.09685) in the layout of PEFT: a folder with adapter_config.json and
// adapter_model.safetensors, whose tensors are "base_model.model." + the module's name + ".lora_A.weight" [rank, in] and
// ".lora_B.weight" [out, rank]. An adapted matrix gives W x + scale * B (A x), scale = alpha / rank, or alpha / sqrt(rank) with
// rslora (Kalajdzievski, arXiv 2312.03732).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "format/model_file.h"
#include "model/config.h"
#include "model/weights.h"
#include "tensor/tensor.h"

namespace minke {

constexpr std::string_view kAdapterWeightsFile = "adapter_model.safetensors";
constexpr std::string_view kAdapterConfigFile = "adapter_config.json";

struct AdapterConfig {
  int64_t rank = 0;
  double alpha = 0;
  bool rslora = false;
  std::vector<std::string> targets;  // PEFT's target_modules: the last parts of the modules' names, or whole names

  double scale() const;
};

// The text of adapter_config.json. `base` is the model that the adapter belongs to.
std::string write_adapter_config(const AdapterConfig& adapter, const ModelConfig& config, const std::string& base);

// A matrix that an adapter may hang on: projections of attention, of dense MLPs and of shared experts. Not those that are read
// in two forms (kv_b_proj), nor routed experts, routers, the embedding and the head.
struct AdapterSite {
  std::string module;  // "model.layers.0.self_attn.q_proj"
  int64_t n_out = 0, n_in = 0;
  int64_t head_rows = 0;  // > 0: the model holds the rows of each head in pairs (GGUF llama), the adapter's file in halves
  Linear* linear = nullptr;

  std::string tensor_name(char matrix) const;  // 'A' or 'B'
};
// The module of a row that a matrix is.
std::string module_of(const WeightRow& row);
// All of a model whose files have this format; `weights` may be empty, they are sized here.
std::vector<AdapterSite> adapter_sites(const ModelConfig& config, ModelWeights& weights, ModelFormat format);
// Those that the targets name. A target without a site is an error.
Result<std::vector<AdapterSite>> adapter_sites(const ModelConfig& config, ModelWeights& weights, ModelFormat format,
                                               const std::vector<std::string>& targets);

// The rows of B between the order of a file and that of a model in memory. head_rows 0: the same.
void rows_to_file(std::byte* file, const std::byte* memory, int64_t n_rows, size_t row_bytes, int64_t head_rows);
void rows_from_file(std::byte* memory, const std::byte* file, int64_t n_rows, size_t row_bytes, int64_t head_rows);

// The adapters of a folder, for a model of this configuration and format.
class AdapterSet {
 public:
  // Refused: tensors that belong to another model, and what PEFT can say and minke does not compute (DoRA, bias, ranks of
  // their own for some modules, initialisations that change the base).
  static Result<AdapterSet> load(const std::string& folder, const ModelConfig& config, ModelFormat format);

  const Adapter* find(const std::string& module) const;  // null: the module has none
  size_t size() const { return entries_.size(); }
  // The weights' matrices point to these adapters from now on: the set must outlive them.
  void attach(const ModelConfig& config, ModelWeights& weights) const;

 private:
  struct Entry {
    Tensor a, b;  // f32
    Adapter adapter;
  };
  std::map<std::string, Entry> entries_;  // by module
};

}  // namespace minke
