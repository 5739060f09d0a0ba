#include "cli/commands/bench_report.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/language.h"
#include "cli/terminal.h"
#include "quantize/quant_mix.h"

namespace minke::cli {
namespace {

constexpr double kSteady = 0.15;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// Six digits are more than any of these figures is worth.
double rounded(double value) { return std::stod(fmt::format("{:.6g}", value)); }

struct PeakName {
  double MachinePeaks::*peak;
  const char *name, *unit;
};
constexpr PeakName kPeaks[] = {{&MachinePeaks::fma_gflops, "f32", "GFLOP/s"},
                               {&MachinePeaks::bf16_gflops, "bf16", "GFLOP/s"},
                               {&MachinePeaks::int8_gops, "int8", "GOP/s"},
                               {&MachinePeaks::read_gbps, "read", "GB/s"}};

// A measurement of `amount` units of work per repetition.
Json rate_row(const std::string& name, const std::string& unit, double amount, const Seconds& seconds) {
  std::vector<double> rates;
  for (double s : seconds) rates.push_back(rounded(amount / s));
  return Json{{"name", name},
              {"unit", unit},
              {"median", median(rates)},
              {"min", *std::min_element(rates.begin(), rates.end())},
              {"max", *std::max_element(rates.begin(), rates.end())},
              {"samples", rates}};
}

double MachinePeaks::*peak_of(ModelCost::Factors factors) {
  if (factors == ModelCost::Factors::kF32) return &MachinePeaks::fma_gflops;
  return factors == ModelCost::Factors::kBf16 ? &MachinePeaks::bf16_gflops : &MachinePeaks::int8_gops;
}

// The share of a peak that `per_unit` of something for each unit of the row's rate comes to, and all probes.
void set_share(Json& row, const char* rate_name, double per_unit, double MachinePeaks::*peak, const PeakSeries& peaks) {
  std::vector<double> values = row["samples"].get<std::vector<double>>();
  for (double& value : values) value *= per_unit * 1e-9;
  row[rate_name] = rounded(median(values));
  for (const PeakName& known : kPeaks) {
    if (known.peak == peak) row["peak"] = known.name;
  }
  row["percent_of_peak"] = peaks.percent(peak, values);
  for (const PeakName& known : kPeaks) {
    std::vector<double> probes;
    for (const MachinePeaks& probe : peaks.probes) probes.push_back(rounded(probe.*known.peak));
    row["probes"][fmt::format("{} {}", known.name, known.unit)] = probes;
  }
}

}  // namespace

Json PeakSeries::percent(double MachinePeaks::*peak, const std::vector<double>& values) const {
  if (probes.size() != values.size() + 1) return {};
  std::vector<double> shares;
  for (size_t i = 0; i < values.size(); i++) {
    double around = (probes[i].*peak + probes[i + 1].*peak) / 2;
    if (around <= 0) return {};
    shares.push_back(100 * values[i] / around);
  }
  return rounded(median(shares));
}

std::string PeakSeries::unsteady(std::string_view peak_name) const {
  std::string text;
  for (const PeakName& known : kPeaks) {
    if (known.peak != &MachinePeaks::fma_gflops && known.name != peak_name) continue;
    auto less = [&](const MachinePeaks& a, const MachinePeaks& b) { return a.*known.peak < b.*known.peak; };
    auto [low, high] = std::minmax_element(probes.begin(), probes.end(), less);
    if (low == probes.end() || (*high).*known.peak * (1 - kSteady) <= (*low).*known.peak) continue;
    text += fmt::format("{}{} {:.4g} - {:.4g} {}", text.empty() ? "" : ", ", known.name, (*low).*known.peak,
                        (*high).*known.peak, known.unit);
  }
  return text;
}

Json machine_json(const Context& context) {
  CpuInfo cpu = detect_cpu();
  return Json{{"cpu", cpu.brand},
              {"isa", isa_name(context.isa)},
              {"threads", context.n_threads()},
              {"physical_cores", cpu.n_physical_cores},
              {"memory_bytes", cpu.memory_bytes}};
}

Json model_json(const std::string& path, const Model& model, uint64_t file_bytes) {
  std::map<std::string, uint64_t> dtypes;
  for (const TensorMap::Entry& entry : model.files().tensors.entries()) {
    dtypes[std::string(dtype_name(entry.view.dtype))] += entry.view.n_bytes();
  }
  Json out = {{"file", std::filesystem::path(path).filename().string()}, {"architecture", model.config().architecture}};
  const GgufMetadata& gguf = model.files().gguf;
  if (auto name = gguf.string("general.name")) out["name"] = *name;
  if (auto type = gguf.integer("general.file_type")) {
    for (std::string_view mix : mix_names()) {
      if (auto known = mix_file_type(mix); known && *known == static_cast<uint32_t>(*type)) out["mix"] = mix;
    }
  }
  ParameterCount parameters = count_parameters(model.config());
  out["parameters"] = parameters.total();
  out["active_parameters"] = parameters.active;
  out["file_bytes"] = file_bytes;
  out["bytes_by_dtype"] = dtypes;
  return out;
}

std::string command_line() {
  std::ifstream file("/proc/self/cmdline");
  std::string line;
  for (std::string argument; std::getline(file, argument, '\0');) {
    line += line.empty() ? std::filesystem::path(argument).filename().string() : " " + argument;
  }
  return line;
}

Json prefill_row(const std::string& name, int64_t n_tokens, const Seconds& seconds, const ModelCost& cost,
                 const PeakSeries& peaks) {
  Json row = rate_row(name, "tok/s", static_cast<double>(n_tokens), seconds);
  double per_token = cost.operations(n_tokens, 1) / static_cast<double>(n_tokens);
  row["operations_per_token"] = std::round(per_token);
  set_share(row, "gop_per_s", per_token, peak_of(cost.factors()), peaks);
  return row;
}

Json decode_row(const std::string& name, int64_t depth, int64_t n_tokens, const Seconds& seconds, const ModelCost& cost,
                const ModelConfig& config, DType kv, const PeakSeries& peaks) {
  Json row = rate_row(name, "tok/s", static_cast<double>(n_tokens), seconds);
  // In the mean over the tokens, each of which also reads what the ones before it have left.
  double mean_depth = static_cast<double>(depth) + static_cast<double>(n_tokens + 1) / 2;
  double kv_bytes = mean_depth * static_cast<double>(KvCache::bytes_per_token(config, kv));
  row["depth"] = depth;
  row["kv_dtype"] = dtype_name(kv);
  row["weight_bytes_per_token"] = std::round(cost.weight_bytes(1));
  row["kv_bytes_per_token"] = std::round(kv_bytes);
  set_share(row, "gb_per_s", cost.weight_bytes(1) + kv_bytes, &MachinePeaks::read_gbps, peaks);
  return row;
}

Json batch_row(const std::string& name, int64_t n_sequences, int64_t n_tokens, const Seconds& seconds, const ModelCost& cost,
               const PeakSeries& peaks) {
  Json row = rate_row(name, "tok/s", static_cast<double>(n_sequences * n_tokens), seconds);
  double step_bytes = cost.weight_bytes(n_sequences);
  row["sequences"] = n_sequences;
  row["weight_bytes_per_step"] = std::round(step_bytes);
  set_share(row, "gb_per_s", step_bytes / static_cast<double>(n_sequences), &MachinePeaks::read_gbps, peaks);
  return row;
}

Json load_row(const LoadTimes& times) {
  Json row = rate_row("load", "GB/s", static_cast<double>(times.file_bytes) * 1e-9, times.load);
  double load = median(times.load), read = median(times.read);
  row["load_s"] = rounded(load);
  row["first_token_s"] = rounded(median(times.first_token));
  row["read_s"] = rounded(read);
  row["read_samples_s"] = times.read;
  row["percent_of_read"] = rounded(100 * read / load);
  return row;
}

Json memory_row(int64_t peak_bytes, uint64_t file_bytes, int64_t kv_bytes) {
  return Json{{"name", "memory"},     {"unit", "B"},
              {"median", peak_bytes}, {"file_bytes", file_bytes},
              {"kv_bytes", kv_bytes}, {"other_bytes", peak_bytes - static_cast<int64_t>(file_bytes) - kv_bytes}};
}

std::string row_text(const Json& row) {
  std::string name = row["name"].get<std::string>();
  auto number = [&](const char* key) { return row[key].get<double>(); };
  auto bytes = [&](const char* key) { return bytes_text(static_cast<uint64_t>(std::max(number(key), 0.0))); };
  if (name == "memory") {
    return fmt::format(
        fmt::runtime(tr("{:<8} {} at most: file {}, KV cache {}, other {}", "{:<8} 최대 {}: 파일 {}, KV 캐시 {}, 나머지 {}")),
        name, bytes("median"), bytes("file_bytes"), bytes("kv_bytes"), bytes("other_bytes"));
  }
  if (name == "load") {
    return fmt::format(fmt::runtime(tr("{:<8} {} ({:.2f} GB/s), reading the file alone {}: {}; first token {}",
                                       "{:<8} {} ({:.2f} GB/s), 파일만 읽기 {}: {}; 첫 토큰 {}")),
                       name, seconds_text(number("load_s")), number("median"), seconds_text(number("read_s")),
                       fmt::format("{:.0f} %", number("percent_of_read")), seconds_text(number("first_token_s")));
  }
  std::string text = fmt::format("{:<8} {:9.2f} tok/s ({:.2f} - {:.2f})", name, number("median"), number("min"), number("max"));
  std::string peak = row["peak"].get<std::string>();
  std::string share = row["percent_of_peak"].is_null() ? "-" : fmt::format("{:.0f} %", number("percent_of_peak"));
  const char* rate = row.contains("gop_per_s") ? "gop_per_s" : "gb_per_s";
  const char* unit = row.contains("gop_per_s") ? "GOP/s" : "GB/s";
  text += fmt::format("  {:8.1f} {}, {} {} {}", number(rate), unit, share, tr("of", "/"), peak);
  if (row.contains("weight_bytes_per_token")) {
    text += fmt::format("  ({} + KV {})", bytes("weight_bytes_per_token"), bytes("kv_bytes_per_token"));
  }
  return text;
}

}  // namespace minke::cli
