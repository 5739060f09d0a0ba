#include "plan/tables/rows.h"

#include <array>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "model/arch/architecture.h"

namespace minke::plan {
namespace {

using toml_file::Bounds;
using toml_file::kNotNegative;
using toml_file::kPositive;
using toml_file::TomlSection;

constexpr std::array<std::pair<std::string_view, Confidence>, 6> kConfidences = {{{"primary", Confidence::kPrimary},
                                                                                  {"secondary", Confidence::kSecondary},
                                                                                  {"memory", Confidence::kMemory},
                                                                                  {"lead", Confidence::kLead},
                                                                                  {"measured", Confidence::kMeasured},
                                                                                  {"assumed", Confidence::kAssumed}}};

void read_aliases(TomlSection& row, std::vector<std::string>& aliases) {
  if (row.contains("aliases")) row.texts("aliases", aliases);
}

// Sheets print the peak with 2:4 sparsity, twice the dense one, in larger type. FP8 runs at twice the dense BF16 rate on every
// device known, so a ratio near 4 is a sparse figure beside a dense one.
constexpr double kMaxEightBitRatio = 2.5;

void check_dense(TomlSection& row, const Device& device, const char* key, FlopsPerS rate) {
  if (device.bf16.value() <= 0 || rate.value() <= kMaxEightBitRatio * device.bf16.value()) return;
  row.problem(key, fmt::format("is {:.1f} times bf16_tflops: that is the figure with 2:4 sparsity; give the dense one, at most "
                               "{:.0f}",
                               rate / device.bf16, 2 * device.bf16.value() / 1e12));
}

}  // namespace

void read_source(TomlSection& row, Source& source) {
  row.text("source", source.text);
  row.text("date", source.date);
  row.choice<Confidence>("confidence", source.confidence, kConfidences);
}

void read_uncertain(TomlSection& row, Uncertain& value) {
  row.number("likely", value.likely, kNotNegative);
  value.low = value.high = value.likely;
  if (row.contains("low")) row.number("low", value.low, Bounds{.min = 0, .max = value.likely});
  if (row.contains("high")) row.number("high", value.high, Bounds{.min = value.likely});
}

void read_optional(TomlSection& row, const std::string& key, double& out, const Bounds& bounds) {
  if (row.contains(key)) row.number(key, out, bounds);
}

void read_device(TomlSection& row, Device& device) {
  row.text("name", device.name);
  read_aliases(row, device.aliases);
  static const std::array<std::pair<std::string_view, std::string>, 5> kClasses = {{{"datacenter-gpu", "datacenter-gpu"},
                                                                                    {"consumer-gpu", "consumer-gpu"},
                                                                                    {"apple", "apple"},
                                                                                    {"cpu", "cpu"},
                                                                                    {"cpu-2-socket", "cpu-2-socket"}}};
  row.choice<std::string>("class", device.device_class, kClasses);
  double bf16 = 0, fp8 = 0, int8 = 0, memory = 0, bandwidth = 0, scale_up = 0, scale_out = 0, watts = 0;
  row.number("bf16_tflops", bf16, kPositive);
  read_optional(row, "fp8_tflops", fp8, kPositive);
  read_optional(row, "int8_tops", int8, kPositive);
  row.number("memory_gb", memory, kPositive);
  row.number("memory_gb_per_s", bandwidth, kPositive);
  read_optional(row, "scale_up_gb_per_s", scale_up, kPositive);
  if (row.contains("scale_up_size")) row.integer("scale_up_size", device.scale_up_size, 1, 100000);
  read_optional(row, "scale_out_gb_per_s", scale_out, kPositive);
  row.number("watts", watts, kPositive);
  device.bf16 = teraflops(bf16);
  device.fp8 = teraflops(fp8);
  device.int8 = teraflops(int8);
  device.memory = gigabytes(memory);
  device.bandwidth = gigabytes_per_s(bandwidth);
  device.scale_up = gigabytes_per_s(scale_up);
  device.scale_out = gigabytes_per_s(scale_out);
  device.watts = Watts(watts);
  check_dense(row, device, "fp8_tflops", device.fp8);
  if (scale_up > 0 && device.scale_up_size == 1)
    row.problem("scale_up_gb_per_s", "needs scale_up_size, the devices it connects");
  read_source(row, device.source);
}

void read_factor(TomlSection& row, Factor& factor) {
  std::string purpose, device_class;
  row.text("purpose", purpose);
  row.text("class", device_class);
  factor.name = purpose + "." + device_class;
  row.text("what", factor.what);
  read_uncertain(row, factor.value);
  constexpr std::array<std::pair<std::string_view, bool>, 2> kBetter = {{{"higher", true}, {"lower", false}}};
  row.choice<bool>("better", factor.higher_is_better, kBetter);
  read_source(row, factor.source);
}

void read_price(TomlSection& row, DevicePrice& price) {
  row.text("device", price.device);
  read_uncertain(row, price.usd);
  read_source(row, price.source);
}

void read_api_price(TomlSection& row, ApiPrice& price) {
  row.text("model", price.model);
  row.number("miss", price.miss, kNotNegative);
  price.hit = price.miss;
  read_optional(row, "hit", price.hit, Bounds{.min = 0, .max = price.miss});
  row.number("out", price.out, kNotNegative);
  read_source(row, price.source);
}

void read_model(TomlSection& row, ModelRow& model) {
  row.text("name", model.name);
  read_aliases(row, model.aliases);
  std::string config;
  row.text("config", config);
  read_optional(row, "parameters", model.published_parameters, kPositive);
  read_optional(row, "active", model.published_active, kPositive);
  read_source(row, model.source);
  if (config.empty()) return;
  Result<Json> json = parse_json(config, "config");
  if (!json) return row.problem("config", json.error().message);
  Result<ModelConfig> parsed = parse_hf_config(*json, "config");
  if (!parsed) return row.problem("config", parsed.error().message);
  model.config = std::move(*parsed);
}

}  // namespace minke::plan
