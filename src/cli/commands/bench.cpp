// minke bench [MODEL]: how fast a model runs here, beside what the machine can do.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/commands/bench_report.h"
#include "cli/commands/bench_run.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/model_argument.h"
#include "cli/terminal.h"
#include "quantize/quant_mix.h"
#include "synthetic/named_configs.h"
#include "synthetic/random_model.h"

namespace minke::cli {
namespace {

namespace fs = std::filesystem;

struct BenchFlags {
  std::string model, config, mix, write, output;
  bool random = false, force = false, json = false;
  uint64_t seed = 1;
  int n_threads = 0, n_repetitions = 5;
  DType kv = DType::kF16;
  std::vector<std::string> only;
};

// A file that is gone with its owner.
class TemporaryFile {
 public:
  TemporaryFile() : path_((fs::temp_directory_path() / fmt::format("minke-bench-{}.gguf", ::getpid())).string()) {}
  ~TemporaryFile() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// False when Ctrl-C stopped it.
Result<bool> write_random(const BenchFlags& flags, const std::string& path, const Machine& machine) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file size limit of the shell then is an error to report
  std::atomic<bool>& interrupted = interrupt_flag();
  ModelConfig config = TRY(find_config(flags.config));
  RandomModelOptions options;
  options.name = fs::path(flags.config).filename().string();
  options.mix = flags.mix;
  options.seed = flags.seed;
  options.overwrite = flags.force;
  options.context = machine.context;
  auto start = std::chrono::steady_clock::now();
  ProgressBar bar(tr("writing random weights", "무작위 가중치 쓰는 중"), ProgressBar::Unit::kBytes);
  options.progress = [&](uint64_t done, uint64_t total) {
    bar.update(done, total);
    return !interrupted.load();
  };
  RandomModelReport report = TRY(write_random_model(path, config, options));
  if (report.stopped) return false;
  std::string dtypes;
  for (const auto& [name, count] : report.dtype_counts)
    dtypes += fmt::format("{}{} {}", dtypes.empty() ? "" : ", ", count, name);
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  bar.note(fmt::format("{}  {}, {} {} ({}), {}", path, bytes_text(report.n_bytes), report.n_tensors, tr("tensors", "텐서"),
                       dtypes, seconds_text(seconds)));
  return true;
}

Status append_rows(const std::string& path, const std::vector<Json>& rows) {
  std::ofstream file(path, std::ios::app);
  for (const Json& row : rows) file << dump_json(row) << '\n';
  file.close();
  if (!file) return error("{}: cannot append the rows; is the folder there?", path);
  return {};
}

void print_head(const std::string& path, const Machine& machine) {
  CpuInfo cpu = detect_cpu();
  fmt::print("{}, {}, {} {}; {}\n", cpu.brand, isa_name(machine.context.isa), machine.context.n_threads(),
             tr("threads", "스레드"), fs::path(path).filename().string());
  std::fflush(stdout);
}

Result<int> measure(const BenchFlags& flags, const std::string& path, const Machine& machine) {
  BenchOptions options;
  options.model = path;
  options.n_repetitions = flags.n_repetitions;
  options.kv = flags.kv;
  options.only = flags.only;
  options.on_row = [&](const Json& row) {
    fmt::print("{}\n", flags.json ? dump_json(row) : row_text(row));
    std::fflush(stdout);
  };
  options.on_note = [](const std::string& text) { fmt::print(stderr, "{}\n", text); };
  if (!flags.json) print_head(path, machine);
  BenchOutcome outcome = TRY(run_measurements(options, machine));
  if (outcome.interrupted) return kInterruptedExit;
  if (!flags.output.empty()) TRY(append_rows(flags.output, outcome.rows));
  return 0;
}

Status check_flags(const BenchFlags& flags) {
  if (flags.random == !flags.model.empty()) return error("give a MODEL, or --random-weights with --config and --quant");
  if (flags.random && (flags.config.empty() || flags.mix.empty())) return error("--random-weights needs --config and --quant");
  return {};
}

Result<int> run_bench(const BenchFlags& flags) {
  TRY(check_flags(flags));
  interrupt_flag();
  Machine machine = TRY(make_machine(flags.n_threads));
  if (!flags.random) {
    std::string path = TRY(resolve_model(flags.model));
    return measure(flags, path, machine);
  }
  if (!flags.write.empty()) {
    bool is_written = TRY(write_random(flags, flags.write, machine));
    return is_written ? 0 : kInterruptedExit;
  }
  TemporaryFile file;
  bool is_written = TRY(write_random(flags, file.path(), machine));
  return is_written ? measure(flags, file.path(), machine) : kInterruptedExit;
}

std::string config_names() {
  std::string names;
  for (const NamedConfig& config : named_configs()) names += fmt::format("{}, ", config.name);
  return names;
}

const char* bench_footer() {
  return tr(
      "Shares of peaks refer to what probes right before and after every repetition reach. Decoding reads the weights of the\n"
      "active experts and the KV cache; operations are those of the products with weights. tgN: tokens after N others.\n"
      "Examples: minke bench model.gguf\n"
      "          minke bench --random-weights --config deepseek-v2-lite --quant q4_k_m --write v2-lite.gguf\n"
      "          minke bench v2-lite.gguf --only pp512 --only tg0 --output bench/results/v2-lite.jsonl",
      "최대 성능에 대한 비율은 반복마다 바로 앞뒤에 잰 값을 기준으로 합니다. 토큰 하나를 생성할 때 활성 전문가의 가중치와 KV "
      "캐시를\n"
      "읽습니다. 연산 수는 가중치와의 곱만 셉니다. tgN: N 토큰 뒤에 이어지는 토큰.\n"
      "예: minke bench model.gguf\n"
      "    minke bench --random-weights --config deepseek-v2-lite --quant q4_k_m --write v2-lite.gguf\n"
      "    minke bench v2-lite.gguf --only pp512 --only tg0 --output bench/results/v2-lite.jsonl");
}

void add_random_flags(CLI::App& command, BenchFlags& flags) {
  auto* random = command.add_flag("--random-weights", flags.random,
                                  tr("measure the shapes of --config with random weights, without a model",
                                     "모델 없이 --config의 모양을 무작위 가중치로 잽니다"));
  command
      .add_option("--config", flags.config,
                  fmt::format(fmt::runtime(tr("one of {}or a config.json", "{}또는 config.json 파일")), config_names()))
      ->needs(random)
      ->type_name("NAME");
  std::vector<std::string> mixes(mix_names().begin(), mix_names().end());
  command.add_option("--quant", flags.mix, tr("q4_k_m, q8_0, f16, ...", "q4_k_m, q8_0, f16 등"))
      ->needs(random)
      ->check(CLI::IsMember(mixes))
      ->type_name("TYPE");
  auto* write = command
                    .add_option("--write", flags.write,
                                tr("write the random model to this .gguf file and measure nothing",
                                   "재지 않고 무작위 모델을 이 .gguf 파일에 씁니다"))
                    ->needs(random)
                    ->type_name("FILE");
  command.add_option("--seed", flags.seed, tr("seed of the random weights (default: 1)", "무작위 가중치의 시드 (기본값: 1)"))
      ->needs(random)
      ->type_name("N");
  command.add_flag("--force", flags.force, tr("replace an existing file", "이미 있는 파일을 바꿉니다"))->needs(write);
}

}  // namespace

void add_bench(CLI::App& app, Job& job) {
  auto flags = std::make_shared<BenchFlags>();
  CLI::App* command = app.add_subcommand(
      "bench", tr("measure a model's speed beside this machine's peaks", "모델의 속도를 이 컴퓨터의 최대 성능과 함께 잽니다"));
  command->add_option("MODEL", flags->model, tr("model: folder, .gguf file, org/name", "모델: 폴더, .gguf 파일, org/name"))
      ->type_name("");
  add_random_flags(*command, *flags);
  command
      ->add_option("--only", flags->only,
                   tr("load, pp, tg, batch, or one of them such as pp512 or tg8192; may be repeated",
                      "load, pp, tg, batch 또는 pp512, tg8192처럼 하나만; 여러 번 쓸 수 있음"))
      ->delimiter(',')
      ->allow_extra_args(false)  // what follows is MODEL
      ->check(CLI::IsMember(measurement_names()))
      ->type_name("NAME");
  command
      ->add_option("-r,--repetitions", flags->n_repetitions, tr("of every measurement (default: 5)", "반복 횟수 (기본값: 5)"))
      ->check(CLI::Range(1, 1000).description(""))
      ->type_name("N");
  add_kv_flag(*command, flags->kv);
  add_threads_flag(*command, flags->n_threads);
  command->add_flag("--json", flags->json, tr("print one JSON row for each measurement", "측정마다 JSON 한 줄을 출력합니다"));
  command->add_option("--output", flags->output, tr("append the JSON rows to this file", "JSON 행을 이 파일 끝에 덧붙입니다"))
      ->type_name("FILE");
  command->footer(bench_footer());
  command->callback([flags, &job] { job = [flags] { return run_bench(*flags); }; });
}

}  // namespace minke::cli
