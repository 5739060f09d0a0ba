// Goldens of tests/goldens/models: checkpoints, token sequences and what the official implementation computed for them.
#pragma once

#include <string>
#include <vector>

#include "format/safetensors.h"
#include "model/model.h"
#include "support/support.h"

namespace minke::testing {

struct GoldenCase {
  std::string name;    // "deepseek_v3", "deepseek_v3/gguf/mainline_bf16"
  std::string model;   // path to load
  std::string golden;  // path of the golden safetensors
};

inline void PrintTo(const GoldenCase& value, std::ostream* out) { *out << value.name; }

// Every checkpoint of the folder, in both formats.
std::vector<GoldenCase> golden_cases();

struct GoldenSequence {
  std::vector<TokenId> tokens;
  const TensorView* logits;  // f32 [n_tokens, vocab_size]
};

struct Golden {
  SafetensorsFile file;
  std::vector<GoldenSequence> sequences;
  const TensorView& tensor(const std::string& name) const;
};
Golden read_golden(const std::string& path);

// Norm of the error of the worst row, relative to the norm of that expected row.
struct Difference {
  double worst = 0;  // relative to the norm of the expected row
  int64_t row = -1;
};
Difference compare_rows(const float* actual, const TensorView& expected);

}  // namespace minke::testing
