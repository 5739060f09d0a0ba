// A text as one vector: the mean of the last layer's normalised hidden states over its tokens, scaled to length 1. A language
// model was not trained for that; it is what there is without a second model.
#pragma once

#include <span>
#include <vector>

#include "model/model.h"

namespace minke::serve {

// tokens: at least one. One call at a time per model.
Result<std::vector<float>> embed_tokens(Model& model, std::span<const TokenId> tokens, DType kv, const Context& context);

}  // namespace minke::serve
