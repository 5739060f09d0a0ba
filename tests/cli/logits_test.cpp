// minke logits against the official implementations' numbers for tiny checkpoints (tests/goldens/models).
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/run_minke.h"
#include "format/safetensors.h"
#include "support/support.h"

namespace minke::testing {
namespace {

constexpr double kTolerance = 1e-4;  // of the norm of a row

struct Golden {
  std::vector<std::vector<int32_t>> tokens;  // by row
  std::vector<std::vector<float>> logits;
  SafetensorsFile file;
};

template <typename T>
std::vector<T> values_of(const TensorView& view) {
  const T* first = reinterpret_cast<const T*>(view.data);
  return {first, first + view.n_elements()};
}

Golden read_golden(const std::string& path) {
  Golden golden{{}, {}, value_of(open_safetensors(path))};
  for (int i = 0; golden.file.tensors.find(fmt::format("tokens.{}", i)) != nullptr; i++) {
    golden.tokens.push_back(values_of<int32_t>(*golden.file.tensors.find(fmt::format("tokens.{}", i))));
    golden.logits.push_back(values_of<float>(*golden.file.tensors.find(fmt::format("logits.{}", i))));
  }
  return golden;
}

std::string rows_text(const Golden& golden) {
  std::string text;
  for (const auto& tokens : golden.tokens) text += Json{{"tokens", tokens}}.dump() + "\n";
  return text;
}

std::vector<float> flat(const Json& matrix) {
  std::vector<float> out;
  for (const Json& row : matrix) {
    for (const Json& value : row) out.push_back(value.get<float>());
  }
  return out;
}

void expect_close(const std::vector<float>& got, const std::vector<float>& expected, size_t dim, const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (size_t row = 0; row * dim < expected.size(); row++) {
    double norm = 0, difference = 0;
    for (size_t i = row * dim; i < (row + 1) * dim; i++) {
      norm += double{expected[i]} * expected[i];
      difference += (double{got[i]} - expected[i]) * (double{got[i]} - expected[i]);
    }
    EXPECT_LE(std::sqrt(difference), kTolerance * std::sqrt(norm)) << what << " row " << row;
  }
}

void expect_golden(const std::string& model, const std::string& golden_path, const std::vector<std::string>& flags) {
  Golden golden = read_golden(golden_path);
  std::vector<std::string> arguments = {"logits", model};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  MinkeRun run = run_minke(arguments, {rows_text(golden), {}});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  std::vector<Json> rows = rows_of(run);
  ASSERT_EQ(rows.size(), golden.tokens.size());
  for (size_t i = 0; i < rows.size(); i++) {
    ASSERT_TRUE(rows[i].contains("logits")) << rows[i].dump();
    size_t vocab_size = golden.logits[i].size() / golden.tokens[i].size();
    expect_close(flat(rows[i]["logits"]), golden.logits[i], vocab_size, fmt::format("{} row {}", model, i));
  }
}

TEST(Logits, AreThoseOfTheOfficialImplementations) {
  for (std::string name : {"deepseek_v3", "deepseek_v3_fp8", "deepseek_v2_lite", "qwen3", "llama_llama3rope"}) {
    expect_golden(golden_model(name), golden_model(name) + "/golden.safetensors", {});
  }
}

TEST(Logits, DoNotDependOnChunksFormThreadsOrBatch) {
  std::string model = golden_model("deepseek_v3"), golden = model + "/golden.safetensors";
  expect_golden(model, golden, {"--jsonl", "--chunk", "3"});
  expect_golden(model, golden, {"--mla", "absorbed"});
  std::string rows = rows_text(read_golden(golden));
  std::string alone = run_minke({"logits", model}, {rows, {}}).out;
  EXPECT_EQ(run_minke({"logits", model, "--batch", "3"}, {rows, {}}).out, alone);
  EXPECT_EQ(run_minke({"logits", model, "--threads", "1"}, {rows, {}}).out, alone);
}

TEST(Logits, LayersAndOutFilesHaveTheNamesOfTheGoldens) {
  TemporaryDirectory folder;
  std::string model = golden_model("deepseek_v3");
  Golden golden = read_golden(model + "/golden.safetensors");
  MinkeRun run = run_minke({"logits", model, "--layers", "--out", folder.file("out.safetensors")}, {rows_text(golden), {}});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  SafetensorsFile out = value_of(open_safetensors(folder.file("out.safetensors")));
  size_t last = golden.tokens.size() - 1;  // the goldens hold the activations of the last row
  for (const char* name : {"embed", "layers.0.attn_out", "layers.1.topk_weights", "layers.2.hidden", "final_norm"}) {
    const TensorView* got = out.tensors.find(fmt::format("{}.{}", name, last));
    const TensorView* expected = golden.file.tensors.find(name);
    ASSERT_TRUE(got != nullptr && expected != nullptr) << name;
    ASSERT_EQ(got->shape, expected->shape) << name;
    expect_close(values_of<float>(*got), values_of<float>(*expected), static_cast<size_t>(expected->n_cols()), name);
  }
  EXPECT_EQ(values_of<int32_t>(*out.tensors.find(fmt::format("layers.1.topk_experts.{}", last))),
            values_of<int32_t>(*golden.file.tensors.find("layers.1.topk_experts")));
  EXPECT_EQ(values_of<int32_t>(*out.tensors.find("tokens.1")), golden.tokens[1]);
}

TEST(Logits, LastIsTheLastRow) {
  std::string model = golden_model("qwen3");
  Json all = rows_of(run_minke({"logits", model, "--tokens", "1,2,3"}))[0];
  Json last = rows_of(run_minke({"logits", model, "--tokens", "1,2,3", "--last"}))[0];
  ASSERT_EQ(last["logits"].size(), 1u);
  EXPECT_EQ(last["logits"][0], all["logits"][2]);
}

TEST(Logits, BadRowsBecomeErrorRows) {
  std::string too_long = Json{{"tokens", std::vector<int>(100'000, 1)}}.dump();
  MinkeRun run = run_minke({"logits", golden_model("qwen3"), "--batch", "4", "--last"},
                           {"{\"tokens\": []}\n{\"tokens\": [128]}\n{\"tokens\": [-1]}\n{\"tokens\": "
                            "[4294967296]}\n{\"tokens\": \"1\"}\nnot json\n" +
                                too_long + "\n{\"tokens\": [1]}\n",
                            {}});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  std::vector<Json> rows = rows_of(run);
  ASSERT_EQ(rows.size(), 8u);
  for (size_t i = 0; i < 7; i++) {
    EXPECT_TRUE(rows[i].contains("error")) << i;
    EXPECT_EQ(rows[i]["line"], i + 1);
  }
  EXPECT_TRUE(rows[7].contains("logits"));
}

TEST(Logits, BadArgumentsExitWith1AndSayWhy) {
  std::string model = golden_model("qwen3");
  for (const char* tokens : {"", "1,", "1;2", "128", "-1", "99999999999"}) {
    MinkeRun run = run_minke({"logits", model, "--tokens", tokens});
    EXPECT_EQ(run.exit_code, 1) << tokens;
    EXPECT_NE(run.err.find("--tokens"), std::string::npos) << run.err;
  }
  EXPECT_EQ(run_minke({"logits", model, "--tokens", "1", "--mla", "other"}).exit_code, 2);
  EXPECT_EQ(run_minke({"logits", model, "--tokens", "1", "--threads", "0"}).exit_code, 2);
  MinkeRun isa = run_minke({"logits", model, "--tokens", "1"}, {"", {{"MINKE_ISA", "mmx"}}});
  EXPECT_EQ(isa.exit_code, 1);
  EXPECT_NE(isa.err.find("mmx"), std::string::npos) << isa.err;
}

TEST(Logits, AnUnknownArchitectureIsRefusedByName) {
  TemporaryDirectory folder;
  std::string config = read_test_file(golden_model("qwen3") + "/config.json");
  Json changed = Json::parse(config);
  changed["architectures"] = Json::array({"MambaForCausalLM"});
  changed["model_type"] = "mamba";
  value_of(write_file(folder.file("config.json"), changed.dump()));
  std::filesystem::copy(golden_model("qwen3") + "/model.safetensors", folder.path());
  for (std::string command : {"logits", "show"}) {
    MinkeRun run = run_minke({command, folder.path().string()});
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_NE(run.err.find("amba"), std::string::npos) << run.err;
  }
}

}  // namespace
}  // namespace minke::testing
