// Evaluations of several models as a file: what is written is read, what is damaged is refused, models are compared problem by
// problem.
#include "eval/eval_table.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/support.h"

namespace minke::testing {
namespace {

std::vector<EvalResult> results(const std::vector<std::pair<std::string, std::string>>& rights) {
  std::vector<EvalResult> out;
  for (const auto& [group, right] : rights) {
    for (char c : right) out.push_back({group, {}, {{"", c == '1' ? 1.0 : 0.0, 7, true}}});
  }
  return out;
}

TEST(EvalTable, WhatIsWrittenIsRead) {
  TemporaryDirectory folder;
  EvalTable table{7, {}};
  table.models.push_back(evaluated_model("first", results({{"a", "1101"}, {"b", "00"}}), 1.5));
  table.models.push_back(evaluated_model("second", results({{"a", "1111"}, {"b", "10"}}), 2));
  value_of(write_file(folder.file("eval.json"), dump_json(table_json(table))));
  const EvalTable read = value_of(read_eval_table(folder.file("eval.json")));
  EXPECT_EQ(read.seed, 7u);
  ASSERT_EQ(read.models.size(), 2u);
  EXPECT_EQ(dump_json(table_json(read)), dump_json(table_json(table)));
  const EvaluatedGroup* a = read.models[0].find("a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->right, "1101");
  EXPECT_DOUBLE_EQ(a->summary.accuracy, 0.75);
  EXPECT_EQ(a->summary.n_problems, 4);
  EXPECT_EQ(read.models[0].find("c"), nullptr);
  const PairedComparison paired = compare_paired(*a, *read.models[1].find("a"));
  EXPECT_EQ(paired.only_first, 0);
  EXPECT_EQ(paired.only_second, 1);
}

TEST(EvalTable, DamagedFilesAreRefusedByKey) {
  TemporaryDirectory folder;
  const auto read = [&](const std::string& text) {
    value_of(write_file(folder.file("eval.json"), text));
    return read_eval_table(folder.file("eval.json"));
  };
  EXPECT_ERROR(read("[]"), "\"seed\" is missing");
  EXPECT_ERROR(read(R"({"seed": 1, "models": []})"), "expected one model at least");
  EXPECT_ERROR(read(R"({"seed": 1, "models": [{"model": 3}]})"), "\"model\": expected text, got number");
  const std::string group =
      R"({"seed": 1, "models": [{"model": "m", "seconds": 1, "summary": [{"task": "a", "tokens": 1, "cut": 0, "right": "RIGHT"}]}]})";
  std::string damaged = group;
  EXPECT_TRUE(read(damaged.replace(damaged.find("RIGHT"), 5, "101")).has_value());
  for (const char* right : {"", "12"}) {
    damaged = group;
    EXPECT_ERROR(read(damaged.replace(damaged.find("RIGHT"), 5, right)), "\"right\": expected a digit 0 or 1");
  }
}

}  // namespace
}  // namespace minke::testing
