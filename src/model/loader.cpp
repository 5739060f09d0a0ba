#include "model/loader.h"

#include <algorithm>
#include <unordered_set>

#include "kernels/convert.h"
#include "kernels/packed/layout.h"
#include "model/arch/architecture.h"

namespace minke {
namespace {

int64_t layer_of(std::string_view tensor_name) {
  for (std::string_view prefix : {"model.layers.", "blk."}) {
    if (!tensor_name.starts_with(prefix)) continue;
    tensor_name.remove_prefix(prefix.size());
    int64_t layer = 0;
    size_t n_digits = 0;
    while (n_digits < tensor_name.size() && n_digits < 6 && std::isdigit(static_cast<unsigned char>(tensor_name[n_digits]))) {
      layer = layer * 10 + (tensor_name[n_digits++] - '0');
    }
    return n_digits > 0 ? layer : -1;
  }
  return -1;
}

// Configs announce multi-token prediction that many files leave out.
bool has_mtp(const TensorMap& tensors, const ModelConfig& config) {
  return std::any_of(tensors.entries().begin(), tensors.entries().end(), [&](const TensorMap::Entry& entry) {
    int64_t layer = layer_of(entry.name);
    return layer >= config.n_layers && layer < config.n_layers + config.n_mtp_layers;
  });
}

bool may_be_left_over(const std::string& name, const ModelConfig& config, bool is_gguf) {
  if (is_gguf) {
    if (name == kRopeFreqs) return true;
    // Some files hold kv_b_proj whole and split; the whole one is used.
    return config.attention == AttentionKind::kMla &&
           (name.ends_with(".attn_k_b.weight") || name.ends_with(".attn_v_b.weight"));
  }
  if (name.ends_with(".rotary_emb.inv_freq")) return true;  // a buffer of old checkpoints, computed from the config here
  return config.tied_embeddings && name == "lm_head.weight";
}

// GGUF stacks experts; HF holds one matrix each. Everything else has the row's own shape, but for ik_llama's files, which
// flatten the per-head matrices of attn_k_b and attn_v_b to two dimensions.
bool shape_fits(const Shape& shape, const WeightRow& row, const ModelConfig& config, bool is_gguf) {
  if (is_gguf && row.expert >= 0) {
    return shape == Shape{config.moe.n_routed_experts, row.shape[0], row.shape[1]};
  }
  if (row.kind == WeightKind::kLatentUpKey || row.kind == WeightKind::kLatentUpValue) {
    return shape == row.shape || shape == Shape{row.shape[0] * row.shape[1], row.shape[2]};
  }
  return shape == row.shape;
}

// Gathers problems, so that one message says how many there are and names the first of each kind.
struct Problems {
  std::vector<std::string> missing, left_over;

