// Tensors: a shape, a dtype and bytes. Shapes are in the order of PyTorch and safetensors (slowest axis first, the last
// axis contiguous), also for GGUF files, whose own order is reversed on reading and writing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "tensor/dtype.h"

namespace minke {

using Shape = std::vector<int64_t>;

std::string shape_text(const Shape& shape);  // "[4096, 1024]"

// Bytes of a whole tensor: checked product of the shape, rows a multiple of the quant block. A scalar (empty shape) is
// one element.
Result<size_t> tensor_bytes(DType dtype, const Shape& shape);

// A tensor that somebody else owns (a mapped file, a Tensor). The bytes need not be aligned.
struct TensorView {
  DType dtype = DType::kF32;
  Shape shape;
  const std::byte* data = nullptr;

  int64_t n_elements() const;
  size_t n_bytes() const;
  // Rows and columns of a matrix: the last axis is a row, all others together count rows. A vector is one row.
  int64_t n_rows() const;
  int64_t n_cols() const;
  std::span<const std::byte> bytes() const { return {data, n_bytes()}; }
};

// A tensor with its own memory, 64-byte aligned.
class Tensor {
 public:
  Tensor() = default;
  Tensor(DType dtype, Shape shape);  // zero-filled; the shape must be valid for the dtype

  const TensorView& view() const { return view_; }
  std::byte* data() { return storage_.get(); }
  float* f32();
  const float* f32() const;

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  TensorView view_;
  std::unique_ptr<std::byte[], Free> storage_;
};

// Named tensors, in file order, with whatever keeps their bytes alive (mapped files, owned tensors).
class TensorMap {
 public:
  // An error if the name is there already.
  Status add(std::string name, TensorView view);
  // The files that the tensors point into live as long as the map.
  void keep(std::shared_ptr<const MappedFile> file) { files_.push_back(std::move(file)); }
  const std::vector<std::shared_ptr<const MappedFile>>& files() const { return files_; }

  const TensorView* find(const std::string& name) const;
  size_t size() const { return entries_.size(); }
  struct Entry {
    std::string name;
    TensorView view;
  };
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
  std::unordered_map<std::string, size_t> index_;
  std::vector<std::shared_ptr<const MappedFile>> files_;
};

}  // namespace minke
