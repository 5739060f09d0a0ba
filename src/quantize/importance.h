// How much each input column of each matrix matters: the mean square of what it was multiplied with while a text ran through
// the model. The file is a GGUF of general.type "imatrix", as llama.cpp's imatrix program writes and reads it: per matrix
// NAME.in_sum2 F32 [n_cols], sums of squares, and NAME.counts F32 [1], rows summed; experts stacked in one tensor have a row
// each: [n_matrices, n_cols] and [n_matrices, 1].
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace minke {

struct ColumnSums {
  int64_t n_matrices = 1, n_cols = 0;
  std::vector<double> squares;  // [n_matrices, n_cols]
  std::vector<int64_t> counts;  // [n_matrices]
};

struct Importance {
  std::string file;                                        // its name without folders, when it was read from one
  std::map<std::string, ColumnSums, std::less<>> tensors;  // by GGUF name
  std::vector<std::string> datasets;                       // names of the texts
  int64_t chunk_size = 0, n_chunks = 0;
};

Result<Importance> read_importance(const std::string& path);
Status write_importance(const std::string& path, const Importance& importance);

// What quantising a tensor needs: weights of the columns (quantize_row.h) per stacked matrix. Empty ones weigh all alike.
struct RowWeights {
  int64_t rows_per_matrix = 0;
  std::vector<std::vector<float>> matrices;

  const float* of_row(int64_t row) const {
    if (matrices.empty()) return nullptr;
    const std::vector<float>& weights = matrices[static_cast<size_t>(row / rows_per_matrix)];
    return weights.empty() ? nullptr : weights.data();
  }
};

// Of a tensor of this name and shape ([n_rows, n_cols] or [n_matrices, n_rows, n_cols]): no matrices when the sums lack it, an
// error when they have it in another shape.
Result<RowWeights> row_weights(const Importance& importance, std::string_view gguf_name, const std::vector<int64_t>& shape);

}  // namespace minke
