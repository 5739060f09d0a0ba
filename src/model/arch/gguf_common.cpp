// GGUF metadata keys that every architecture has ("<arch>.block_count" ...). Source: ggml docs/gguf.md and the key names in
// llama.cpp's files.
#include <cmath>

#include "model/arch/architecture.h"

namespace minke {
namespace {

Status read_gguf_rope(const GgufMetadata& m, const std::string& arch, RopeConfig& rope) {
  if (m.has(arch + ".rope.freq_base")) rope.theta = TRY(m.number(arch + ".rope.freq_base"));
  std::string type = "none";
  if (m.has(arch + ".rope.scaling.type")) type = TRY(m.string(arch + ".rope.scaling.type"));
  if (type == "none") return {};
  if (m.has(arch + ".rope.scaling.factor")) rope.factor = TRY(m.number(arch + ".rope.scaling.factor"));
  if (type == "linear") {
    rope.scaling = RopeScaling::kLinear;
    return {};
  }
  if (type != "yarn") {
    return error("{}.rope.scaling.type = \"{}\" is not supported; supported: none, linear, yarn", arch, type);
  }
  rope.scaling = RopeScaling::kYarn;
  rope.original_max_seq_len = TRY(m.number(arch + ".rope.scaling.original_context_length"));
  if (m.has(arch + ".rope.scaling.yarn_beta_fast")) rope.beta_fast = TRY(m.number(arch + ".rope.scaling.yarn_beta_fast"));
  if (m.has(arch + ".rope.scaling.yarn_beta_slow")) rope.beta_slow = TRY(m.number(arch + ".rope.scaling.yarn_beta_slow"));
  if (m.has(arch + ".rope.scaling.attn_factor")) {
    double attn_factor = TRY(m.number(arch + ".rope.scaling.attn_factor"));
    if (attn_factor != 1.0) return error("{}.rope.scaling.attn_factor = {}: supported: 1", arch, attn_factor);
  }
  if (m.has(arch + ".rope.scaling.yarn_log_multiplier")) {
    // 0.1 * mscale_all_dim, rounded to f32 in the file; mscale itself is not stored, and equals it in every published model.
    double multiplier = TRY(m.number(arch + ".rope.scaling.yarn_log_multiplier"));
    rope.mscale_all_dim = std::round(multiplier * 10.0 * 1e6) / 1e6;
    rope.mscale = rope.mscale_all_dim;
  }
  return {};
}

}  // namespace

double shortest_decimal(double value) {
  float narrow = static_cast<float>(value);
  return std::stod(fmt::format("{}", narrow));
}

Status read_gguf_common(const GgufMetadata& m, const TensorMap& tensors, ModelConfig& c) {
  std::string arch = TRY(m.string("general.architecture"));
  c.hidden_size = TRY(m.integer(arch + ".embedding_length"));
  c.intermediate_size = TRY(m.integer(arch + ".feed_forward_length"));
  c.n_layers = TRY(m.integer(arch + ".block_count"));
  c.n_heads = TRY(m.integer(arch + ".attention.head_count"));
  c.max_seq_len = TRY(m.integer(arch + ".context_length"));
  c.rms_norm_eps = shortest_decimal(TRY(m.number(arch + ".attention.layer_norm_rms_epsilon")));
  TRY_IN(arch, read_gguf_rope(m, arch, c.rope));
  c.rope.theta = shortest_decimal(c.rope.theta);
  c.rope.factor = shortest_decimal(c.rope.factor);
  c.rope.beta_fast = shortest_decimal(c.rope.beta_fast);
  c.rope.beta_slow = shortest_decimal(c.rope.beta_slow);
  const TensorView* embedding = tensors.find("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2) return error("tensor token_embd.weight: missing or not a matrix");
  c.vocab_size = embedding->shape[0];
  c.tied_embeddings = tensors.find("output.weight") == nullptr;
  if (m.has("tokenizer.ggml.bos_token_id")) c.bos_token_id = TRY(m.integer("tokenizer.ggml.bos_token_id"));
  if (m.has("tokenizer.ggml.eos_token_id")) c.eos_token_ids = {TRY(m.integer("tokenizer.ggml.eos_token_id"))};
  return {};
}

namespace {

Status write_gguf_rope(const RopeConfig& rope, std::string_view gguf_name, GgufMetadata& m) {
  auto key = [&](std::string_view name) { return fmt::format("{}.rope.{}", gguf_name, name); };
  auto f32 = [](double v) { return GgufValue::f32(static_cast<float>(v)); };
  if (rope.scaling == RopeScaling::kLlama3 && gguf_name != "llama") {
    return error("rope_type \"llama3\": GGUF's {} has no tensor for it", gguf_name);
  }
  m.set(key("freq_base"), f32(rope.theta));
  m.set(key("dimension_count"), GgufValue::u32(static_cast<uint32_t>(rope.dim)));
  if (rope.scaling != RopeScaling::kLinear && rope.scaling != RopeScaling::kYarn) return {};
  m.set(key("scaling.type"), GgufValue::string(rope.scaling == RopeScaling::kLinear ? "linear" : "yarn"));
  m.set(key("scaling.factor"), f32(rope.factor));
  if (rope.scaling == RopeScaling::kLinear) return {};
  // Readers of GGUF always multiply cos and sin by 0.1 ln(factor) + 1.
  double usual = 0.1 * std::log(rope.factor) + 1.0;
  if (rope.attention_factor != 0.0 && std::abs(rope.attention_factor - usual) > 1e-6) {
    return error("rope_scaling attention_factor = {}: GGUF can only say {}", rope.attention_factor, usual);
  }
  if (!rope.truncate) return error("rope_scaling truncate = false: GGUF has no key for it");
  m.set(key("scaling.original_context_length"), GgufValue::u32(static_cast<uint32_t>(rope.original_max_seq_len)));
  m.set(key("scaling.yarn_beta_fast"), f32(rope.beta_fast));
  m.set(key("scaling.yarn_beta_slow"), f32(rope.beta_slow));
  if (rope.mscale_all_dim != 0.0) m.set(key("scaling.yarn_log_multiplier"), f32(0.1 * rope.mscale_all_dim));
  return {};
}

}  // namespace

Status write_gguf_common(const ModelConfig& c, std::string_view gguf_name, GgufMetadata& m) {
  auto key = [&](std::string_view name) { return fmt::format("{}.{}", gguf_name, name); };
  auto u32 = [](int64_t v) { return GgufValue::u32(static_cast<uint32_t>(v)); };
  m.set("general.architecture", GgufValue::string(std::string(gguf_name)));
  m.set(key("vocab_size"), u32(c.vocab_size));
  m.set(key("context_length"), u32(c.max_seq_len));
  m.set(key("embedding_length"), u32(c.hidden_size));
  m.set(key("block_count"), u32(c.n_layers));
  m.set(key("feed_forward_length"), u32(c.intermediate_size));
  m.set(key("attention.head_count"), u32(c.n_heads));
  m.set(key("attention.layer_norm_rms_epsilon"), GgufValue::f32(static_cast<float>(c.rms_norm_eps)));
  return write_gguf_rope(c.rope, gguf_name, m);
}

}  // namespace minke