  Status status(std::string_view where) const {
    auto list = [](const std::vector<std::string>& names) {
      std::string text = fmt::format("\"{}\"", names[0]);
      if (names.size() > 1) text += fmt::format(" and {} more", names.size() - 1);
      return text;
    };
    if (!missing.empty()) return error("{}: tensor {} missing; the checkpoint does not fit its config", where, list(missing));
    if (!left_over.empty()) {
      return error("{}: tensor {} not known to this architecture; running without it would give wrong answers", where,
                   list(left_over));
    }
    return {};
  }
};

Status bind_scales(BoundRow& bound, const ModelFiles& files, const ModelConfig& config) {
  if (bound.tensor->dtype != DType::kF8E4M3) return {};
  std::string name = bound.file_name + std::string(kScaleSuffix);
  bound.scales = files.tensors.find(name);
  if (bound.scales == nullptr)
    return error("{}: tensor \"{}\" missing: \"{}\" is FP8 and needs its scales", files.weights, name, bound.file_name);
  if (config.fp8_block_rows == 0) {
    return error("{}: \"{}\" is FP8, but config.json has no quantization_config.weight_block_size", files.weights,
                 bound.file_name);
  }
  return {};
}

}  // namespace

Result<ModelConfig> read_model_config(const ModelFiles& files) {
  ModelConfig config;
  if (files.format == ModelFormat::kGguf) {
    config = TRY_IN(files.weights, read_gguf_config(files.gguf, files.tensors));
  } else {
    if (files.config.empty()) return error("{}: config.json missing; expected beside the weights", files.weights);
    config = TRY(read_hf_config(files.config));
  }
  if (!has_mtp(files.tensors, config)) config.n_mtp_layers = 0;
  return config;
}

Result<std::vector<BoundRow>> bind_weights(const ModelFiles& files, const ModelConfig& config, ModelWeights& weights) {
  bool is_gguf = files.format == ModelFormat::kGguf;
  bool split = is_gguf && files.tensors.find("blk.0.attn_kv_b.weight") == nullptr;
  std::vector<BoundRow> bound_rows;
  std::unordered_set<std::string> used;
  Problems problems;
  for (WeightRow& row : weight_rows(config, weights, split)) {
    BoundRow bound;
    bound.file_name = is_gguf ? row.gguf_name : row.hf_name;
    bound.tensor = bound.file_name.empty() ? nullptr : files.tensors.find(bound.file_name);
    if (bound.tensor == nullptr && row.is_shared) continue;
    if (bound.tensor == nullptr) {
      problems.missing.push_back(bound.file_name.empty() ? row.name : bound.file_name);
      continue;
    }
    if (!shape_fits(bound.tensor->shape, row, config, is_gguf)) {
      return error("{}: tensor \"{}\" has shape {}, expected {} from the config", files.weights, bound.file_name,
                   shape_text(bound.tensor->shape), shape_text(row.shape));
    }
    if (!dtype_info(bound.tensor->dtype).is_float) {
      return error("{}: tensor \"{}\" is {}, expected a float or quantised type", files.weights, bound.file_name,
                   dtype_name(bound.tensor->dtype));
    }
    TRY(bind_scales(bound, files, config));
    used.insert(bound.file_name);
    if (bound.scales != nullptr) used.insert(bound.file_name + std::string(kScaleSuffix));
    bound.row = std::move(row);
    bound_rows.push_back(std::move(bound));
  }
  for (const TensorMap::Entry& entry : files.tensors.entries()) {
    if (!used.contains(entry.name) && !may_be_left_over(entry.name, config, is_gguf)) problems.left_over.push_back(entry.name);
  }
  TRY(problems.status(files.weights));
  return bound_rows;
}

namespace {

Status fill_matrix(const BoundRow& bound, const ModelConfig& config, bool is_gguf) {
  BlockScales scales;
  if (bound.scales != nullptr) scales = {*bound.scales, config.fp8_block_rows, config.fp8_block_cols};
  if (is_gguf && bound.row.expert >= 0) {
    *bound.row.matrix = TRY_IN(bound.file_name, make_stacked_weight(*bound.tensor, bound.row.expert));
  } else if (bound.scales != nullptr) {
    *bound.row.matrix = TRY_IN(bound.file_name, make_weight(*bound.tensor, scales));
  } else {
    *bound.row.matrix = TRY_IN(bound.file_name, make_weight(*bound.tensor));
  }
  return {};
}

Vector to_vector(const TensorView& tensor) {
  Vector values(static_cast<size_t>(tensor.n_elements()));
  dequantize_row(values.data(), tensor.dtype, tensor.data, tensor.n_elements());
  return values;
}

// Of all layers that have one.
std::vector<LatentUp*> latent_ups_of(ModelWeights& weights, const ModelConfig& c) {
  std::vector<LatentUp*> ups;
  if (c.attention != AttentionKind::kMla) return ups;
  for (LayerWeights& layer : weights.layers) ups.push_back(&layer.attention.up);
  for (MtpWeights& mtp : weights.mtp) ups.push_back(&mtp.layer.attention.up);
  return ups;
}

// Every head's part of the two stacked tensors, which may be packed.
void cut_stacked(LatentUp& up, const ModelConfig& c) {
  const Weight keys = up.up_k[0], values = up.up_v[0];
  up.up_k.clear();
  up.up_v.clear();
  for (int64_t h = 0; h < c.n_heads; h++) {
    up.up_k.push_back(keys.slice_rows(h * c.kv_lora_rank, c.kv_lora_rank));
    up.up_v.push_back(values.slice_rows(h * c.v_head_dim, c.v_head_dim));
  }
}

// What products read: not the table of embeddings, of which a token takes one row, nor kv_b_proj as one matrix, of which only
// the value halves are packed. A router of floats keeps its exact inputs: a choice of experts hangs on small differences.
bool is_packable(const WeightRow& row, const ModelConfig& c) {
  if (row.kind == WeightKind::kEmbedding) return c.tied_embeddings;
  if (row.kind == WeightKind::kLatentUpKey) return c.kv_lora_rank % kPanelRows == 0;  // cut into heads afterwards
  if (row.kind == WeightKind::kLatentUpValue) return c.v_head_dim % kPanelRows == 0;
  return row.kind == WeightKind::kLinear || row.kind == WeightKind::kExpert || row.kind == WeightKind::kLmHead ||
         (row.kind == WeightKind::kRouter && dtype_info(row.matrix->dtype).is_quantized);
}

}  // namespace

// What is left for experts of a budget that cannot hold all weights; 0 when it can, or there is none.
Result<uint64_t> choose_expert_bytes(const std::vector<BoundRow>& rows, uint64_t budget) {
  uint64_t experts = 0, others = 0;
  for (const BoundRow& bound : rows) {
    if (bound.row.matrix == nullptr) continue;
    (bound.row.kind == WeightKind::kExpert ? experts : others) += bound.row.matrix->n_bytes();
  }
  if (budget == 0 || experts + others <= budget) return 0;
  const double gb = 1e9;
  if (experts == 0) {
    return error(
        "the weights take {:.2f} GB, {:.2f} GB of memory are allowed for them; only experts can stay on disk, and this model "
        "has none: allow more, or quantise it further",
        static_cast<double>(others) / gb, static_cast<double>(budget) / gb);
  }
  if (others >= budget) {
    return error("the weights without the experts take {:.2f} GB, {:.2f} GB of memory are allowed for all: allow more",
                 static_cast<double>(others) / gb, static_cast<double>(budget) / gb);
  }
  return budget - others;
}

Result<LoadedWeights> load_weights(const std::string& path, ModelWeights& weights, const LoadOptions& options) {
  auto files = std::make_shared<ModelFiles>(TRY(open_model(path)));
  LoadedWeights loaded;
  loaded.config = TRY(read_model_config(*files));
  ModelConfig& c = loaded.config;
  bool is_gguf = files->format == ModelFormat::kGguf;
  // Checkpoints of tied models may leave lm_head out without saying so.
  if (!is_gguf && files->tensors.find("lm_head.weight") == nullptr) c.tied_embeddings = true;
  std::vector<BoundRow> rows = TRY(bind_weights(*files, c, weights));
  if (!options.mtp) {
    std::erase_if(rows, [&](const BoundRow& bound) { return bound.row.layer >= c.n_layers; });
    weights.mtp.clear();
    c.n_mtp_layers = 0;
  }
  for (const BoundRow& bound : rows) {
    if (bound.row.vector != nullptr) {
      *bound.row.vector = to_vector(*bound.tensor);
    } else {
      TRY_IN(files->weights, fill_matrix(bound, c, is_gguf));
    }
  }
  const std::vector<LatentUp*> latent_ups = latent_ups_of(weights, c);
  for (LatentUp* up : latent_ups) {
    if (!up->up_k_transposed) cut_whole(*up, c);
  }
  loaded.expert_bytes = TRY_IN(files->weights, choose_expert_bytes(rows, options.memory_bytes));
  if (options.pack != nullptr) {
    std::vector<Weight*> packable;
    for (const BoundRow& bound : rows) {
      if (bound.row.kind == WeightKind::kExpert && loaded.expert_bytes > 0) continue;
      if (bound.row.matrix != nullptr && is_packable(bound.row, c)) packable.push_back(bound.row.matrix);
    }
    for (LatentUp* up : latent_ups) {
      for (Weight& values : up->up_v) {
        if (!up->up_k_transposed) packable.push_back(&values);
      }
    }
    loaded.packed = TRY(pack_weights(packable, files->tensors.files(), *options.pack));
  }
  share_matrices(c, weights);
  for (LatentUp* up : latent_ups) {
    if (up->up_k_transposed) cut_stacked(*up, c);
  }
  if (const TensorView* divisors = files->tensors.find(std::string(kRopeFreqs)); is_gguf && divisors != nullptr) {
    if (divisors->n_elements() != c.rope.dim / 2) {
      return error("{}: tensor \"{}\" has {} elements, expected {}", files->weights, kRopeFreqs, divisors->n_elements(),
                   c.rope.dim / 2);
    }
    loaded.rope_divisors = to_vector(*divisors);
  }
  loaded.files = std::move(files);
  return loaded;
}

}  // namespace minke
