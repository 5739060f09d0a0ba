// The engine room of `minke logits`: rows of tokens through Model::forward, in ragged batches and chunks, with everything that
// is asked for kept by row.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/context.h"
#include "model/model.h"

namespace minke::cli {

struct LogitsOptions {
  bool last = false;    // only the last position
  bool layers = false;  // named activations as well
  int64_t chunk = 0;    // tokens of one sequence in one forward call; 0: all of them
  MlaForm form = MlaForm::kNaive;
  DType kv = DType::kF32;
};

// A named activation of one row, [n_tokens, dim]; one of the two is filled.
struct Activation {
  int64_t dim = 0;
  std::vector<float> floats;
  std::vector<int32_t> integers;
};

struct RowLogits {
  std::vector<TokenId> tokens;
  int64_t n_positions = 0;
  std::vector<float> logits;                               // [n_positions, vocab_size]
  std::vector<std::pair<std::string, Activation>> layers;  // in the order of the computation
};

// What one row may ask for; the message says what to change.
Status check_row(const std::vector<TokenId>& tokens, const ModelConfig& config, const LogitsOptions& options);

// Runs the rows as one ragged batch. Every row must have passed check_row.
Result<std::vector<RowLogits>> run_rows(Model& model, std::vector<std::vector<TokenId>> rows, const LogitsOptions& options,
                                        const Context& context);

}  // namespace minke::cli
