// Rows of token ids in a JSONL file, for comparing losses and gradients with other implementations:
//   {"tokens": [1, 17, 4], "mask": [1, 0]}
// Every token but the last enters the model and should be followed by the next one; mask[i] = 0 leaves target i out of the
// loss (absent: all count). A row is one sequence.
#pragma once

#include <string>

#include "base/error.h"
#include "model/training/training_pass.h"

namespace minke {

// All rows as one batch whose loss is the mean over the targets that count. Tokens must be in [0, vocab_size). Errors name file
// and line.
Result<TrainingRows> read_row_file(const std::string& path, int64_t vocab_size);

}  // namespace minke
