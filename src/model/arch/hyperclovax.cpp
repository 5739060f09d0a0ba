// HyperCLOVA X SEED Think: a Llama-like decoder with muP multipliers and optional norms after each sub-layer. Source:
// transformers' HyperCLOVAX configuration; logits are multiplied by logits_scaling (Granite divides).
#include <nlohmann/json.hpp>

#include "model/arch/architecture.h"

namespace minke {

Result<ModelConfig> hyperclovax_from_hf(ConfigReader& reader) {
  ModelConfig c = TRY(llama_from_hf(reader));
  c.embedding_multiplier = TRY(reader.number_or("embedding_multiplier", 1.0));
  c.residual_multiplier = TRY(reader.number_or("residual_multiplier", 1.0));
  c.logits_multiplier = TRY(reader.number_or("logits_scaling", 1.0));
  c.softmax_scale = TRY(reader.number_or("attention_multiplier", 0.0));  // 0: head_dim^-1/2
  c.post_norm = TRY(reader.boolean_or("use_post_norm", false));
  return c;
}

Status hyperclovax_to_hf(const ModelConfig& c, Json& json) {
  TRY(llama_to_hf(c, json));
  json["embedding_multiplier"] = c.embedding_multiplier;
  json["residual_multiplier"] = c.residual_multiplier;
  json["logits_scaling"] = c.logits_multiplier;
  json["attention_multiplier"] = c.softmax_scale;
  json["use_post_norm"] = c.post_norm;
  return {};
}

}  // namespace minke
