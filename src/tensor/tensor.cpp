#include "tensor/tensor.h"

#include <fmt/ranges.h>

#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "base/checked.h"

namespace minke {

std::string shape_text(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

Result<size_t> tensor_bytes(DType dtype, const Shape& shape) {
  auto n_elements = checked_product(shape);
  if (!n_elements) return error("shape {}: negative or larger than 2^63-1 elements", shape_text(shape));
  int64_t n_cols = shape.empty() ? 1 : shape.back();
  if (*n_elements == 0) return 0;
  auto row = row_bytes(dtype, n_cols);
  if (!row && n_cols % dtype_info(dtype).block_elements == 0) {
    return error("shape {} of {}: size overflows", shape_text(shape), dtype_name(dtype));
  }
  if (!row) {
    return error("shape {}: rows of {} elements are not a multiple of the {}-element blocks of {}", shape_text(shape), n_cols,
                 dtype_info(dtype).block_elements, dtype_name(dtype));
  }
  auto total = checked_mul<size_t>(*row, static_cast<size_t>(*n_elements / n_cols));
  if (!total || *total > size_t{1} << 62) return error("shape {} of {}: size overflows", shape_text(shape), dtype_name(dtype));
  return *total;
}

int64_t TensorView::n_elements() const {
  int64_t n = 1;
  for (int64_t dim : shape) n *= dim;
  return n;
}

size_t TensorView::n_bytes() const {
  auto bytes = tensor_bytes(dtype, shape);
  CHECK(bytes.has_value(), "{}", bytes.error().message);
  return *bytes;
}

int64_t TensorView::n_cols() const { return shape.empty() ? 1 : shape.back(); }

int64_t TensorView::n_rows() const {
  int64_t n = 1;
  for (size_t i = 0; i + 1 < shape.size(); i++) n *= shape[i];
  return n;
}

void Tensor::Free::operator()(std::byte* p) const { std::free(p); }

Tensor::Tensor(DType dtype, Shape shape) {
  auto bytes = tensor_bytes(dtype, shape);
  CHECK(bytes.has_value(), "{}", bytes.error().message);
  size_t padded = (*bytes + 63) / 64 * 64;
  storage_.reset(static_cast<std::byte*>(std::aligned_alloc(64, padded == 0 ? 64 : padded)));
  CHECK(storage_ != nullptr, "out of memory for {} bytes", padded);
  std::memset(storage_.get(), 0, padded);
  view_ = {dtype, std::move(shape), storage_.get()};
}

float* Tensor::f32() {
  CHECK(view_.dtype == DType::kF32, "{}", dtype_name(view_.dtype));
  return reinterpret_cast<float*>(storage_.get());
}

const float* Tensor::f32() const {
  CHECK(view_.dtype == DType::kF32, "{}", dtype_name(view_.dtype));
  return reinterpret_cast<const float*>(storage_.get());
}

Status TensorMap::add(std::string name, TensorView view) {
  if (!index_.emplace(name, entries_.size()).second) return error("tensor \"{}\" appears twice", name);
  entries_.push_back({std::move(name), std::move(view)});
  return {};
}

const TensorView* TensorMap::find(const std::string& name) const {
  auto it = index_.find(name);
  return it == index_.end() ? nullptr : &entries_[it->second].view;
}

}  // namespace minke
