#include "convert/layout.h"

#include <map>
#include <unordered_map>

#include "base/check.h"

namespace minke {
namespace {

Result<Weight> weight_of(const BoundRow& bound, const ModelConfig& config) {
  const TensorView& tensor = *bound.tensor;
  if (bound.scales != nullptr) return make_weight(tensor, {*bound.scales, config.fp8_block_rows, config.fp8_block_cols});
  if (bound.row.expert >= 0 && tensor.shape.size() == 3) return make_stacked_weight(tensor, bound.row.expert);
  Weight weight = TRY(make_weight(tensor));
  // The elements of a bias are the rows of its matrix, and are reordered like them.
  if (tensor.shape.size() == 1 && bound.row.gguf_permuted_heads > 0) std::swap(weight.n_rows, weight.n_cols);
  return weight;
}

Piece raw_piece(const TensorView& view) {
  return {Weight{.dtype = view.dtype, .n_rows = view.n_rows(), .n_cols = view.n_cols(), .data = view.data}};
}

// The layer of a name such as "model.layers.3.mlp.gate.weight" and what follows it; -1 and everything for other names.
struct LayerName {
  int64_t layer = -1;
  std::string_view rest;
};
LayerName split_layer(std::string_view name) {
  for (std::string_view prefix : {"model.layers.", "blk."}) {
    if (!name.starts_with(prefix)) continue;
    std::string_view digits = name.substr(prefix.size());
    size_t n = digits.find('.');
    if (n == 0 || n > 6 || digits.find_first_not_of("0123456789") != n) break;
    return {std::stol(std::string(digits.substr(0, n))), digits.substr(n + 1)};
  }
  return {-1, name};
}

// Kinds of tensors by their names; what no row names are buffers such as inv_freq.
class KindByName {
 public:
  explicit KindByName(const SourceModel& source) {
    for (const BoundRow& bound : source.rows) kinds_.emplace(split_layer(bound.file_name).rest, bound.row.kind);
  }
  WeightKind operator()(const TensorMap::Entry& entry) const {
    auto found = kinds_.find(split_layer(entry.name).rest);
    if (found != kinds_.end()) return found->second;
    return entry.view.shape.size() < 2 ? WeightKind::kNorm : WeightKind::kLinear;
  }

 private:
  std::unordered_map<std::string_view, WeightKind> kinds_;  // the names are those of the bound rows
};

// Makes the pieces of one target row from the source's rows.
class RowFinder {
 public:
  RowFinder(const SourceModel& source, ModelFormat format) : config_(source.config) {
    bool permutes = source.architecture().gguf_permutes_qk;
    bool from = permutes && source.is_gguf(), to = permutes && format == ModelFormat::kGguf;
    if (from != to) order_ = to ? RowOrder::kHalvesToPairs : RowOrder::kPairsToHalves;
    for (const BoundRow& bound : source.rows) {
      by_name_.emplace(bound.row.name, &bound);
      by_kind_.emplace(std::pair(bound.row.layer, bound.row.kind), &bound);
    }
  }

  // The main model's matrix is meant, and no tensor is written.
  bool is_left_out(const WeightRow& target) const { return target.is_shared && !by_name_.contains(target.name); }

  Result<std::vector<Piece>> pieces(const WeightRow& target) const {
    auto found = by_name_.find(target.name);
    if (found != by_name_.end()) {
      Piece piece{TRY(weight_of(*found->second, config_))};
      if (target.gguf_permuted_heads > 0 && order_ != RowOrder::kSame) {
        piece.order = order_;
        piece.head_rows = target.shape[0] / target.gguf_permuted_heads;
      }
      return std::vector{piece};
    }
    if (target.kind == WeightKind::kLatentUp) return merged_latent(target.layer);
    return cut_latent(target.layer, target.kind);
  }

 private:
  Result<Weight> find(int64_t layer, WeightKind kind) const {
    auto found = by_kind_.find({layer, kind});
    CHECK(found != by_kind_.end(), "layer {} has no latent up-projection", layer);
    return weight_of(*found->second, config_);
  }

  // kv_b_proj from attn_k_b and attn_v_b, head by head.
  Result<std::vector<Piece>> merged_latent(int64_t layer) const {
    Weight keys = TRY(find(layer, WeightKind::kLatentUpKey)), values = TRY(find(layer, WeightKind::kLatentUpValue));
    std::vector<Piece> pieces;
    for (int64_t head = 0; head < config_.n_heads; head++) {
      pieces.push_back({keys.slice_rows(head * config_.kv_lora_rank, config_.kv_lora_rank), RowOrder::kTransposed});
      pieces.push_back({values.slice_rows(head * config_.v_head_dim, config_.v_head_dim)});
    }
    return pieces;
  }

  // The key or the value half of every head of kv_b_proj.
  Result<std::vector<Piece>> cut_latent(int64_t layer, WeightKind half) const {
    Weight whole = TRY(find(layer, WeightKind::kLatentUp));
    int64_t nope = config_.qk_nope_head_dim, v_dim = config_.v_head_dim;
    std::vector<Piece> pieces;
    for (int64_t head = 0; head < config_.n_heads; head++) {
      int64_t first = head * (nope + v_dim);
      if (half == WeightKind::kLatentUpKey) {
        pieces.push_back({whole.slice_rows(first, nope), RowOrder::kTransposed});
      } else {
        pieces.push_back({whole.slice_rows(first + nope, v_dim)});
      }
    }
    return pieces;
  }

