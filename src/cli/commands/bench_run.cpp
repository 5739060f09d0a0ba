#include "cli/commands/bench_run.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands/bench_report.h"
#include "cli/commit.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/terminal.h"
#include "measure/memory.h"

namespace minke::cli {
namespace {

constexpr int64_t kGeneratedTokens = 48;

enum class Kind { kLoad, kPrefill, kDecode, kBatch };

struct Measurement {
  Kind kind;
  std::string_view group, name;
  int64_t size;  // tokens of the prompt, depth, or sequences
};

constexpr Measurement kMeasurements[] = {
    {Kind::kLoad, "load", "load", 0},     {Kind::kPrefill, "pp", "pp512", 512},  {Kind::kPrefill, "pp", "pp2048", 2048},
    {Kind::kDecode, "tg", "tg0", 0},      {Kind::kDecode, "tg", "tg2048", 2048}, {Kind::kDecode, "tg", "tg8192", 8192},
    {Kind::kBatch, "batch", "batch1", 1}, {Kind::kBatch, "batch", "batch4", 4},  {Kind::kBatch, "batch", "batch8", 8},
};

bool is_chosen(const Measurement& measurement, const std::vector<std::string>& only) {
  return only.empty() || std::any_of(only.begin(), only.end(), [&](const std::string& name) {
           return name == measurement.name || name == measurement.group;
         });
}

// Tokens of the longest sequence that a measurement makes.
int64_t longest_sequence(const Measurement& measurement) {
  switch (measurement.kind) {
    case Kind::kPrefill:
      return measurement.size;
    case Kind::kDecode:
      return measurement.size + kGeneratedTokens;
    default:
      return kGeneratedTokens;
  }
}

class Bench {
 public:
  Bench(const BenchOptions& options, const Machine& machine)
      : options_(options), interrupted_(interrupt_flag()), peak_bytes_(reset_peak_resident() ? 0 : -1) {
    speed_.n_repetitions = options.n_repetitions;
    speed_.context = machine.context;
    speed_.kv = options.kv;
    speed_.progress = [this](int64_t n_done, int64_t n_total) {
      if (bar_) bar_->update(static_cast<uint64_t>(n_done), static_cast<uint64_t>(n_total));
      return !interrupted_.load();
    };
  }

  Result<BenchOutcome> run() {
    probe_bytes_ = read_probe_bytes(detect_cpu(), 0);
    if (is_chosen(kMeasurements[0], options_.only)) TRY(run_load());
    bool any = std::any_of(std::begin(kMeasurements), std::end(kMeasurements),
                           [&](const Measurement& m) { return m.kind != Kind::kLoad && is_chosen(m, options_.only); });
    if (any && !interrupted_) TRY(run_speeds());
    return BenchOutcome{std::move(rows_), interrupted_.load()};
  }

 private:
  // The machine between two measurements. What it needs is not the model's memory.
  void probe() {
    if (peak_bytes_ >= 0) peak_bytes_ = std::max(peak_bytes_, peak_resident_bytes().value_or(0));
    peaks_.probes.push_back(measure_peaks(probe_bytes_, speed_.context));
    if (peak_bytes_ >= 0) reset_peak_resident();
  }

  void finish(Json row) {
    for (auto& [key, value] : about_.items()) row[key] = value;
    options_.on_row(row);
    std::string text = row.contains("peak") ? peaks_.unsteady(row["peak"].get<std::string>()) : "";
    if (!text.empty()) {
      options_.on_note(fmt::format(fmt::runtime(tr("{}: the machine was not steady ({}): measure it again",
                                                   "{}: 측정하는 동안 컴퓨터의 속도가 변했습니다({}). 다시 재 보세요")),
                                   row["name"].get<std::string>(), text));
    }
    rows_.push_back(std::move(row));
  }

