// minke plan as a user calls it.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "cli/run_minke.h"
#include "plan/request/request.h"
#include "support/support.h"

namespace minke::testing {
namespace {

Json json_of(const MinkeRun& run) {
  EXPECT_EQ(run.exit_code, 0) << run.err;
  return value_of(parse_json(run.out, "stdout"));
}

TEST(PlanCommand, ValidatesEveryGateAndFailsOnARowThatIsOff) {
  MinkeRun run = run_minke({"plan", "validate"});
  EXPECT_EQ(run.exit_code, 0) << run.out;
  EXPECT_EQ(run.out.find("FAILS"), std::string::npos) << run.out;
  TemporaryDirectory folder;
  value_of(write_file(folder.file("rows.toml"),
                      "[[row]]\nid = \"X\"\ntitle = \"t\"\nquery = \"model.kv\"\nsource = \"s\"\ndate = \"2026-01-01\"\n"
                      "confidence = \"primary\"\ninputs = { model = \"deepseek-v3\", bytes_per_value = 2 }\n"
                      "published = [{ output = \"bytes_per_token\", value = 70000, tolerance = 0.001 }]\n"));
  MinkeRun off = run_minke({"plan", "validate", "--rows", folder.file("rows.toml")});
  EXPECT_EQ(off.exit_code, 1);
  EXPECT_NE(off.out.find("FAILS"), std::string::npos) << off.out;
}

TEST(PlanCommand, ValidationRowsWithMistakesNameThem) {
  TemporaryDirectory folder;
  auto message = [&](const std::string& query, const std::string& inputs, const std::string& output) {
    value_of(write_file(folder.file("rows.toml"),
                        "[[row]]\nid = \"X\"\ntitle = \"t\"\nquery = \"" + query +
                            "\"\nsource = \"s\"\ndate = \"2026-01-01\"\nconfidence = \"primary\"\ninputs = { " + inputs +
                            " }\npublished = [{ output = \"" + output + "\", value = 1, tolerance = 1 }]\n"));
    MinkeRun run = run_minke({"plan", "validate", "--rows", folder.file("rows.toml")});
    EXPECT_EQ(run.exit_code, 1);
    return run.err;
  };
  std::string good = "model = \"deepseek-v3\", bytes_per_value = 2";
  EXPECT_NE(message("model.vk", good, "x").find("did you mean \"model.kv\""), std::string::npos);
  EXPECT_NE(message("model.kv", good, "x").find("gives bytes_per_token"), std::string::npos);
  EXPECT_NE(message("model.kv", good + ", extra = 1", "bytes_per_token").find("extra: unknown key"), std::string::npos);
  EXPECT_NE(message("model.kv", "bytes_per_value = 2", "bytes_per_token").find("inputs.model: missing"), std::string::npos);
}

TEST(PlanCommand, TrainSaysWhatItCostsAndWhatIsNotInIt) {
  std::vector<std::string> call = {"plan", "train", "--model", "deepseek-v3", "--tokens", "14.8T", "--on", "2048xH800"};
  MinkeRun text = run_minke(call);
  EXPECT_EQ(text.exit_code, 0) << text.err;
  for (const char* part : {"layout:", "(a) the final run, rented", "(c) buying the devices", "not in these numbers"}) {
    EXPECT_NE(text.out.find(part), std::string::npos) << part << "\n" << text.out;
  }
  call.push_back("--json");
  Json json = json_of(run_minke(call));
  EXPECT_LT(json["run_usd"]["low"], json["run_usd"]["likely"]);
  EXPECT_GT(json["not_included"].size(), 1u);
  EXPECT_EQ(json["question"]["precision"], "FP8");  // a checkpoint of FP8 on a device that has it
  double sum = 0;
  for (const auto& [name, seconds] : json["step_parts_s"].items()) sum += seconds.get<double>();
  EXPECT_NEAR(sum / json["step_s"]["likely"].get<double>(), 1, 1e-5);
  bool has_source = false;
  for (const Json& input : json["working"]["inputs"]) has_source = has_source || input["source"] != "";
  EXPECT_TRUE(has_source);
}

TEST(PlanCommand, ExplainsInKoreanToo) {
  MinkeRun run =
      run_minke({"plan", "train", "--model", "llama-3-8b", "--tokens", "1T", "--on", "64xH100", "--explain", "--lang", "ko"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.out.find("계산 과정"), std::string::npos);
  EXPECT_NE(run.out.find("이 숫자에 들어 있지 않은 것"), std::string::npos);
}

TEST(PlanCommand, MistakesAreOneLineThatHelps) {
  auto message = [](std::vector<std::string> call) {
    call.insert(call.begin(), "plan");
    MinkeRun run = run_minke(call);
    EXPECT_EQ(run.exit_code, 1) << run.out;
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
    return run.err;
  };
  std::vector<std::string> v3 = {"train", "--model", "deepseek-v3", "--tokens", "1T", "--on"};
  auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> call = v3;
    call.insert(call.end(), more.begin(), more.end());
    return message(call);
  };
  EXPECT_NE(with({"2048xH801"}).find("did you mean \"H800\""), std::string::npos);
  EXPECT_NE(with({"0xH800"}).find("at least one device"), std::string::npos);
  EXPECT_NE(with({"8xH800"}).find("no layout fits 8 H800"), std::string::npos);
  EXPECT_NE(with({"2048xH800", "--layout", "pp16,ep48,dp128"}).find("the nearest that works"), std::string::npos);
  EXPECT_NE(with({"2048xH800", "--tflops", "400", "--layout", "pp16"}).find("contradict"), std::string::npos);
  EXPECT_NE(message({"train", "--model", "v33", "--tokens", "1T", "--on", "H800"}).find("no model \"v33\""), std::string::npos);
  EXPECT_NE(message({"train", "--model", "llama-3-8b", "--tokens", "many", "--on", "H800"}).find("--tokens"),
            std::string::npos);
  EXPECT_NE(message({"run", "deepseek-v3", "--on", "EPYC-9654", "--hybrid", "--disk", "3"}).find("contradict"),
            std::string::npos);
}

TEST(PlanCommand, ServeComparesWithTheApi) {
  Json json =
      json_of(run_minke({"plan", "serve", "--model", "deepseek-r1", "--on", "96xH100", "--api", "deepseek-r1", "--json"}));
  ASSERT_EQ(json["api"].size(), 1u);
  EXPECT_GT(json["api"][0]["break_even_use"]["likely"], 0);
  EXPECT_GT(json["decode_unit"]["streams"], 1);
  EXPECT_TRUE(json["decode_unit"]["parts_ms"].contains("exchange"));
}

TEST(PlanCommand, RunTakesStatedPeaksAndOtherMachines) {
  Json own = json_of(run_minke(
      {"plan", "run", "deepseek-r1-distill-qwen-1.5b", "--quant", "q4_k_m", "--read", "88.6", "--compute", "2219", "--json"}));
  EXPECT_GT(own["decode_tokens_per_s"]["likely"], 0);
  EXPECT_LT(own["decode_tokens_per_s"]["low"], own["decode_tokens_per_s"]["likely"]);
  Json other = json_of(run_minke({"plan", "run", "deepseek-v3", "--on", "M3-Ultra", "--bits", "4.5", "--json"}));
  EXPECT_NEAR(other["decode_tokens_per_s"]["likely"].get<double>(), 20, 2);  // published: about 20
  Json disk = json_of(run_minke({"plan", "run", "deepseek-v3", "--on", "M2-Ultra", "--disk", "6", "--json"}));
  EXPECT_GT(disk["disk_share"], 0);
}

TEST(PlanCommand, CompareListsDevicesAndSweepsDrawThem) {
  Json rows = json_of(
      run_minke({"plan", "compare", "--model", "qwen2.5-72b", "--serve", "--devices", "8", "--on", "H20,H100", "--json"}));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_LT(rows[0]["prefill_tokens_per_s_per_device"]["likely"], rows[1]["prefill_tokens_per_s_per_device"]["likely"]);
  TemporaryDirectory folder;
  MinkeRun sweep = run_minke({"plan", "compare", "--model", "qwen2.5-72b", "--serve", "--devices", "8", "--on", "H20,H100",
                              "--sweep", "bandwidth=0.5:2", "--svg", folder.file("sweep.svg")});
  EXPECT_EQ(sweep.exit_code, 0) << sweep.err;
  std::string svg = value_of(read_file(folder.file("sweep.svg"), 1 << 20));
  EXPECT_NE(svg.find("H20"), std::string::npos);
  MinkeRun wrong = run_minke({"plan", "compare", "--model", "qwen2.5-72b", "--on", "H20", "--sweep", "colour=1:2"});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_NE(wrong.err.find("PROPERTY=LOW:HIGH"), std::string::npos);
}

// What the page asks in JSON and what a user asks with flags are one question.
TEST(PlanCommand, JsonIsTheAnswerOfTheRequest) {
  plan::Tables tables = plan::Tables::builtin();
  auto expect_same = [&](std::vector<std::string> call, const char* request) {
    call.insert(call.begin(), "plan");
    call.push_back("--json");
    Json asked = value_of(parse_json(request, "request"));
    EXPECT_EQ(json_of(run_minke(call)), value_of(plan::answer_request(asked, tables))) << request;
  };
  expect_same({"train", "--model", "deepseek-v3", "--tokens", "14.8T", "--on", "2048xH800", "--batch", "15360", "--mtp",
               "--extra-hours", "124K", "--programme", "4", "--price", "2"},
              R"({"kind": "train", "model": "deepseek-v3", "tokens": "14.8T", "device": "H800", "devices": 2048,
                  "sequences": 15360, "with_mtp": true, "extra_hours": 124000, "programme": 4, "usd_per_hour": 2})");
  expect_same({"rl", "--model", "deepseek-v3", "--on", "512xH800", "--rounds", "650", "--answers", "8192"},
              R"({"kind": "rl", "model": "deepseek-v3", "device": "H800", "devices": 512, "rounds": 650,
                  "answers_per_round": 8192})");
  expect_same({"serve", "--model", "deepseek-r1", "--on", "96xH100", "--in", "4000", "--hit", "0.5", "--api", "all"},
              R"({"kind": "serve", "model": "deepseek-r1", "device": "H100", "devices": 96, "input_tokens": 4000,
                  "hit_share": 0.5, "api": "all"})");
  expect_same({"run", "deepseek-v3", "--on", "M3-Ultra", "--bits", "4.5", "--context", "1000"},
              R"({"kind": "run", "model": "deepseek-v3", "device": "M3-Ultra", "bits": 4.5, "context": 1000})");
  expect_same({"compare", "--model", "qwen2.5-72b", "--tokens", "1T", "--on", "H20,H100", "--sweep", "bandwidth=0.5:2"},
              R"({"kind": "compare", "on": ["H20", "H100"], "sweep": {"property": "bandwidth", "low": 0.5, "high": 2},
                  "of": {"kind": "train", "model": "qwen2.5-72b", "device": "H20", "devices": 64, "tokens": 1e12}})");
}

