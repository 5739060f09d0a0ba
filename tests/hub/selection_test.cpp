#include "hub/selection.h"

#include "hub/gguf_names.h"
#include "support/support.h"

namespace minke::hub {
namespace {

using Paths = std::vector<std::string>;

Result<Paths> select(const Paths& paths, const std::string& reference, const HubOptions& options = {}) {
  std::vector<RemoteFile> files;
  for (const std::string& path : paths) files.push_back({path, 1, std::string(64, 'a')});
  ModelReference parsed = TRY(parse_reference(reference));
  Paths chosen;
  for (const RemoteFile& file : TRY(select_files(files, parsed, options))) chosen.push_back(file.path);
  return chosen;
}

Paths selected(const Paths& paths, const std::string& reference, const HubOptions& options = {}) {
  return testing::value_of(select(paths, reference, options));
}

const Paths kDeepSeek = {".gitattributes",
                         "LICENSE-MODEL",
                         "README.md",
                         "config.json",
                         "configuration_deepseek.py",
                         "figures/benchmark.png",
                         "generation_config.json",
                         "inference/model.py",
                         "model-00001-of-000002.safetensors",
                         "model-00002-of-000002.safetensors",
                         "model.safetensors.index.json",
                         "modeling_deepseek.py",
                         "pytorch_model.bin",
                         "tokenizer.json",
                         "tokenizer_config.json"};

TEST(Selection, SafetensorsRepository) {
  EXPECT_EQ(
      selected(kDeepSeek, "org/name"),
      (Paths{"LICENSE-MODEL", "config.json", "generation_config.json", "model-00001-of-000002.safetensors",
             "model-00002-of-000002.safetensors", "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json"}));
  EXPECT_EQ(selected({"config.json", "consolidated.safetensors", "model.safetensors", "tiktoken.model", "chat_template.jinja",
                      "tokenizer.bin"},
                     "org/name"),
            (Paths{"config.json", "model.safetensors", "tiktoken.model", "chat_template.jinja"}));
  EXPECT_ERROR(select(kDeepSeek, "org/name:Q4_K_M"), "leave ':Q4_K_M' out");
}

TEST(Selection, PickleIsNeverTaken) {
  EXPECT_ERROR(select({"config.json", "pytorch_model.bin"}, "org/name"), "pickle weights only (pytorch_model.bin)");
  EXPECT_ERROR(select(kDeepSeek, "org/name/pytorch_model.bin"), "can run code");
  HubOptions options;
  options.include = {"*.bin"};
  EXPECT_ERROR(select(kDeepSeek, "org/name", options), "pickle files only");
  options.include = {"*"};
  Paths all = selected(kDeepSeek, "org/name", options);
  EXPECT_EQ(all.size(), kDeepSeek.size() - 1);
  for (const char* name : {"a.BIN", "a.pt", "a.pth", "a.pkl", "x/a.ckpt"}) EXPECT_TRUE(is_pickle(name)) << name;
}

TEST(Selection, Patterns) {
  HubOptions options;
  options.include = {"*.json", "figures/"};
  options.exclude = {"generation_*"};
  EXPECT_EQ(selected(kDeepSeek, "org/name", options),
            (Paths{"config.json", "figures/benchmark.png", "model.safetensors.index.json", "tokenizer.json",
                   "tokenizer_config.json"}));
  options.include = {"nothing*"};
  EXPECT_ERROR(select(kDeepSeek, "org/name", options), "no file matches");
}

const Paths kGguf = {"README.md",
                     "DeepSeek-R1-Q4_K_M/DeepSeek-R1-Q4_K_M-00002-of-00003.gguf",
                     "DeepSeek-R1-Q4_K_M/DeepSeek-R1-Q4_K_M-00001-of-00003.gguf",
                     "DeepSeek-R1-Q4_K_M/DeepSeek-R1-Q4_K_M-00003-of-00003.gguf",
                     "DeepSeek-R1-UD-Q4_K_M/DeepSeek-R1-UD-Q4_K_M-00001-of-00001.gguf",
                     "Q2_K/DeepSeek-R1-00001-of-00002.gguf",
                     "Q2_K/DeepSeek-R1-00002-of-00002.gguf",
                     "DeepSeek-R1.BF16.gguf",
                     "mmproj-F16.gguf",
                     "mtp-DeepSeek-R1-Q8_0.gguf",
                     "imatrix_unsloth.gguf"};

TEST(Selection, GgufByQuant) {
  Paths parts = {kGguf[1], kGguf[2], kGguf[3]};
  EXPECT_EQ(selected(kGguf, "org/name:Q4_K_M"), parts) << "not the UD- one";
  EXPECT_EQ(selected(kGguf, "org/name:q4_k_m"), parts);
  EXPECT_EQ(selected(kGguf, "org/name"), parts) << "Q4_K_M is the default";
  EXPECT_EQ(selected(kGguf, "org/name:UD-Q4_K_M"), Paths{kGguf[4]});
  EXPECT_EQ(selected(kGguf, "org/name:Q2_K"), (Paths{kGguf[5], kGguf[6]})) << "named by its folder";
  EXPECT_EQ(selected(kGguf, "org/name:bf16"), Paths{kGguf[7]});
  EXPECT_EQ(selected(kGguf, "org/name/" + kGguf[2]), parts) << "a part brings the others";
  EXPECT_ERROR(select(kGguf, "org/name:Q8_0"), "there is no Q8_0: choose one of Q4_K_M, UD-Q4_K_M, BF16, Q2_K");
}

TEST(Selection, GgufWithoutDefault) {
  EXPECT_EQ(selected({"a-Q8_0.gguf"}, "org/name"), Paths{"a-Q8_0.gguf"}) << "the only one";
  EXPECT_EQ(selected({"model_q5_k_m.gguf", "model_q8_0.gguf"}, "org/name:q8_0"), Paths{"model_q8_0.gguf"});
  EXPECT_ERROR(select({"a-Q8_0.gguf", "a-Q2_K.gguf"}, "org/name"), "choose one of Q2_K, Q8_0");
  EXPECT_ERROR(select({"a-7B-Q8_0.gguf", "a-70B-Q8_0.gguf"}, "org/name:Q8_0"), "2 models are Q8_0");
}

TEST(Selection, GgufLacksAPart) {
  EXPECT_ERROR(select({"a-Q8_0-00001-of-00003.gguf", "a-Q8_0-00003-of-00003.gguf"}, "org/name"), "a-Q8_0-00002-of-00003.gguf");
  // Numbers that make no sense are part of the name.
  for (const char* name :
       {"a-00000-of-00002.gguf", "a-00003-of-00002.gguf", "a-0000x-of-00002.gguf", "a-99999-of-99999.gguf"}) {
    EXPECT_EQ(selected({name}, "org/name"), Paths{name});
  }
}

TEST(Selection, CollisionsAreRefused) {
  HubOptions options;
  options.include = {"*"};
  EXPECT_ERROR(select({"Config.json", "config.json"}, "org/name", options), "differ only in case");
}

}  // namespace
}  // namespace minke::hub