  // One measurement with its progress bar.
  template <typename Measure>
  auto with_bar(std::string_view name, Measure measure) {
    bar_.emplace(std::string(name), ProgressBar::Unit::kItems);
    auto result = measure();
    bar_.reset();
    return result;
  }

  Status run_load() {
    LoadTimes times = TRY(with_bar("load", [&] { return time_load(options_.model, speed_); }));
    if (interrupted_) return {};
    TRY(describe());
    finish(load_row(times));
    return {};
  }

  Status describe() {
    if (!about_.is_null()) return {};
    model_ = TRY(Model::load(options_.model, {.pack = &speed_.context, .mtp = false}));
    for (const TensorMap::Entry& entry : model_->files().tensors.entries()) file_bytes_ += entry.view.n_bytes();
    about_ = {{"time", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))},
              {"commit", kCommit},
              {"command", command_line()},
              {"machine", machine_json(speed_.context)},
              {"model", model_json(options_.model, *model_, file_bytes_)}};
    return {};
  }

  Status run_speeds() {
    TRY(describe());
    const ModelConfig& config = model_->config();
    ModelCost cost = TRY(model_cost(model_->files(), config));
    SpeedMeter meter(*model_, speed_);
    TRY(with_bar(tr("warming up", "준비 중"), [&] { return meter.warm_up(); }));
    probe();
    speed_.after_repetition = [this] { probe(); };
    for (const Measurement& m : kMeasurements) {
      if (m.kind == Kind::kLoad || !is_chosen(m, options_.only) || interrupted_) continue;
      if (longest_sequence(m) > config.max_seq_len) {
        options_.on_note(fmt::format(fmt::runtime(tr("{}: left out, the model's sequences have at most {} tokens",
                                                     "{}: 모델의 최대 길이가 {} 토큰이라 건너뜁니다")),
                                     m.name, config.max_seq_len));
        continue;
      }
      Seconds seconds = TRY(with_bar(m.name, [&] { return measure(meter, m); }));
      if (interrupted_) break;
      finish(row_of(m, seconds, cost));
      peaks_.probes.erase(peaks_.probes.begin(), peaks_.probes.end() - 1);  // the last one is the next one's first
    }
    if (!interrupted_ && peak_bytes_ > 0) finish(memory_row(peak_bytes_, file_bytes_, meter.kv_bytes()));
    return {};
  }

  static Result<Seconds> measure(SpeedMeter& meter, const Measurement& m) {
    if (m.kind == Kind::kPrefill) return meter.prefill(m.size);
    if (m.kind == Kind::kDecode) return meter.decode(m.size, kGeneratedTokens);
    return meter.batch_decode(m.size, kGeneratedTokens);
  }

  Json row_of(const Measurement& m, const Seconds& seconds, const ModelCost& cost) const {
    std::string name(m.name);
    if (m.kind == Kind::kPrefill) return prefill_row(name, m.size, seconds, cost, peaks_);
    if (m.kind == Kind::kDecode) {
      return decode_row(name, m.size, kGeneratedTokens, seconds, cost, model_->config(), speed_.kv, peaks_);
    }
    return batch_row(name, m.size, kGeneratedTokens, seconds, cost, peaks_);
  }

  const BenchOptions& options_;
  SpeedOptions speed_;
  std::atomic<bool>& interrupted_;
  std::optional<ProgressBar> bar_;
  int64_t probe_bytes_ = 0;
  PeakSeries peaks_;
  int64_t peak_bytes_;  // -1: this system does not count it anew
  std::unique_ptr<Model> model_;
  uint64_t file_bytes_ = 0;
  Json about_;
  std::vector<Json> rows_;
};

}  // namespace

Result<BenchOutcome> run_measurements(const BenchOptions& options, const Machine& machine) {
  return Bench(options, machine).run();
}

std::vector<std::string> measurement_names() {
  std::vector<std::string> names;
  for (const Measurement& m : kMeasurements) {
    for (std::string_view name : {m.group, m.name}) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
    }
  }
  return names;
}

}  // namespace minke::cli
