#include "plan/query/query.h"

namespace minke::plan {

using toml_file::kNotNegative;
using toml_file::kPositive;

double QueryInputs::number(const std::string& key) {
  double value = 0;
  section_.number(key, value, kPositive);
  return value;
}

double QueryInputs::number_or(const std::string& key, double fallback) {
  if (section_.contains(key)) section_.number(key, fallback, kNotNegative);
  return fallback;
}

int64_t QueryInputs::integer(const std::string& key) {
  int64_t value = 0;
  section_.integer(key, value, 1);
  return value;
}

int64_t QueryInputs::integer_or(const std::string& key, int64_t fallback) {
  if (section_.contains(key)) section_.integer(key, fallback, 0);
  return fallback;
}

std::string QueryInputs::text(const std::string& key) {
  std::string value;
  section_.text(key, value);
  return value;
}

std::string QueryInputs::text_or(const std::string& key, std::string fallback) {
  if (section_.contains(key)) section_.text(key, fallback);
  return fallback;
}

bool QueryInputs::flag_or(const std::string& key, bool fallback) {
  if (section_.contains(key)) section_.flag(key, fallback);
  return fallback;
}

Status QueryInputs::done() {
  section_.finish();
  return problems_->status();
}

std::span<const Query> queries() {
  static const std::vector<Query> all = [] {
    std::vector<Query> rows;
    for (std::span<const Query> part : {shape_queries(), run_queries(), serve_queries()}) {
      rows.insert(rows.end(), part.begin(), part.end());
    }
    return rows;
  }();
  return all;
}

Result<Query> find_query(std::string_view name) {
  std::vector<std::string> names;
  for (const Query& query : queries()) {
    if (query.name == name) return query;
    names.emplace_back(query.name);
  }
  auto nearest = toml_file::nearest_name(name, names);
  return error("query \"{}\": {}known: {}", name, nearest ? fmt::format("did you mean \"{}\"? ", *nearest) : "",
               fmt::join(names, ", "));
}

}  // namespace minke::plan
