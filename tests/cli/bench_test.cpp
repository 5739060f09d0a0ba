// minke bench: rows, what they follow from, and the flags that go together.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "cli/run_minke.h"
#include "support/support.h"

namespace minke::testing {
namespace {

std::vector<std::string> tiny(const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"bench", "--random-weights", "--config", "tiny", "--quant", "q4_k_m", "-t", "1"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(Bench, RowsSayWhatWasMeasuredWhereAndWhatItMeans) {
  TemporaryDirectory directory;
  std::string output = directory.file("rows.jsonl");
  MinkeRun run = run_minke(tiny({"-r", "2", "--json", "--only", "load,pp512,tg0", "--only", "batch4", "--output", output}));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(value_of(read_file(output, 1 << 20)), run.out);
  std::vector<Json> rows = rows_of(run);
  std::vector<std::string> names;
  for (const Json& row : rows) {
    names.push_back(row["name"]);
    for (const char* key : {"unit", "median", "time", "commit", "command", "machine", "model"})
      EXPECT_TRUE(row.contains(key)) << key;
    EXPECT_EQ(row["machine"]["threads"], 1);
    EXPECT_EQ(row["model"]["mix"], "q4_k_m");
    EXPECT_NE(row["command"].get<std::string>().find("minke bench --random-weights"), std::string::npos) << row["command"];
  }
  ASSERT_EQ(names, (std::vector<std::string>{"load", "pp512", "tg0", "batch4", "memory"}));
  const Json& decode = rows[2];
  EXPECT_EQ(decode["samples"].size(), 2u);
  double bytes = decode["weight_bytes_per_token"].get<double>() + decode["kv_bytes_per_token"].get<double>();
  EXPECT_NEAR(decode["gb_per_s"].get<double>(), bytes * decode["median"].get<double>() * 1e-9,
              1e-4 * decode["gb_per_s"].get<double>());
  EXPECT_EQ(decode["probes"]["read GB/s"].size(), 3u);  // before, between and after two repetitions
  EXPECT_GT(rows[4]["median"], rows[4]["file_bytes"]);
}

TEST(Bench, WritesTheRandomModelAndMeasuresTheFile) {
  TemporaryDirectory directory;
  std::string file = directory.file("tiny.gguf");
  MinkeRun written = run_minke(tiny({"--write", file}));
  EXPECT_EQ(written.exit_code, 0) << written.err;
  EXPECT_EQ(written.out, "");
  EXPECT_NE(run_minke(tiny({"--write", file})).err.find("exists already"), std::string::npos);
  EXPECT_EQ(run_minke(tiny({"--write", file, "--force"})).exit_code, 0);
  MinkeRun run = run_minke({"bench", "-r", "1", "-t", "1", "--only", "pp", file});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.out.find("pp512"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("% of int8"), std::string::npos) << run.out;
  EXPECT_NE(run.err.find("pp2048: left out, the model's sequences have at most 1024 tokens"), std::string::npos) << run.err;
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);
}

TEST(Bench, RefusesFlagsThatDoNotFit) {
  EXPECT_NE(run_minke({"bench"}).err.find("give a MODEL, or --random-weights"), std::string::npos);
  EXPECT_NE(run_minke({"bench", "--random-weights", "--config", "tiny"}).err.find("needs --config and --quant"),
            std::string::npos);
  EXPECT_EQ(run_minke({"bench", "x.gguf", "--config", "tiny"}).exit_code, 2);
  EXPECT_EQ(run_minke({"bench", "x.gguf", "--only", "pp300"}).exit_code, 2);
  MinkeRun unknown = run_minke({"bench", "--random-weights", "--config", "gpt-5", "--quant", "q8_0"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_NE(unknown.err.find("deepseek-v2-lite"), std::string::npos) << unknown.err;
}

}  // namespace
}  // namespace minke::testing
