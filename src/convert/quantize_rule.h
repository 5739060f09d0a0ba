// Which dtype every tensor of a quantised output gets: rules of the user, then the mix, and what falls back.
#pragma once

#include <string>
#include <vector>

#include "convert/convert.h"
#include "convert/layout.h"

namespace minke {

// Sets `dtype` of every tensor. An error for a rule whose type does not fit a row it matches, for one that matches no matrix,
// and for matrices that are quantised already without permission. Fallbacks go to the notes.
Status choose_quantized_dtypes(std::vector<TargetTensor>& targets, const ModelConfig& config, const QuantizeOptions& options,
                               std::vector<std::string>& notes);

// Importances of every tensor, in their order; a note when some matrices have none.
Result<std::vector<RowWeights>> find_row_weights(const std::vector<TargetTensor>& targets, const Importance& importance,
                                                 std::vector<std::string>& notes);

}  // namespace minke
