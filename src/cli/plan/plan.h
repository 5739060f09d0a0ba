// What the commands under `minke plan` share: tables, names and numbers of the command line, and how answers are shown.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "cli/command.h"
#include "plan/answers/train_answer.h"
#include "plan/request/inputs.h"
#include "plan/request/left_out.h"
#include "plan/tables/tables.h"

namespace minke::cli {

using plan::parse_count;

struct PlanFlags {
  std::vector<std::string> tables;  // files of the user
  bool json = false, explain = false;
  std::string svg;
};
void add_table_flags(CLI::App& command, PlanFlags& flags);  // --tables, --json
void add_explain_flag(CLI::App& command, PlanFlags& flags);
void add_svg_flag(CLI::App& command, PlanFlags& flags);
Result<plan::Tables> load_tables(const PlanFlags& flags);

// Of the tables, of src/synthetic, or a config.json.
struct PlannedModel {
  std::string name, source;
  ModelConfig config;
};
Result<PlannedModel> planned_model(const std::string& name, const plan::Tables& tables);

// "2048xH800", or "H800" for one.
struct DeviceCount {
  int64_t n = 1;
  plan::Device device;
};
Result<DeviceCount> parse_devices(const std::string& text, const plan::Tables& tables);

// Three digits that matter and k, M, B, T: "2.79 M".
std::string figure_text(double value);
std::string usd_text(double value);
std::string percent_text(double share);

// Rows of "name, low, likely, high", one table.
struct RangeRow {
  std::string name;
  plan::Range range;
  std::string (*text)(double);
};
void print_ranges(const std::vector<RangeRow>& rows);

// Inputs with their sources, then each formula with its numbers.
void print_working(const plan::Working& working);
// What a number does not contain, a sentence each, under a heading.
void print_left_out(const std::vector<std::string>& sentences);
plan::Language plan_language();  // the one that the user reads
void print_json(const Json& json);

// Writes a file, or says why not.
Status write_svg(const std::string& path, const std::string& svg);

// One file per command under `plan`.
void add_plan_train(CLI::App& plan, Job& job);
void add_plan_rl(CLI::App& plan, Job& job);
void add_plan_serve(CLI::App& plan, Job& job);
void add_plan_run(CLI::App& plan, Job& job);
void add_plan_compare(CLI::App& plan, Job& job);
void add_plan_validate(CLI::App& plan, Job& job);
void add_plan_tables(CLI::App& plan, Job& job);
void add_plan_ask(CLI::App& plan, Job& job);

}  // namespace minke::cli