TEST(PlanCommand, AskTakesTheQuestionOfThePage) {
  Json choices = json_of(run_minke({"plan", "ask", R"({"kind": "choices"})"}));
  EXPECT_GT(choices["presets"].size(), 4u);
  Json korean = json_of(run_minke({"plan", "ask", dump_json(choices["presets"][0]["request"]), "--lang", "ko"}));
  EXPECT_NE(korean["not_included"][1].get<std::string>().find("인건비"), std::string::npos);
  MinkeRun wrong = run_minke({"plan", "ask", R"({"kind": "train", "model": "v33"})"});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_NE(wrong.err.find("model = \"v33\""), std::string::npos) << wrong.err;
}

TEST(PlanCommand, TablesAndRlAnswer) {
  for (const char* which : {"devices", "models", "factors", "prices", "queries"}) {
    Json rows = json_of(run_minke({"plan", "tables", which, "--json"}));
    EXPECT_GT(rows.size(), 5u) << which;
  }
  Json rl = json_of(run_minke(
      {"plan", "rl", "--model", "deepseek-v3", "--on", "512xH800", "--rounds", "650", "--answers", "8192", "--json"}));
  EXPECT_TRUE(rl["waits_for_longest"].get<bool>());
}

}  // namespace
}  // namespace minke::testing
