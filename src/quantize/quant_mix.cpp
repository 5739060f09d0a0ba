#include "quantize/quant_mix.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace minke {
namespace {

enum class Mix {
  kF32,
  kF16,
  kBF16,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ2_K,
  kQ3_K_S,
  kQ3_K_M,
  kQ3_K_L,
  kQ4_K_S,
  kQ4_K_M,
  kQ5_K_S,
  kQ5_K_M,
  kQ6_K,
  kIQ4_NL,
  kIQ4_XS
};

struct MixRow {
  Mix mix;
  std::string_view name;
  DType base;          // of the matrices that no rule mentions
  uint32_t file_type;  // general.file_type
};

constexpr MixRow kMixes[] = {
    {Mix::kF32, "f32", DType::kF32, 0},           {Mix::kF16, "f16", DType::kF16, 1},
    {Mix::kBF16, "bf16", DType::kBF16, 32},       {Mix::kQ4_0, "q4_0", DType::kQ4_0, 2},
    {Mix::kQ4_1, "q4_1", DType::kQ4_1, 3},        {Mix::kQ5_0, "q5_0", DType::kQ5_0, 8},
    {Mix::kQ5_1, "q5_1", DType::kQ5_1, 9},        {Mix::kQ8_0, "q8_0", DType::kQ8_0, 7},
    {Mix::kQ2_K, "q2_k", DType::kQ2_K, 10},       {Mix::kQ3_K_S, "q3_k_s", DType::kQ3_K, 11},
    {Mix::kQ3_K_M, "q3_k_m", DType::kQ3_K, 12},   {Mix::kQ3_K_L, "q3_k_l", DType::kQ3_K, 13},
    {Mix::kQ4_K_S, "q4_k_s", DType::kQ4_K, 14},   {Mix::kQ4_K_M, "q4_k_m", DType::kQ4_K, 15},
    {Mix::kQ5_K_S, "q5_k_s", DType::kQ5_K, 16},   {Mix::kQ5_K_M, "q5_k_m", DType::kQ5_K, 17},
    {Mix::kQ6_K, "q6_k", DType::kQ6_K, 18},       {Mix::kIQ4_NL, "iq4_nl", DType::kIQ4_NL, 25},
    {Mix::kIQ4_XS, "iq4_xs", DType::kIQ4_XS, 30},
};

constexpr auto kNames = [] {
  std::array<std::string_view, std::size(kMixes)> names;
  for (size_t i = 0; i < names.size(); i++) names[i] = kMixes[i].name;
  return names;
}();

Result<MixRow> find_mix(std::string_view name) {
  for (const MixRow& row : kMixes) {
    if (row.name == name) return row;
  }
  return error("unknown quant type {}; known: {}", name, fmt::join(kNames, " "));
}

// "blk.3.ffn_down_exps.weight" -> layer 3, part "ffn_down_exps"; layer -1 for what belongs to none.
struct TensorName {
  int64_t layer = -1;
  std::string_view part;
};

TensorName parse_name(std::string_view name) {
  TensorName parsed;
  constexpr std::string_view kBlock = "blk.";
  if (name.starts_with(kBlock)) {
    const char *begin = name.data() + kBlock.size(), *end = name.data() + name.size();
    auto [rest, failure] = std::from_chars(begin, end, parsed.layer);
    if (failure != std::errc{} || rest == end || *rest != '.') {
      parsed.layer = -1;
    } else {
      name.remove_prefix(static_cast<size_t>(rest + 1 - name.data()));
    }
  }
  parsed.part = name.substr(0, name.find('.'));
  return parsed;
}

// The first and last eighth of the layers and every third one between.
bool is_sensitive_layer(int64_t layer, int64_t n_layers) {
  int64_t eighth = n_layers / 8;
  return layer < eighth || layer >= 7 * n_layers / 8 || (layer - eighth) % 3 == 2;
}

bool is_4bit_table(Mix mix) { return mix == Mix::kIQ4_NL || mix == Mix::kIQ4_XS; }
bool is_medium(Mix mix) { return mix == Mix::kQ4_K_M || mix == Mix::kQ5_K_M; }

DType attn_v_dtype(const MixRow& mix, const ModelConfig& c, int64_t layer) {
  if (c.moe.n_routed_experts == 8) return DType::kQ8_0;
  int64_t heads_per_kv = c.n_heads / std::max<int64_t>(c.n_kv_heads, 1);
  DType dtype = mix.base;
  if (mix.mix == Mix::kQ2_K) dtype = heads_per_kv >= 4 ? DType::kQ4_K : DType::kQ3_K;
  if (mix.mix == Mix::kQ3_K_M) dtype = layer < 2 ? DType::kQ5_K : DType::kQ4_K;
  if (mix.mix == Mix::kQ3_K_L) dtype = DType::kQ5_K;
  if (is_4bit_table(mix.mix) && heads_per_kv >= 4) dtype = DType::kQ5_K;
  if (is_medium(mix.mix) && is_sensitive_layer(layer, c.n_layers)) dtype = DType::kQ6_K;
  if (mix.mix == Mix::kQ4_K_S && layer < 4) dtype = DType::kQ5_K;
  // The 70B shape: few key and value heads beside many layers, so that their precision costs next to nothing.
  bool is_70b = c.n_layers == 80 && heads_per_kv > 1;
  if (is_70b && (dtype == DType::kQ3_K || dtype == DType::kQ4_K)) dtype = DType::kQ5_K;
  return dtype;
}

DType ffn_down_dtype(const MixRow& mix, int64_t layer, int64_t n_layers) {
  switch (mix.mix) {
    case Mix::kQ2_K:
      return DType::kQ3_K;
    case Mix::kQ3_K_M:
      return layer < n_layers / 16 ? DType::kQ5_K : DType::kQ4_K;
    case Mix::kQ3_K_L:
      return DType::kQ5_K;
    case Mix::kQ4_K_S:
    case Mix::kIQ4_NL:
    case Mix::kIQ4_XS:
      return layer < n_layers / 8 ? DType::kQ5_K : mix.base;
    case Mix::kQ4_K_M:
    case Mix::kQ5_K_M:
      return is_sensitive_layer(layer, n_layers) ? DType::kQ6_K : mix.base;
    default:
      return mix.base;
  }
}

DType attn_output_dtype(const MixRow& mix, const ModelConfig& c) {
  bool is_8_experts = c.moe.n_routed_experts == 8;
  switch (mix.mix) {
    case Mix::kQ2_K:
      return is_8_experts ? DType::kQ5_K : DType::kQ3_K;
    case Mix::kQ3_K_M:
      return is_8_experts ? DType::kQ5_K : DType::kQ4_K;
    case Mix::kQ3_K_L:
      return is_8_experts ? mix.base : DType::kQ5_K;
    case Mix::kQ3_K_S:
    case Mix::kQ4_K_S:
    case Mix::kQ4_K_M:
    case Mix::kIQ4_NL:
    case Mix::kIQ4_XS:
      return is_8_experts ? DType::kQ5_K : mix.base;
    default:
      return mix.base;
  }
}

DType wanted_dtype(const MixRow& mix, const ModelConfig& c, std::string_view gguf_name, size_t rank) {
  TensorName name = parse_name(gguf_name);
  // Norms, biases and routers are small, and GGUF's readers expect them as f32.
  if (rank < 2 || name.part == "ffn_gate_inp") return DType::kF32;
  if (!dtype_info(mix.base).is_quantized) return mix.base;
  bool is_head = name.part == "output" || (name.part == "token_embd" && c.tied_embeddings);
  if (is_head) return mix.base == DType::kQ8_0 ? DType::kQ8_0 : DType::kQ6_K;
  // The latent's up-projection: 1% of a model, and every key and value passes through it.
  if (name.part == "attn_k_b" || name.part == "attn_v_b" || name.part == "attn_kv_b") return DType::kQ8_0;
  if (name.part == "attn_v") return attn_v_dtype(mix, c, name.layer);
  if (name.part == "attn_k" && c.moe.n_routed_experts == 8) return DType::kQ8_0;
  if (name.part.starts_with("ffn_down")) return ffn_down_dtype(mix, name.layer, c.n_layers);
  if (name.part == "attn_output") return attn_output_dtype(mix, c);
  return mix.base;
}

DType short_block_dtype(DType wanted) {
  switch (wanted) {
    case DType::kQ2_K:
    case DType::kQ3_K:
    case DType::kIQ4_XS:
      return DType::kIQ4_NL;
    case DType::kQ4_K:
      return DType::kQ5_0;
    case DType::kQ5_K:
      return DType::kQ5_1;
    case DType::kQ6_K:
      return DType::kQ8_0;
    default:
      return wanted;
  }
}

}  // namespace

std::span<const std::string_view> mix_names() { return kNames; }

Result<uint32_t> mix_file_type(std::string_view mix) {
  MixRow row = TRY(find_mix(mix));
  return row.file_type;
}

DType fitting_dtype(DType wanted, int64_t n_cols) {
  auto fits = [n_cols](DType dtype) { return n_cols % dtype_info(dtype).block_elements == 0; };
  if (fits(wanted)) return wanted;
  DType shorter = short_block_dtype(wanted);
  return fits(shorter) ? shorter : DType::kF16;
}

Result<MixChoice> choose_mix_dtype(std::string_view mix, const ModelConfig& config, std::string_view gguf_name,
                                   std::span<const int64_t> shape) {
  MixRow row = TRY(find_mix(mix));
  MixChoice choice;
  choice.wanted = wanted_dtype(row, config, gguf_name, shape.size());
  choice.dtype = shape.empty() ? choice.wanted : fitting_dtype(choice.wanted, shape.back());
  return choice;
}

Result<DType> mix_dtype(std::string_view mix, const ModelConfig& config, const WeightRow& row) {
  MixChoice choice = TRY(choose_mix_dtype(mix, config, row.gguf_name, row.shape));
  return choice.dtype;
}

}  // namespace minke
