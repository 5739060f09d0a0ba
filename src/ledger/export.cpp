#include "ledger/export.h"

#include <nlohmann/json.hpp>

namespace minke::ledger {
namespace {

template <typename T>
Json json_or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

std::string csv_field(const Json& value) {
  if (value.is_null()) return "";
  if (!value.is_string()) return dump_json(value);
  std::string text = value.get<std::string>();
  bool is_formula = !text.empty() && std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos;
  bool is_quoted = text.find_first_of(",\"\r\n") != std::string::npos;
  std::string field = is_quoted ? "\"" : "";
  if (is_formula) field += '\'';
  for (char c : text) {
    if (c == '"') field += c;
    field += c;
  }
  if (is_quoted) field += '"';
  return field;
}

std::string csv_line(const std::vector<std::string>& fields) { return fmt::format("{}\r\n", fmt::join(fields, ",")); }

}  // namespace

Json run_json(const Run& run) {
  const RunFacts& facts = run.facts;
  const RunFigures& figures = run.figures;
  return {{"id", run.id},
          {"kind", facts.kind},
          {"name", facts.name},
          {"programme", facts.programme},
          {"state", state_name(run.state)},
          {"reason", run.reason},
          {"started_at", run.started_at},
          {"updated_at", run.updated_at},
          {"ended_at", run.ended_at.empty() ? Json(nullptr) : Json(run.ended_at)},
          {"tokens", figures.tokens},
          {"flops", figures.flops},
          {"wall_s", figures.wall_s},
          {"cpu_s", figures.cpu_s},
          {"energy_j", figures.energy_j},
          {"energy_source", energy_source_name(figures.energy_source)},
          {"money", json_or_null(money_of(facts.rates, figures))},
          {"currency", facts.rates.currency},
          {"money_per_hour", json_or_null(facts.rates.per_hour)},
          {"money_per_kwh", json_or_null(facts.rates.per_kwh)},
          {"parent", json_or_null(facts.parent)},
          {"parent_checkpoint", facts.parent_checkpoint},
          {"out", facts.out},
          {"recipe_hash", facts.recipe_hash},
          {"commit", facts.commit},
          {"host", facts.host},
          {"cpu", facts.cpu},
          {"n_threads", facts.n_threads},
          {"pid", run.pid}};
}

Json sum_json(const Sum& sum) {
  Json states = Json::object();
  for (const auto& [state, n] : sum.n_runs) states[std::string(state_name(state))] = n;
  return {{"n_runs", sum.n_all()},    {"n_by_state", states},
          {"tokens", sum.tokens},     {"flops", sum.flops},
          {"wall_s", sum.wall_s},     {"cpu_s", sum.cpu_s},
          {"energy_j", sum.energy_j}, {"estimated_energy_j", sum.estimated_energy_j},
          {"money", Json(sum.money)}, {"n_unpriced", sum.n_unpriced}};
}

std::string runs_csv(const Runs& runs) {
  std::vector<std::string> fields;
  Json heading = run_json(Run{});
  for (const auto& [key, value] : heading.items()) fields.push_back(key);
  std::string text = csv_line(fields);
  for (const Run& run : runs) {
    fields.clear();
    Json row = run_json(run);
    for (const auto& [key, value] : row.items()) fields.push_back(csv_field(value));
    text += csv_line(fields);
  }
  return text;
}

}  // namespace minke::ledger
