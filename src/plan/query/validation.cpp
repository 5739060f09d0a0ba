#include "plan/query/validation.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "plan/query/query.h"
#include "plan/tables/rows.h"

namespace minke::plan {
namespace {

using toml_file::kNotNegative;
using toml_file::kPositive;
using toml_file::Problems;
using toml_file::TomlSection;

constexpr size_t kMaxBytes = size_t{4} << 20;
constexpr double kRounding = 1e-9;  // of sums and products of doubles

void read_check(TomlSection section, ValidationCheck& check) {
  section.text("output", check.output);
  if (section.contains("unit")) section.text("unit", check.unit, true);
  section.number("value", check.published, kPositive);
  section.number("tolerance", check.tolerance, kNotNegative);
  section.finish();
}

Status fill(ValidationRow& row, const QueryOutputs& outputs) {
  for (ValidationCheck& check : row.checks) {
    auto found = std::find_if(outputs.begin(), outputs.end(), [&](const auto& output) { return output.first == check.output; });
    if (found == outputs.end()) {
      std::vector<std::string> names;
      for (const auto& output : outputs) names.push_back(output.first);
      return error("output \"{}\": query {} gives {}", check.output, row.query, fmt::join(names, ", "));
    }
    check.computed = found->second;
  }
  return {};
}

Result<ValidationRow> run_row(TomlSection& section, const Problems& problems, const Tables& tables) {
  ValidationRow row;
  section.text("id", row.id);
  section.text("title", row.title);
  section.text("query", row.query);
  if (section.contains("gate")) section.flag("gate", row.is_gate);
  read_source(section, row.source);
  for (TomlSection& published : section.tables("published")) {
    row.checks.emplace_back();
    read_check(published, row.checks.back());
  }
  QueryInputs inputs(section.section("inputs"), problems);
  section.finish();
  TRY(problems.status());
  Query query = TRY_IN(row.id, find_query(row.query));
  QueryOutputs outputs = TRY_IN(row.id, query.run(inputs, {tables, row.working}));
  TRY_IN(row.id, fill(row, outputs));
  return row;
}

}  // namespace

double ValidationCheck::error() const { return computed / published - 1; }

bool ValidationCheck::passes() const {
  return std::isfinite(computed) && std::abs(computed - published) <= (tolerance + kRounding) * std::abs(published);
}

bool ValidationRow::passes() const {
  return std::all_of(checks.begin(), checks.end(), [](const ValidationCheck& check) { return check.passes(); });
}

Result<std::vector<ValidationRow>> run_validation(std::string_view text, const std::string& where, const Tables& tables) {
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& e) {
    return error("{}:{}: not TOML: {}", where, e.source().begin.line, e.description());
  }
  Problems problems(where, "every validation row needs it");
  Json canonical;
  TomlSection root(problems, table, "", canonical);
  std::vector<ValidationRow> rows;
  for (TomlSection& section : root.tables("row")) rows.push_back(TRY(run_row(section, problems, tables)));
  root.finish();
  TRY(problems.status());
  return rows;
}

Result<std::vector<ValidationRow>> run_validation_file(const std::string& path, const Tables& tables) {
  std::string text = TRY(read_file(path, kMaxBytes));
  return run_validation(text, path, tables);
}

Result<std::vector<ValidationRow>> run_builtin_validation(const Tables& tables) {
  return run_validation(data_file("validation.toml"), "validation.toml", tables);
}

std::vector<std::string> factors_of_one_row(const std::vector<ValidationRow>& rows) {
  std::map<std::string, int> uses;
  for (const ValidationRow& row : rows) {
    for (const std::string& factor : row.working.factors()) uses[factor]++;
  }
  std::vector<std::string> lonely;
  for (const auto& [factor, n] : uses) {
    if (n == 1) lonely.push_back(factor);
  }
  return lonely;
}

}  // namespace minke::plan
