// Questions as JSON: what they answer, what they refuse, and that presets and the command line say the same.
#include "plan/request/request.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "plan/request/presets.h"
#include "plan/request/questions.h"
#include "plan/request/write.h"

namespace minke::plan {
namespace {

struct RequestTest : testing::Test {
  Tables tables = Tables::builtin();

  Json request(std::string_view text) {
    auto parsed = parse_json(text, "test");
    EXPECT_TRUE(parsed.has_value()) << text;
    return parsed ? *parsed : Json();
  }
  Json answer(const Json& question) {
    auto out = answer_request(question, tables);
    EXPECT_TRUE(out.has_value()) << (out ? "" : out.error().message) << "\n" << dump_json(question);
    return out ? *out : Json();
  }
  std::string refusal(std::string_view text) {
    auto out = answer_request(request(text), tables);
    EXPECT_FALSE(out.has_value()) << text;
    return out ? "" : out.error().message;
  }
  // The refusal of a good question with one key changed.
  std::string refusal_of(std::string_view base, const std::string& key, const std::string& value) {
    Json question = request(base);
    question[key] = request(value);
    return refusal(dump_json(question));
  }
  static void expect_part(const std::string& message, std::string_view part) {
    EXPECT_NE(message.find(part), std::string::npos) << "\"" << part << "\" is not in: " << message;
  }
};

constexpr std::string_view kTrain =
    R"({"kind": "train", "model": "deepseek-v3", "device": "H800", "devices": 2048, "tokens": "14.8T"})";
constexpr std::string_view kServe = R"({"kind": "serve", "model": "deepseek-r1", "device": "H100", "devices": 96})";
constexpr std::string_view kRl =
    R"({"kind": "rl", "model": "deepseek-v3", "device": "H800", "devices": 512, "rounds": 650, "answers_per_round": 8192})";
constexpr std::string_view kRun = R"({"kind": "run", "model": "deepseek-v3", "device": "M3-Ultra", "bits": 4.5})";

TEST_F(RequestTest, EveryPresetIsAnswered) {
  Json choices = answer(request(R"({"kind": "choices"})"));
  ASSERT_EQ(choices["presets"].size(), presets().size());
  for (const Json& preset : choices["presets"]) {
    Json out = answer(preset["request"]);
    EXPECT_TRUE(out.contains(preset["headline"].get<std::string>())) << preset["id"];
    EXPECT_GT(out["not_included"].size(), 1u) << preset["id"];
    EXPECT_GT(out["working"]["steps"].size(), 0u) << preset["id"];
    for (const char* language : {"en", "ko"}) EXPECT_NE(preset["title"][language], "") << preset["id"];
  }
}

TEST_F(RequestTest, TheFirstPresetGivesThePublishedSum) {
  Json question = request(presets()[0].request);
  Json out = answer(question);
  EXPECT_NEAR(out["run_usd"]["likely"].get<double>() / 5.576e6, 1, 0.1);  // the layout's predicted speed is within 10 %
  EXPECT_NE(out["layout"].get<std::string>().find("pp16"), std::string::npos);
}

TEST_F(RequestTest, ChoicesNameTheirSources) {
  Json choices = choices_json(tables);
  EXPECT_EQ(choices["models"].size(), tables.models().size());
  EXPECT_EQ(choices["devices"].size(), tables.devices().size());
  for (const char* list : {"models", "devices"}) {
    for (const Json& row : choices[list]) {
      EXPECT_NE(row["source"], "") << row["name"];
      EXPECT_NE(row["date"], "") << row["name"];
    }
  }
  EXPECT_LT(choices["programme"]["low"], choices["programme"]["high"]);
}

TEST_F(RequestTest, ATextOfNumbersIsTheNumber) {
  Json as_number = request(kTrain);
  as_number["tokens"] = 14.8e12;
  EXPECT_EQ(answer(request(kTrain)), answer(as_number));
  as_number["devices"] = 2048.0;
  as_number["layout"] = nullptr;  // as good as left out
  EXPECT_EQ(answer(request(kTrain)), answer(as_number));
}

TEST_F(RequestTest, WhatIfScalesTheDevice) {
  Json question = request(kTrain), slower = question;
  slower["what_if"] = {{"compute", 0.5}};
  EXPECT_GT(answer(slower)["days"]["likely"], answer(question)["days"]["likely"]);
  Json serve = request(kServe), wider = serve;
  wider["what_if"] = {{"bandwidth", 2}, {"network", 2}};
  EXPECT_GT(answer(wider)["stream_tokens_per_s"]["likely"], answer(serve)["stream_tokens_per_s"]["likely"]);
}

TEST_F(RequestTest, TheProgrammeIsAMultipleOfTheRun) {
  Json question = request(kTrain);
  question["programme"] = 3;
  Json out = answer(question);
  for (const char* end : {"low", "likely", "high"}) {
    EXPECT_NEAR(out["programme_usd"][end].get<double>(), 3 * out["run_usd"][end].get<double>(), 1e-4 * 3e7) << end;
  }
}

TEST_F(RequestTest, AnOwnMachineNeedsNoRowOfTheTables) {
  Json out = answer(request(R"({"kind": "run", "model": "llama-3-8b", "bits": 4, "read_gb_per_s": 40, "memory_gb": 2})"));
  EXPECT_GT(out["decode_tokens_per_s"]["likely"], 0);
  EXPECT_TRUE(out["prefill_tokens_per_s"].is_null());  // its compute is not known
  EXPECT_FALSE(out["fits"].get<bool>());
}

TEST_F(RequestTest, AComparisonHasARowForEveryDeviceAndFactor) {
  Json question = {{"kind", "compare"}, {"on", {"H800", "H20"}}, {"of", request(kTrain)}};
  Json rows = answer(question);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["days"], answer(request(kTrain))["days"]);
  EXPECT_LT(rows[0]["days"]["likely"], rows[1]["days"]["likely"]);
  question["sweep"] = {{"property", "price"}, {"low", 0.5}, {"high", 2}};
  Json swept = answer(question);
  ASSERT_EQ(swept["points"].size(), 2u * kSweepPoints);
  EXPECT_NEAR(swept["points"].back()["usd"]["likely"].get<double>() / rows[1]["usd"]["likely"].get<double>(), 2, 1e-4);
}

TEST_F(RequestTest, MachinesAreComparedWithTheReasonWhereItDoesNotFit) {
  Json own = request(R"({"kind": "run", "model": "deepseek-v3", "bits": 4.5, "read_gb_per_s": 40})");
  Json rows = answer({{"kind", "compare"}, {"on", {"M3-Ultra", "RTX-4090"}}, {"of", own}});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["decode_tokens_per_s"], answer(request(kRun))["decode_tokens_per_s"]);
  EXPECT_NE(rows[1]["error"].get<std::string>().find("RTX-4090 has"), std::string::npos);
}

