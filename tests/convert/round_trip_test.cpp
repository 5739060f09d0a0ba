// HF -> GGUF -> HF gives back every bit, and the GGUF file computes the same logits.
#include "models.h"

namespace minke {
namespace {

using namespace testing;

struct Case {
  const char* name;
  bool is_mla = false;
  double tolerance = 1e-5;  // of the logits; 0: bitwise
};
void PrintTo(const Case& value, std::ostream* out) { *out << value.name; }

class RoundTrip : public ::testing::TestWithParam<Case> {};

std::string test_name(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }

void expect_round_trip(const Case& value, std::optional<MlaLayout> mla) {
  TemporaryDirectory scratch;
  std::string original = golden_model(value.name), gguf = scratch.file("model.gguf"), again = scratch.file("again");
  ConvertOptions options;
  options.mla = mla;
  value_of(convert_model(original, gguf, options));
  value_of(convert_model(gguf, again));

  ModelConfig before = config_of(original), after = config_of(again);
  EXPECT_EQ(meaning(before), meaning(after));
  EXPECT_EQ(before.n_mtp_layers, after.n_mtp_layers);
  EXPECT_EQ(tensor_difference(value_of(open_model(original)).tensors, value_of(open_model(again)).tensors), "");

  std::vector<TokenId> tokens = some_tokens(before, 11);
  std::vector<float> expected = logits_of(original, tokens), actual = logits_of(gguf, tokens);
  if (value.tolerance == 0) {
    EXPECT_EQ(expected, actual);
  } else {
    EXPECT_LE(relative_norm(expected, actual), value.tolerance);
  }
}

TEST_P(RoundTrip, IsBitIdentical) {
  if (GetParam().is_mla) {
    expect_round_trip(GetParam(), MlaLayout::kSplit);
    expect_round_trip(GetParam(), MlaLayout::kClassic);
  } else {
    expect_round_trip(GetParam(), {});
  }
}

INSTANTIATE_TEST_SUITE_P(Goldens, RoundTrip,
                         ::testing::Values(Case{"llama_llama3rope"}, Case{"llama_linear"}, Case{"llama_bias"},
                                           Case{"llama_headdim"}, Case{"qwen2_tied", false, 0}, Case{"qwen2_yarn", false, 0},
                                           Case{"qwen3", false, 0}, Case{"deepseek_v2_lite", true}, Case{"deepseek_v3", true},
                                           Case{"deepseek_v3_sharded", true}, Case{"moonlight", true}, Case{"kimi_k2", true}),
                         test_name);

// The official converter's files, as the definition of GGUF: ours hold the same tensors, theirs become the same model.
struct Official {
  const char* model;
  const char* gguf;
  MlaLayout mla = MlaLayout::kSplit;
  bool is_mla = false;
};
constexpr Official kOfficial[] = {
    {"llama_llama3rope", "mainline_bf16"},
    {"llama_linear", "mainline_bf16"},
    {"llama_bias", "mainline_bf16"},
    {"llama_headdim", "mainline_f16"},
    {"qwen2_tied", "mainline_bf16"},
    {"qwen2_yarn", "mainline_bf16"},
    {"qwen3", "mainline_f32"},
    {"deepseek_v2_lite", "mainline_bf16", MlaLayout::kSplit, true},
    {"deepseek_v3", "mainline_bf16", MlaLayout::kSplit, true},
    {"kimi_k2", "mainline_bf16", MlaLayout::kSplit, true},
    {"deepseek_v2_lite", "classic_bf16", MlaLayout::kClassic, true},
};

std::string value_text(const GgufValue& value) {
  return std::visit(
      [](const auto& held) {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_arithmetic_v<Held> || std::is_same_v<Held, std::string>) {
          return fmt::format("{}", held);
        } else {
          return fmt::format("{} elements", held.size());
        }
      },
      value.value);
}

// Theirs are computed in f32.
void expect_same_divisors(const TensorMap& theirs, const TensorMap& ours) {
  const TensorView* expected = theirs.find("rope_freqs.weight");
  const TensorView* actual = ours.find("rope_freqs.weight");
  ASSERT_EQ(expected == nullptr, actual == nullptr);
  if (expected == nullptr) return;
  ASSERT_EQ(expected->shape, actual->shape);
  for (int64_t i = 0; i < expected->n_elements(); i++) {
    float a, b;
    std::memcpy(&a, expected->data + static_cast<size_t>(i) * sizeof(float), sizeof(a));
    std::memcpy(&b, actual->data + static_cast<size_t>(i) * sizeof(float), sizeof(b));
    EXPECT_NEAR(a, b, 1e-6 * a) << i;
  }
}

TEST(Official, GgufHoldsTheSameTensorsAndKeys) {
  for (const Official& official : kOfficial) {
    SCOPED_TRACE(fmt::format("{} {}", official.model, official.gguf));
    TemporaryDirectory scratch;
    ConvertOptions options;
    if (official.is_mla) options.mla = official.mla;
    options.mtp = false;  // they have none
    value_of(convert_model(golden_model(official.model), scratch.file("model.gguf"), options));
    ModelFiles ours = value_of(open_model(scratch.file("model.gguf")));
    ModelFiles theirs = value_of(open_model(golden_model(fmt::format("{}/gguf/{}.gguf", official.model, official.gguf))));
    EXPECT_EQ(tensor_difference(theirs.tensors, ours.tensors, "rope_freqs"), "");
    expect_same_divisors(theirs.tensors, ours.tensors);
    std::string arch = value_of(theirs.gguf.string("general.architecture")) + ".";
    for (const auto& [key, value] : theirs.gguf.entries()) {
      bool compared = key.starts_with(arch) || key == "general.file_type" || key == "general.quantization_version";
      if (!compared) continue;
      const GgufValue* other = ours.gguf.find(key);
      ASSERT_NE(other, nullptr) << key;
      EXPECT_EQ(value_text(value), value_text(*other)) << key;
      EXPECT_EQ(value.type, other->type) << key;
    }
  }
}

TEST(Official, GgufBecomesTheSameCheckpoint) {
  for (const Official& official : kOfficial) {
    SCOPED_TRACE(fmt::format("{} {}", official.model, official.gguf));
    TemporaryDirectory scratch;
    std::string original = golden_model(official.model);
    value_of(convert_model(golden_model(fmt::format("{}/gguf/{}.gguf", official.model, official.gguf)), scratch.file("hf")));
    EXPECT_EQ(meaning(config_of(original)), meaning(config_of(scratch.file("hf"))));
    std::string mtp = fmt::format("model.layers.{}.", config_of(original).n_layers);
    EXPECT_EQ(tensor_difference(value_of(open_model(original)).tensors, value_of(open_model(scratch.file("hf"))).tensors, mtp),
              "");
  }
}

// ik_llama's files hold the up-projection three times, flattened; the whole one counts.
TEST(Official, IkFilesConvert) {
  TemporaryDirectory scratch;
  value_of(convert_model(golden_model("moonlight/gguf/ik_bf16.gguf"), scratch.file("hf")));
  EXPECT_EQ(tensor_difference(value_of(open_model(golden_model("moonlight"))).tensors,
                              value_of(open_model(scratch.file("hf"))).tensors),
            "");
}

TEST(Refused, WhatGgufCannotSay) {
  const std::pair<const char*, const char*> cases[] = {
      {"deepseek_v2_groups", "mscale"},
      {"deepseek_v2_norm_topk", "norm_topk_prob"},
      {"qwen3_yarn_newspelling", "attention_factor"},
      {"deepseek_v3_moe_freq", "moe_layer_freq"},
      {"deepseek_v3_attention_bias", "attention_bias"},
      {"hyperclovax", "no GGUF form"},
  };
  for (const auto& [name, text] : cases) {
    TemporaryDirectory scratch;
    EXPECT_ERROR(convert_model(golden_model(name), scratch.file("model.gguf")), text);
    EXPECT_TRUE(std::filesystem::is_empty(scratch.path())) << name;
  }
}

TEST(GgufToGguf, ChangesTheLayoutOfMla) {
  TemporaryDirectory scratch;
  ConvertOptions to_classic, to_split;
  to_classic.mla = MlaLayout::kClassic;
  to_split.mla = MlaLayout::kSplit;
  std::string official = golden_model("deepseek_v3/gguf/mainline_bf16.gguf");
  value_of(convert_model(official, scratch.file("classic.gguf"), to_classic));
  value_of(convert_model(scratch.file("classic.gguf"), scratch.file("split.gguf"), to_split));
  value_of(convert_model(official, scratch.file("same.gguf")));
  ModelFiles first = value_of(open_model(official)), classic = value_of(open_model(scratch.file("classic.gguf")));
  EXPECT_NE(classic.tensors.find("blk.0.attn_kv_b.weight"), nullptr);
  EXPECT_FALSE(classic.gguf.has("deepseek2.attention.key_length_mla"));
  EXPECT_EQ(meaning(config_of(official)), meaning(config_of(scratch.file("classic.gguf"))));
  for (const char* name : {"split.gguf", "same.gguf"}) {
    ModelFiles last = value_of(open_model(scratch.file(name)));
    EXPECT_EQ(tensor_difference(first.tensors, last.tensors), "");
    ASSERT_EQ(first.gguf.entries().size(), last.gguf.entries().size());
    for (const auto& [key, value] : first.gguf.entries()) EXPECT_EQ(value.value, last.gguf.find(key)->value) << key;
  }
}

TEST(GgufToGguf, CutsAndJoinsParts) {
  TemporaryDirectory scratch;
  ConvertOptions options;
  options.max_shard_bytes = 20000;
  std::string official = golden_model("qwen2_tied/gguf/mainline_bf16.gguf");
  ConvertReport report = value_of(convert_model(official, scratch.file("cut.gguf"), options));
  ASSERT_GT(report.files.size(), 2u);
  value_of(convert_model(report.files[1].first, scratch.file("whole.gguf")));
  ModelFiles whole = value_of(open_model(scratch.file("whole.gguf")));
  EXPECT_EQ(tensor_difference(value_of(open_model(official)).tensors, whole.tensors), "");
  EXPECT_FALSE(whole.gguf.has("split.count"));
}

}  // namespace
}  // namespace minke
