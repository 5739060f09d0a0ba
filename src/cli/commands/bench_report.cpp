#include "cli/commands/bench_report.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
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

Json peaks_json(const MachinePeaks& peaks) {
  return Json{{"fma_gflops", rounded(peaks.fma_gflops)},
              {"int8_gops", rounded(peaks.int8_gops)},
              {"read_gb_per_s", rounded(peaks.read_gbps)}};
}

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

// The share of a peak in percent; null where the peak is not known (ref).
void set_share(Json& row, const char* peak_name, double value, double peak) {
  row["peak"] = peak_name;
  row["percent_of_peak"] = peak > 0 ? Json(rounded(100 * value / peak)) : Json();
}

void set_peaks(Json& row, const PeakPair& peaks) {
  row["peaks_before"] = peaks_json(peaks.before);
  row["peaks_after"] = peaks_json(peaks.after);
}

// Steps that each read `step_bytes`, at `rate` tokens a second with n tokens a step.
void set_bandwidth(Json& row, double step_bytes, int64_t tokens_per_step, const PeakPair& peaks) {
  double gb_per_s = step_bytes * row["median"].get<double>() / static_cast<double>(tokens_per_step) * 1e-9;
  row["gb_per_s"] = rounded(gb_per_s);
  set_share(row, "read", gb_per_s, peaks.mean().read_gbps);
}

double change(double before, double after) {
  double larger = std::max(before, after);
  return larger > 0 ? std::abs(before - after) / larger : 0;
}

}  // namespace

MachinePeaks PeakPair::mean() const {
  return {(before.fma_gflops + after.fma_gflops) / 2, (before.int8_gops + after.int8_gops) / 2,
          (before.read_gbps + after.read_gbps) / 2};
}

std::string PeakPair::unsteady() const {
  std::string text;
  auto add = [&](const char* name, double from, double to, const char* unit) {
    if (change(from, to) > kSteady)
      text += fmt::format("{}{} {:.4g} -> {:.4g} {}", text.empty() ? "" : ", ", name, from, to, unit);
  };
  add("f32", before.fma_gflops, after.fma_gflops, "GFLOP/s");
  add("int8", before.int8_gops, after.int8_gops, "GOP/s");
  add(tr("read", "읽기"), before.read_gbps, after.read_gbps, "GB/s");
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
  Result<std::string> text = read_file("/proc/self/cmdline", size_t{1} << 20);
  if (!text) return "";
  std::string line;
  for (size_t start = 0; start < text->size(); start = text->find('\0', start) + 1) {
    std::string argument = text->c_str() + start;
    line += line.empty() ? std::filesystem::path(argument).filename().string() : " " + argument;
  }
  return line;
}

Json prefill_row(const std::string& name, int64_t n_tokens, const Seconds& seconds, const ModelCost& cost,
                 const PeakPair& peaks) {
  Json row = rate_row(name, "tok/s", static_cast<double>(n_tokens), seconds);
  double per_token = cost.operations(n_tokens, 1) / static_cast<double>(n_tokens);
  double gop_per_s = per_token * row["median"].get<double>() * 1e-9;
  row["operations_per_token"] = rounded(per_token);
  row["gop_per_s"] = rounded(gop_per_s);
  if (cost.is_quantised()) {
    set_share(row, "int8", gop_per_s, peaks.mean().int8_gops);
  } else {
    set_share(row, "fma", gop_per_s, peaks.mean().fma_gflops);
  }
  set_peaks(row, peaks);
  return row;
}

Json decode_row(const std::string& name, int64_t depth, int64_t n_tokens, const Seconds& seconds, const ModelCost& cost,
                int64_t kv_bytes_per_token, const PeakPair& peaks) {
  Json row = rate_row(name, "tok/s", static_cast<double>(n_tokens), seconds);
  // In the mean over the tokens, each of which also reads what the ones before it have left.
  double mean_depth = static_cast<double>(depth) + static_cast<double>(n_tokens + 1) / 2;
  double kv_bytes = mean_depth * static_cast<double>(kv_bytes_per_token);
  row["depth"] = depth;
  row["weight_bytes_per_token"] = rounded(cost.weight_bytes(1));
  row["kv_bytes_per_token"] = rounded(kv_bytes);
  set_bandwidth(row, cost.weight_bytes(1) + kv_bytes, 1, peaks);
  set_peaks(row, peaks);
  return row;
}

Json batch_row(const std::string& name, int64_t n_sequences, int64_t n_tokens, const Seconds& seconds, const ModelCost& cost,
               const PeakPair& peaks) {
  Json row = rate_row(name, "tok/s", static_cast<double>(n_sequences * n_tokens), seconds);
  row["sequences"] = n_sequences;
  row["weight_bytes_per_step"] = rounded(cost.weight_bytes(n_sequences));
  set_bandwidth(row, cost.weight_bytes(n_sequences), n_sequences, peaks);
  set_peaks(row, peaks);
  return row;
}

Json load_row(const LoadTimes& times) {
  Json row = rate_row("load", "GB/s", static_cast<double>(times.file_bytes) * 1e-9, times.load);
  double load = median(times.load), read = median(times.read);
  row["load_s"] = rounded(load);
  row["first_token_s"] = rounded(median(times.first_token));
  row["read_s"] = rounded(read);
  row["read_samples_s"] = times.read;
  set_share(row, "cat", 1 / load, 1 / read);
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
  std::string share = row["percent_of_peak"].is_null() ? "-" : fmt::format("{:.0f} %", number("percent_of_peak"));
  if (name == "load") {
    return fmt::format(fmt::runtime(tr("{:<8} {} ({:.2f} GB/s), reading the file alone {}: {}; first token {}",
                                       "{:<8} {} ({:.2f} GB/s), 파일만 읽기 {}: {}; 첫 토큰 {}")),
                       name, seconds_text(number("load_s")), number("median"), seconds_text(number("read_s")), share,
                       seconds_text(number("first_token_s")));
  }
  std::string text = fmt::format("{:<8} {:9.2f} tok/s ({:.2f} - {:.2f})", name, number("median"), number("min"), number("max"));
  std::string peak = row["peak"].get<std::string>();
  const char* rate = row.contains("gop_per_s") ? "gop_per_s" : "gb_per_s";
  const char* unit = row.contains("gop_per_s") ? "GOP/s" : "GB/s";
  text += fmt::format("  {:8.1f} {}, {} {} {}", number(rate), unit, share, tr("of", "/"), peak);
  if (row.contains("weight_bytes_per_token")) {
    text += fmt::format("  ({} + KV {})", bytes("weight_bytes_per_token"), bytes("kv_bytes_per_token"));
  }
  return text;
}

}  // namespace minke::cli
