// What a question can be asked about.
#include <nlohmann/json.hpp>
#include <set>

#include "base/check.h"
#include "plan/request/presets.h"
#include "plan/request/request.h"
#include "plan/request/write.h"
#include "plan/shape/parameters.h"

namespace minke::plan {
namespace {

const char* confidence_name(Confidence confidence) {
  switch (confidence) {
    case Confidence::kPrimary:
      return "primary";
    case Confidence::kSecondary:
      return "secondary";
    case Confidence::kMemory:
      return "memory";
    case Confidence::kLead:
      return "lead";
    case Confidence::kMeasured:
      return "measured";
    case Confidence::kAssumed:
      return "assumed";
  }
  return "";
}

Json source_json(const Source& source) {
  return {{"source", source.text}, {"date", source.date}, {"confidence", confidence_name(source.confidence)}};
}

Json number_or_null(double value) { return value > 0 ? Json(value) : Json(); }

Json price_json(const DevicePrice* price) {
  if (price == nullptr) return nullptr;
  Json out = range_json({price->usd.low, price->usd.likely, price->usd.high});
  out.update(source_json(price->source));
  return out;
}

Json device_json(const Device& d, const Tables& tables) {
  Json out = {{"name", d.name},
              {"aliases", d.aliases},
              {"class", d.device_class},
              {"bf16_tflops", number_or_null(d.bf16.value() / 1e12)},
              {"fp8_tflops", number_or_null(d.fp8.value() / 1e12)},
              {"int8_tops", number_or_null(d.int8.value() / 1e12)},
              {"memory_gb", number_or_null(d.memory.value() / 1e9)},
              {"memory_gb_per_s", number_or_null(d.bandwidth.value() / 1e9)},
              {"scale_up_gb_per_s", number_or_null(d.scale_up.value() / 1e9)},
              {"scale_out_gb_per_s", number_or_null(d.scale_out.value() / 1e9)},
              {"watts", number_or_null(d.watts.value())},
              {"rental", price_json(tables.rental(d.name))},
              {"purchase", price_json(tables.purchase(d.name))}};
  out.update(source_json(d.source));
  return out;
}

Json model_json(const ModelRow& m) {
  ModelParameters p = model_parameters(m.config);
  Json out = {{"name", m.name},
              {"aliases", m.aliases},
              {"parameters", p.total()},
              {"active", p.active},
              {"context", m.config.max_seq_len},
              {"has_mtp", m.config.n_mtp_layers > 0},
              {"has_experts", p.routed_experts > 0}};
  out.update(source_json(m.source));
  return out;
}

Json preset_json(const Preset& preset) {
  Result<Json> request = parse_json(preset.request, preset.id);
  CHECK(request.has_value(), "{}", request.error().message);
  return {{"id", preset.id},
          {"title", {{"en", preset.title[0]}, {"ko", preset.title[1]}}},
          {"note", {{"en", preset.note[0]}, {"ko", preset.note[1]}}},
          {"headline", preset.headline},
          {"request", std::move(*request)}};
}

}  // namespace

Json choices_json(const Tables& tables) {
  Json out = {{"models", Json::array()}, {"devices", Json::array()}, {"apis", Json::array()}, {"presets", Json::array()}};
  for (const ModelRow& model : tables.models()) out["models"].push_back(model_json(model));
  for (const Device& device : tables.devices()) out["devices"].push_back(device_json(device, tables));
  std::set<std::string> seen;
  for (const ApiPrice& price : tables.api_prices()) {
    if (seen.insert(price.model).second) out["apis"].push_back(price.model);
  }
  for (const Preset& preset : presets()) out["presets"].push_back(preset_json(preset));
  const Factor* programme = tables.find_factor("programme.multiplier.any");
  CHECK(programme != nullptr, "no factor programme.multiplier.any");
  out["programme"] = range_json({programme->value.low, programme->value.likely, programme->value.high});
  out["programme"].update(source_json(programme->source));
  return out;
}

}  // namespace minke::plan