  const ModelConfig& config_;
  RowOrder order_ = RowOrder::kSame;
  std::unordered_map<std::string_view, const BoundRow*> by_name_;
  std::map<std::pair<int64_t, WeightKind>, const BoundRow*> by_kind_;
};

// GGUF -> GGUF keeps the frequency divisors, which are no row of the table.
void add_rope_freqs(std::vector<TargetTensor>& targets, const TensorMap& tensors) {
  const TensorView* view = tensors.find(std::string(kRopeFreqs));
  if (view == nullptr) return;
  targets.push_back({std::string(kRopeFreqs), view->shape, WeightKind::kNorm, {raw_piece(*view)}});
}

}  // namespace

MlaLayout SourceModel::mla() const {
  for (const BoundRow& bound : rows) {
    if (bound.row.kind == WeightKind::kLatentUpKey) return MlaLayout::kSplit;
  }
  return MlaLayout::kClassic;
}

Result<SourceModel> open_source(const std::string& path) {
  SourceModel source;
  source.files = TRY(open_model(path));
  source.config = TRY(read_model_config(source.files));
  // Checkpoints of tied models may leave lm_head out without saying so.
  if (!source.is_gguf() && source.files.tensors.find("lm_head.weight") == nullptr) source.config.tied_embeddings = true;
  ModelWeights unused;
  source.rows = TRY(bind_weights(source.files, source.config, unused));
  for (BoundRow& bound : source.rows) {
    bound.row.matrix = nullptr;
    bound.row.vector = nullptr;
    bound.row.linear = nullptr;
  }
  return source;
}

void drop_mtp(SourceModel& source) {
  std::erase_if(source.rows, [&](const BoundRow& bound) { return bound.row.layer >= source.config.n_layers; });
  source.config.n_mtp_layers = 0;
}

bool TargetTensor::is_transposed() const {
  for (const Piece& piece : pieces) {
    if (piece.order == RowOrder::kTransposed) return true;
  }
  return false;
}

DType TargetTensor::source_dtype() const {
  DType common = pieces.front().weight.dtype;
  for (const Piece& piece : pieces) {
    if (piece.weight.dtype != common) return DType::kF32;
  }
  return common;
}

Result<std::vector<TargetTensor>> lay_out_rows(const SourceModel& source, ModelFormat format, MlaLayout mla) {
  bool to_gguf = format == ModelFormat::kGguf;
  if (to_gguf && source.architecture().gguf_name.empty()) {
    return error("architecture {} has no GGUF form", source.config.architecture);
  }
  RowFinder finder(source, format);
  ModelWeights unused;
  std::vector<TargetTensor> targets;
  std::unordered_map<std::string, size_t> stacked;  // name of a stacked tensor -> its place
  for (const WeightRow& row : weight_rows(source.config, unused, to_gguf && mla == MlaLayout::kSplit)) {
    const std::string& name = to_gguf ? row.gguf_name : row.hf_name;
    if (finder.is_left_out(row)) continue;
    if (name.empty()) return error("{} has no tensor for {}", to_gguf ? "GGUF" : "the Hugging Face layout", row.name);
    std::vector<Piece> pieces = TRY_IN(name, finder.pieces(row));
    bool is_stacked = to_gguf && row.expert >= 0;
    if (auto place = stacked.find(name); is_stacked && place != stacked.end()) {
      TargetTensor& target = targets[place->second];
      target.pieces.insert(target.pieces.end(), pieces.begin(), pieces.end());
      target.shape[0]++;
      continue;
    }
    TargetTensor target{name, row.shape, row.kind, std::move(pieces)};
    if (is_stacked) {
      target.shape.insert(target.shape.begin(), 1);
      stacked.emplace(name, targets.size());
    }
    targets.push_back(std::move(target));
  }
  if (to_gguf && source.is_gguf()) add_rope_freqs(targets, source.files.tensors);
  return targets;
}

Result<std::vector<TargetTensor>> lay_out_same(const SourceModel& source, bool apply_scales) {
  const ModelConfig& config = source.config;
  const TensorMap& tensors = source.files.tensors;
  KindByName kind_of(source);
  std::vector<TargetTensor> targets;
  for (const TensorMap::Entry& entry : tensors.entries()) {
    std::string base = entry.name.ends_with(kScaleSuffix) ? entry.name.substr(0, entry.name.size() - kScaleSuffix.size()) : "";
    bool is_scale = !base.empty() && tensors.find(base) != nullptr;
    if (is_scale && apply_scales) continue;
    TargetTensor target{entry.name, entry.view.shape, kind_of(entry), {raw_piece(entry.view)}};
    const TensorView* scales = tensors.find(entry.name + std::string(kScaleSuffix));
    if (scales != nullptr && apply_scales) {
      BlockScales blocks{*scales, config.fp8_block_rows, config.fp8_block_cols};
      target.pieces[0].weight = TRY_IN(entry.name, make_weight(entry.view, blocks));
    }
    targets.push_back(std::move(target));
  }
  return targets;
}

}  // namespace minke
