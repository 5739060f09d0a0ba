// minke check, show and doctor.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/file.h"
#include "cli/run_minke.h"
#include "support/support.h"

namespace minke::testing {
namespace {

std::string edge(const std::string& name) { return repository_path("tests/data/edge/" + name); }
TEST(Check, GoodFilesArePrintedAndNothingElse) {
  std::vector<std::string> files = {edge("safetensors/ok_one.safetensors"), edge("gguf/ok_one_tensor.gguf"),
                                    golden_model("qwen3"), golden_model("qwen3") + "/config.json"};
  std::string expected;
  for (const std::string& file : files) expected += "ok: " + file + "\n";
  files.insert(files.begin(), "check");
  MinkeRun run = run_minke(files);
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.out, expected);
  EXPECT_EQ(run.err, "");
}

TEST(Check, EachBadFileIsOneLine) {
  std::string good = edge("safetensors/ok_one.safetensors");
  for (std::string bad :
       {edge("safetensors/bad_overlap.safetensors"), edge("gguf/bad_magic.gguf"), std::string("/no/such.gguf")}) {
    MinkeRun run = run_minke({"check", good, bad});
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_EQ(run.out, "ok: " + good + "\n");
    EXPECT_TRUE(run.err.starts_with("minke: " + bad)) << run.err;
    EXPECT_EQ(run.err.find('\n'), run.err.size() - 1) << run.err;
  }
}

TEST(Check, JsonRows) {
  MinkeRun run = run_minke({"check", "--json", edge("gguf/ok_v2.gguf"), edge("gguf/bad_n_kv.gguf")});
  EXPECT_EQ(run.exit_code, 1);
  std::vector<Json> rows = rows_of(run);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["ok"], true);
  EXPECT_EQ(rows[1]["ok"], false);
  EXPECT_FALSE(rows[1]["error"].get<std::string>().empty());
}

Json show_json(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"show", "--json"});
  MinkeRun run = run_minke(arguments);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  return run.exit_code == 0 ? Json::parse(run.out) : Json();
}

TEST(Show, SaysWhatTheModelIs) {
  Json report = show_json({golden_model("deepseek_v3"), "--tensors", "--context", "1,256"});
  EXPECT_EQ(report["architecture"], "deepseek_v3");
  EXPECT_EQ(report["config"]["kv_lora_rank"], 28);
  EXPECT_EQ(report["config"]["n_routed_experts"], 16);
  EXPECT_EQ(report["config"]["rope_scaling"], "yarn");
  int n_layers = 3 + 1;  // multi-token prediction has a layer of its own
  EXPECT_EQ(report["kv_bytes_per_token"], n_layers * (32 + 16) * 2);
  EXPECT_EQ(report["memory"][1]["kv_bytes"], 256 * n_layers * (32 + 16) * 2);
  EXPECT_GT(report["parameters"]["mtp"], 0);
  EXPECT_GT(report["parameters"]["total"], report["parameters"]["active"]);
  uint64_t sum = 0;
  for (const Json& tensor : report["tensors"]) sum += tensor["bytes"].get<uint64_t>();
  EXPECT_EQ(report["weight_bytes"], sum);
}

TEST(Show, CountsTheSameParametersInEveryLayout) {
  Json plain = show_json({golden_model("deepseek_v3")}),
       gguf = show_json({golden_model("deepseek_v3") + "/gguf/mainline_bf16.gguf"});
  EXPECT_EQ(gguf["format"], "gguf");
  plain["parameters"].erase("mtp");  // not in files of that converter
  EXPECT_EQ(gguf["parameters"], plain["parameters"]);
  EXPECT_NE(gguf["structure_fingerprint"], plain["structure_fingerprint"]);
  EXPECT_EQ(show_json({golden_model("deepseek_v3")})["structure_fingerprint"], plain["structure_fingerprint"]);
}

TEST(Show, HashesAreThoseOfTheFiles) {
  Json report = show_json({golden_model("deepseek_v3_sharded"), "--hash"});
  ASSERT_EQ(report["files"].size(), 3u);
  for (const Json& file : report["files"]) {
    Digest digest = Digest::sha256();
    digest.update(value_of(read_file(file["path"].get<std::string>(), size_t{1} << 30)));
    EXPECT_EQ(file["sha256"], digest.finish_hex());
  }
}

TEST(Show, TextHasTheMainNumbers) {
  MinkeRun run = run_minke({"show", golden_model("deepseek_v3"), "--tensors"});
  for (const char* part : {"deepseek_v3", "kv_lora_rank", "structure fingerprint", "model.embed_tokens.weight", "256 tokens"}) {
    EXPECT_NE(run.out.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(run_minke({"show", golden_model("deepseek_v3"), "--context", "9999"}).exit_code, 1);
  EXPECT_EQ(run_minke({"show", golden_model("deepseek_v3"), "--context", "x"}).exit_code, 1);
}

TEST(Show, BadModelsAreRefused) {
  TemporaryDirectory folder;
  value_of(write_file(folder.file("notes.txt"), "hello"));
  for (std::string path : {folder.path().string(), folder.file("notes.txt"), edge("gguf/bad_magic.gguf")}) {
    MinkeRun run = run_minke({"show", path});
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_NE(run.err.find(path), std::string::npos) << run.err;
  }
}

TEST(Doctor, ReportsTheMachineAndNoToken) {
  MinkeRun run = run_minke({"doctor", "--json"}, {"", {{"HF_TOKEN", "hf_secret"}, {"MINKE_ISA", "ref"}}});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  Json report = Json::parse(run.out);
  EXPECT_EQ(report["isa"]["chosen"], "ref");
  EXPECT_EQ(report["hub"]["has_token"], true);
  EXPECT_GT(report["memory"]["total_bytes"], 0);
  EXPECT_GE(report["cpu"]["default_threads"], 1);
  MinkeRun text = run_minke({"doctor"}, {"", {{"HF_TOKEN", "hf_secret"}, {"LANG", "ko_KR.UTF-8"}}});
  EXPECT_EQ((run.out + text.out + text.err).find("hf_secret"), std::string::npos);
  EXPECT_NE(text.out.find("메모리"), std::string::npos);
}

TEST(Doctor, AWrongIsaIsAProblem) {
  Json report = Json::parse(run_minke({"doctor", "--json"}, {"", {{"MINKE_ISA", "mmx"}}}).out);
  EXPECT_TRUE(report["isa"]["chosen"].is_null());
  ASSERT_FALSE(report["problems"].empty());
  EXPECT_NE(report["problems"][0].get<std::string>().find("mmx"), std::string::npos);
}

}  // namespace
}  // namespace minke::testing