TEST_F(RequestTest, KoreanSaysWhatIsLeftOutInKorean) {
  for (std::string_view base : {kTrain, kServe, kRl, kRun}) {
    Json question = request(base);
    question["language"] = "ko";
    Json korean = answer(question), english = answer(request(base));
    EXPECT_NE(korean["not_included"], english["not_included"]);
    EXPECT_EQ(korean["working"], english["working"]);
  }
}

TEST_F(RequestTest, MistakesNameTheKeyTheValueAndWhatIsPossible) {
  expect_part(refusal("[]"), "JSON object");
  expect_part(refusal("{}"), "kind: missing");
  expect_part(refusal(R"({"kind": "travel"})"), "kind = \"travel\": expected one of choices, train, rl, serve, run, compare");
  expect_part(refusal(R"({"kind": "choices", "model": "x"})"), "model = \"x\": unknown key");
  expect_part(refusal(R"({"kind": "choices", "language": "fr"})"), "language = \"fr\": expected one of en, ko");
  expect_part(refusal_of(kTrain, "device", R"("H801")"), "device = \"H801\"");
  expect_part(refusal_of(kTrain, "device", R"("H801")"), "did you mean \"H800\"");
  expect_part(refusal_of(kTrain, "model", R"("v33")"), "known: ");
  expect_part(refusal_of(kTrain, "tokens", R"("many")"), "tokens \"many\": expected a number above 0");
  expect_part(refusal_of(kTrain, "tokens", "-1"), "tokens = -1: expected a number above 0");
  expect_part(refusal_of(kTrain, "tokns", "1"), "did you mean \"tokens\"");
  expect_part(refusal_of(kTrain, "devices", "0"), "devices = 0: expected a whole number from 1 to");
  expect_part(refusal_of(kTrain, "devices", "1.5"), "devices = 1.5: expected a whole number");
  expect_part(refusal_of(kTrain, "devices", "1e300"), "expected a whole number");
  expect_part(refusal_of(kTrain, "devices", "null"), "devices: missing");
  expect_part(refusal_of(kTrain, "with_mtp", "1"), "with_mtp = 1: expected true or false");
  expect_part(refusal_of(kTrain, "precision", R"("fp4")"), "precision = \"fp4\": expected one of fp8, bf16");
  expect_part(refusal_of(kTrain, "what_if", R"({"colour": 2})"), "what_if takes bandwidth, network, compute, memory");
  expect_part(refusal_of(kTrain, "what_if", "3"), "what_if = 3: expected an object");
  expect_part(refusal_of(kServe, "hit_share", "2"), "hit_share = 2: expected a number from 0 to 0.999");
  expect_part(refusal_of(kRun, "read_gb_per_s", "40"), "expected one of them");
  expect_part(refusal_of(kRun, "quant", R"("q9")"), "quant \"q9\"");
  expect_part(refusal(R"({"kind": "compare", "on": [], "of": {}})"), "on = []: expected a list of 1 to 6 texts");
  expect_part(refusal(R"({"kind": "compare", "on": ["H20"], "of": {"kind": "rl"}})"), "of: kind = \"rl\"");
}

TEST_F(RequestTest, MessagesNameKeysAndNotFlags) {
  expect_part(refusal_of(kTrain, "seq_len", "1000000"), "seq_len 1000000: deepseek-v3 has a context of");
  expect_part(refusal_of(kRl, "cap_tokens", "100"), "answer_tokens 8000 and cap_tokens 100");
  expect_part(refusal_of(kServe, "input_tokens", "1e9"), "input_tokens 1000000000 and output_tokens 600");
  expect_part(refusal_of(kRun, "device", R"("RTX-4090")"), "experts from disk (disk_gb_per_s GB/s)");
  Json both = request(kTrain);
  both["layout"] = "pp16";
  both["tflops"] = 400;
  expect_part(refusal(dump_json(both)), "tflops and layout contradict");
}

TEST_F(RequestTest, AnImpossibleLayoutComesWithTheNearest) {
  std::string message = refusal_of(kTrain, "layout", R"("pp16,ep48,dp128")");
  expect_part(message, "the nearest that works");
  expect_part(refusal_of(kTrain, "devices", "8"), "no layout fits 8 H800");
}

TEST_F(RequestTest, TextGoesInAndOut) {
  auto out = answer_request_text(kRun);
  ASSERT_TRUE(out.has_value());
  EXPECT_EQ(request(*out), answer(request(kRun)));
  EXPECT_FALSE(answer_request_text("{").has_value());
  EXPECT_FALSE(answer_request_text("[[[[[[[[[[[[[[[[[[[[").has_value());
}

}  // namespace
}  // namespace minke::plan
