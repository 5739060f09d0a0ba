#include "ledger/settings.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/json.h"

namespace minke::ledger {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Status take_number(std::optional<double>& out, double value, const std::string& where) {
  if (!std::isfinite(value) || value < 0) return error("{}: expected a number from 0 up, got {}", where, value);
  out = value;
  return {};
}

Status read_settings_file(const std::string& path, CostSettings& settings) {
  Json json = TRY(read_json_file(path, size_t{1} << 16));
  if (!json.is_object()) return error("{}: expected an object such as {{\"money_per_hour\": 0.12}}", path);
  for (const auto& [key, value] : json.items()) {
    std::string where = path + ": " + key;
    if (key == "currency") {
      if (!value.is_string()) return error("{}: expected a name in quotes, got {}", where, dump_json(value));
      settings.rates.currency = value.get<std::string>();
      continue;
    }
    std::optional<double>* out = key == "money_per_hour"  ? &settings.rates.per_hour
                                 : key == "money_per_kwh" ? &settings.rates.per_kwh
                                 : key == "watts"         ? &settings.watts
                                                          : nullptr;
    if (out == nullptr) {
      return error("{}: unknown key; known are money_per_hour, money_per_kwh, currency, watts", where);
    }
    if (!value.is_number()) return error("{}: expected a number, got {}", where, dump_json(value));
    TRY(take_number(*out, value.get<double>(), where));
  }
  return {};
}

Status read_number_variable(const char* name, std::optional<double>& out) {
  std::string text = variable(name);
  if (text.empty()) return {};
  double value = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size()) return error("{}: expected a number, got \"{}\"", name, text);
  return take_number(out, value, name);
}

}  // namespace

Result<CostSettings> read_cost_settings() {
  CostSettings settings;
  std::string config = variable("XDG_CONFIG_HOME");
  std::string home = variable("HOME");
  if (config.empty() && !home.empty()) config = home + "/.config";
  std::string path = config + "/minke/cost.json";
  std::error_code ignored;
  if (!config.empty() && std::filesystem::exists(path, ignored)) TRY(read_settings_file(path, settings));
  TRY(read_number_variable("MINKE_MONEY_PER_HOUR", settings.rates.per_hour));
  TRY(read_number_variable("MINKE_MONEY_PER_KWH", settings.rates.per_kwh));
  TRY(read_number_variable("MINKE_WATTS", settings.watts));
  if (std::string currency = variable("MINKE_CURRENCY"); !currency.empty()) settings.rates.currency = currency;
  if (settings.rates.any() && settings.rates.currency.empty()) {
    return error("a rate is configured without a currency: set MINKE_CURRENCY, or \"currency\" in {}", path);
  }
  return settings;
}

}  // namespace minke::ledger
