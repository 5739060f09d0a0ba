#include "train/report/step_record.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace minke {
namespace {

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

// Fields by name, so that writing and reading cannot name them differently.
template <typename Record, typename Visit>
void visit_fields(Record& record, Visit visit) {
  visit("step", record.step);
  visit("tokens", record.tokens);
  visit("position", record.position);
  visit("total", record.total);
  visit("flops", record.flops);
  visit("loss", record.loss);
  visit("cross_entropy", record.cross_entropy);
  visit("balance_loss", record.balance_loss);
  visit("mtp_loss", record.mtp_loss);
  visit("grad_norm", record.grad_norm);
  visit("lr", record.lr);
  visit("step_s", record.step_s);
  visit("tokens_per_s", record.tokens_per_s);
  visit("mfu", record.mfu);
}

struct Writer {
  Json& json;
  void operator()(const char* key, int64_t value) { json[key] = value; }
  void operator()(const char* key, double value) { json[key] = number(value); }
};

struct Reader {
  const Json& json;
  std::string bad;  // the first key that is missing or of another type
  const Json* find(const char* key) {
    auto found = json.find(key);
    return found == json.end() ? nullptr : &*found;
  }
  void fail(const char* key) {
    if (bad.empty()) bad = key;
  }
  void operator()(const char* key, int64_t& value) {
    const Json* field = find(key);
    if (field == nullptr || !field->is_number_integer()) return fail(key);
    value = field->get<int64_t>();
  }
  void operator()(const char* key, double& value) {
    const Json* field = find(key);
    if (field == nullptr || !(field->is_number() || field->is_null())) return fail(key);
    value = field->is_null() ? std::numeric_limits<double>::quiet_NaN() : field->get<double>();
  }
};

}  // namespace

std::optional<double> figure_of(const StepRecord& record, std::string_view name) {
  const auto found =
      std::find_if(record.figures.begin(), record.figures.end(), [&](const Figure& figure) { return figure.name == name; });
  return found == record.figures.end() ? std::nullopt : std::optional(found->value);
}

Json step_json(const StepRecord& record) {
  Json json = Json::object();
  visit_fields(record, Writer{json});
  if (!record.skipped.empty()) json["skipped"] = record.skipped;
  for (const Figure& figure : record.figures) json["figures"][figure.name] = number(figure.value);
  if (record.validation_loss) json["validation_loss"] = number(*record.validation_loss);
  for (const TextSample& sample : record.samples) {
    json["samples"].push_back(Json{{"prompt", sample.prompt}, {"text", sample.text}});
  }
  return json;
}

Result<StepRecord> parse_step(const Json& json, const std::string& where) {
  if (!json.is_object()) return error("{}: expected an object", where);
  StepRecord record;
  Reader reader{json, ""};
  visit_fields(record, [&](const char* key, auto& value) { reader(key, value); });
  if (const Json* figures = reader.find("figures"); figures != nullptr && figures->is_object()) {
    Reader each{*figures, ""};
    for (const auto& [name, value] : figures->items()) each(name.c_str(), record.figures.emplace_back(Figure{name, 0}).value);
    if (!each.bad.empty()) reader.fail(each.bad.c_str());
  }
  if (json.contains("validation_loss")) reader("validation_loss", record.validation_loss.emplace());
  if (!reader.bad.empty()) return error("{}: expected a number under \"{}\"", where, reader.bad);
  return record;
}

}  // namespace minke
