#include "quantize/importance.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "format/gguf.h"
#include "format/gguf_writer.h"
#include "quantize/quantize_row.h"
#include "tensor/tensor.h"

namespace minke {
namespace {

constexpr std::string_view kSums = ".in_sum2", kCounts = ".counts";
constexpr std::string_view kGeneralType = "imatrix", kDatasetsKey = "imatrix.datasets", kChunkCountKey = "imatrix.chunk_count",
                           kChunkSizeKey = "imatrix.chunk_size";

Status expect_f32(const TensorMap::Entry& entry) {
  if (entry.view.dtype == DType::kF32 && entry.view.shape.size() <= 3) return {};
  return error("tensor {}: expected f32 of up to 3 dimensions, got {} {}", entry.name, dtype_name(entry.view.dtype),
               shape_text(entry.view.shape));
}

float f32_at(const TensorView& view, int64_t i) {
  float value;
  std::memcpy(&value, view.data + static_cast<size_t>(i) * sizeof(float), sizeof(value));
  return value;
}

Result<ColumnSums> read_sums(const TensorMap::Entry& entry, const TensorMap& tensors) {
  TRY(expect_f32(entry));
  const TensorView& view = entry.view;
  const std::string name = entry.name.substr(0, entry.name.size() - kSums.size());
  const TensorView* counts = tensors.find(name + std::string(kCounts));
  if (counts == nullptr) return error("tensor {}: {}{} is missing", entry.name, name, kCounts);
  TRY(expect_f32({name + std::string(kCounts), *counts}));
  ColumnSums sums;
  sums.n_cols = view.n_cols();
  sums.n_matrices = view.n_rows();
  if (counts->n_elements() != sums.n_matrices) {
    return error("tensor {}{}: expected {} counts, got {}", name, kCounts, sums.n_matrices, counts->n_elements());
  }
  for (int64_t i = 0; i < view.n_elements(); i++) sums.squares.push_back(f32_at(view, i));
  for (int64_t i = 0; i < sums.n_matrices; i++) {
    const float count = f32_at(*counts, i);
    if (!(count >= 0 && count < 9e18f)) return error("tensor {}{}: {} is no count", name, kCounts, count);
    sums.counts.push_back(static_cast<int64_t>(count));
  }
  return sums;
}

}  // namespace

Result<Importance> read_importance(const std::string& path) {
  GgufFile file = TRY(open_gguf(path));
  const GgufMetadata& keys = file.metadata;
  std::string type = keys.has("general.type") ? TRY_IN(path, keys.string("general.type")) : std::string("missing");
  if (type != kGeneralType) {
    return error("{}: general.type is {}, expected {}: a file made by minke imatrix, or by llama.cpp's imatrix as GGUF", path,
                 type, kGeneralType);
  }
  Importance importance;
  importance.file = std::filesystem::path(path).filename().string();
  if (keys.has(kDatasetsKey)) importance.datasets = TRY_IN(path, keys.strings(kDatasetsKey));
  if (keys.has(kChunkSizeKey)) importance.chunk_size = TRY_IN(path, keys.integer(kChunkSizeKey));
  if (keys.has(kChunkCountKey)) importance.n_chunks = TRY_IN(path, keys.integer(kChunkCountKey));
  for (const TensorMap::Entry& entry : file.tensors.entries()) {
    if (!entry.name.ends_with(kSums)) continue;
    ColumnSums sums = TRY_IN(path, read_sums(entry, file.tensors));
    importance.tensors.emplace(entry.name.substr(0, entry.name.size() - kSums.size()), std::move(sums));
  }
  if (importance.tensors.empty()) return error("{}: holds no tensor NAME{}", path, kSums);
  return importance;
}

Status write_importance(const std::string& path, const Importance& importance) {
  GgufMetadata keys;
  keys.set("general.type", GgufValue::string(std::string(kGeneralType)));
  keys.set(std::string(kDatasetsKey), GgufValue::strings(importance.datasets));
  keys.set(std::string(kChunkCountKey), GgufValue::u32(static_cast<uint32_t>(importance.n_chunks)));
  keys.set(std::string(kChunkSizeKey), GgufValue::u32(static_cast<uint32_t>(importance.chunk_size)));
  std::vector<Tensor> tensors;
  tensors.reserve(2 * importance.tensors.size());
  std::vector<TensorSource> sources;
  auto add = [&](std::string name, Shape shape, const auto& values) {
    Tensor& tensor = tensors.emplace_back(DType::kF32, std::move(shape));
    std::transform(values.begin(), values.end(), tensor.f32(), [](auto value) { return static_cast<float>(value); });
    sources.push_back(tensor_source(std::move(name), tensor.view()));
  };
  for (const auto& [name, sums] : importance.tensors) {
    // As ggml writes shapes: without a leading 1.
    const bool is_stacked = sums.n_matrices > 1;
    add(name + std::string(kSums), is_stacked ? Shape{sums.n_matrices, sums.n_cols} : Shape{sums.n_cols}, sums.squares);
    add(name + std::string(kCounts), is_stacked ? Shape{sums.n_matrices, 1} : Shape{1}, sums.counts);
  }
  return write_gguf(path, keys, sources);
}

Result<RowWeights> row_weights(const Importance& importance, std::string_view gguf_name, const Shape& shape) {
  RowWeights weights;
  auto found = importance.tensors.find(gguf_name);
  if (found == importance.tensors.end()) return weights;
  const ColumnSums& sums = found->second;
  const int64_t n_matrices = shape.size() == 3 ? shape[0] : 1;
  if (sums.n_cols != shape.back() || sums.n_matrices != n_matrices) {
    return error("tensor {}: importances are for {} matrices of {} columns, the tensor has shape {}", gguf_name,
                 sums.n_matrices, sums.n_cols, shape_text(shape));
  }
  weights.rows_per_matrix = shape[shape.size() - 2];
  for (int64_t m = 0; m < n_matrices; m++) {
    const double count = static_cast<double>(std::max<int64_t>(sums.counts[static_cast<size_t>(m)], 1));
    std::vector<float> means(static_cast<size_t>(sums.n_cols));
    for (size_t c = 0; c < means.size(); c++) {
      means[c] = static_cast<float>(sums.squares[static_cast<size_t>(m) * means.size() + c] / count);
    }
    weights.matrices.push_back(column_weights(means.data(), sums.n_cols));
  }
  return weights;
}

}  // namespace minke
