// Questions by name with named numbers in and out, so that a row of a TOML file can ask one: what minke plan validate runs.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/toml_section.h"
#include "plan/tables/tables.h"
#include "plan/working.h"

namespace minke::plan {

// The inputs of a row. Reading notes problems; done() must be asked before anything is computed from what was read.
class QueryInputs {
 public:
  QueryInputs(toml_file::TomlSection section, const toml_file::Problems& problems)
      : section_(std::move(section)), problems_(&problems) {}

  double number(const std::string& key);                      // above 0
  double number_or(const std::string& key, double fallback);  // 0 too
  int64_t integer(const std::string& key);
  int64_t integer_or(const std::string& key, int64_t fallback);
  std::string text(const std::string& key);
  std::string text_or(const std::string& key, std::string fallback);
  bool flag_or(const std::string& key, bool fallback);

  // Unknown keys are problems, too.
  Status done();

 private:
  toml_file::TomlSection section_;
  const toml_file::Problems* problems_;
};

struct QueryContext {
  const Tables& tables;
  Working& working;
};

using QueryOutputs = std::vector<std::pair<std::string, double>>;

struct Query {
  std::string_view name;
  std::string_view what;
  Result<QueryOutputs> (*run)(QueryInputs& inputs, const QueryContext& context);
};

std::span<const Query> queries();
Result<Query> find_query(std::string_view name);

// query_shape.cpp, query_run.cpp, query_serve.cpp
std::span<const Query> shape_queries();
std::span<const Query> run_queries();
std::span<const Query> serve_queries();

}  // namespace minke::plan
