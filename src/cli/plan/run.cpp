// minke plan run: does a model fit on one machine, and how fast is it there. This machine is measured, others are of the
// tables.
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/language.h"
#include "cli/model_argument.h"
#include "cli/plan/plan.h"
#include "format/model_file.h"
#include "kernels/probe.h"
#include "measure/memory.h"
#include "measure/model_cost.h"
#include "model/loader.h"
#include "plan/local/local.h"
#include "plan/shape/compute.h"
#include "plan/shape/parameters.h"

namespace minke::cli {
namespace {

struct RunFlags {
  PlanFlags common;
  std::string model, on, quant = "q4_k_m", context = "";
  double bits = 0, disk_gb_per_s = 0, read_gb_per_s = 0, compute_gops = 0;
  bool hybrid = false;
  int n_threads = 0;
};

// The model's figures, from its files or from its shape and bits.
struct LocalModel {
  std::string name;
  ModelConfig config;
  double weight_bytes = 0;  // all
  double read_bytes = 0;    // by one token
  double operations = 0;    // of one token of a prompt, its head apart
  double bits = 0;
  ModelCost::Factors factors = ModelCost::Factors::kBytes;
};

struct Speeds {
  plan::Range decode, prefill;
  double memory_bytes = 0, usable_bytes = 0, disk_share = 0;
  plan::Working working;
};

Result<double> bits_of(const RunFlags& flags) {
  if (flags.bits > 0) return flags.bits;
  return plan::bits_of(flags.quant);
}

LocalModel shaped_model(const PlannedModel& planned, double bits) {
  plan::ModelParameters p = plan::model_parameters(planned.config);
  LocalModel model{.name = planned.name, .config = planned.config};
  model.bits = bits;
  model.weight_bytes = static_cast<double>(p.total()) * bits / 8;
  model.read_bytes = static_cast<double>(p.active_matmul) * bits / 8;
  model.operations = plan::linear_flops(planned.config, false).value();
  model.factors = bits > 16 ? ModelCost::Factors::kF32 : bits == 16 ? ModelCost::Factors::kBf16 : ModelCost::Factors::kBytes;
  return model;
}

Result<LocalModel> filed_model(const std::string& argument, const std::string& path) {
  ModelFiles files = TRY(open_model(path));
  ModelConfig config = TRY(read_model_config(files));
  ModelCost cost = TRY(model_cost(files, config));
  LocalModel model{.name = argument, .config = config};
  for (const TensorMap::Entry& entry : files.tensors.entries()) model.weight_bytes += static_cast<double>(entry.view.n_bytes());
  model.read_bytes = cost.weight_bytes(1);
  model.operations = cost.operations(1, 0);
  model.bits = 8 * model.weight_bytes / static_cast<double>(plan::model_parameters(config).total());
  model.factors = cost.factors();
  return model;
}

// A file or folder that is here, else a name of the tables.
Result<LocalModel> local_model(const RunFlags& flags, const plan::Tables& tables) {
  Result<std::string> path = resolve_model(flags.model);
  if (path) return filed_model(flags.model, *path);
  Result<PlannedModel> planned = planned_model(flags.model, tables);
  if (!planned) return error("{}; nor is it a model here: {}", planned.error().message, path.error().message);
  return shaped_model(*planned, TRY(bits_of(flags)));
}

struct OwnPeaks {
  double read_gb_per_s = 0, gops = 0;
  std::string source;
};

Result<OwnPeaks> own_peaks(const RunFlags& flags, const LocalModel& model) {
  if (flags.read_gb_per_s > 0) return OwnPeaks{flags.read_gb_per_s, flags.compute_gops, "stated"};
  Machine machine = TRY(make_machine(flags.n_threads));
  MachinePeaks peaks = measure_peaks(read_probe_bytes(detect_cpu(), available_memory_bytes()), machine.context);
  double gops = model.factors == ModelCost::Factors::kBytes  ? peaks.int8_gops
                : model.factors == ModelCost::Factors::kBf16 ? peaks.bf16_gflops
                                                             : peaks.fma_gflops;
  if (peaks.read_gbps <= 0) return error("this machine's peaks cannot be measured: its kernels are the reference ones");
  return OwnPeaks{peaks.read_gbps, gops, fmt::format("measured now, {} threads", machine.context.n_threads())};
}

Result<Speeds> this_machine(const RunFlags& flags, const LocalModel& model, double context, const plan::Tables& tables) {
  OwnPeaks peaks = TRY(own_peaks(flags, model));
  double cache = plan::kv_bytes_per_token(model.config, 2).value() * context;
  Speeds s;
  s.memory_bytes = model.weight_bytes + cache;
  s.usable_bytes = static_cast<double>(available_memory_bytes());
  s.working.input("reading", fmt::format("{:.4g} GB/s", peaks.read_gb_per_s), peaks.source);
  s.working.input("computing", fmt::format("{:.4g} GOP/s", peaks.gops), peaks.source);
  double decode[3], prefill[3];
  for (int i = 0; i < 3; i++) {
    plan::Working unused;
    plan::Corner corner = i == 0 ? plan::Corner::kLow : i == 1 ? plan::Corner::kLikely : plan::Corner::kHigh;
    plan::LocalRates rates = plan::own_rates(plan::gigabytes_per_s(peaks.read_gb_per_s), plan::FlopsPerS(peaks.gops * 1e9),
                                             tables, corner, i == 1 ? s.working : unused);
    plan::Seconds token = plan::own_token_time(plan::Bytes(model.read_bytes), plan::Bytes(cache), rates);
    decode[i] = 1 / token.value();
    // Attention of a prompt of that length: half of it is seen on average.
    plan::Flops prompt(model.operations + plan::attention_flops(model.config, context / 2).value());
    prefill[i] = 1 / (prompt / rates.compute).value();
    if (i != 1) continue;
    s.working.step(
        "seconds a token", "weights / (share x reading) + cache / (share x reading)",
        fmt::format("{:.4g} / {:.4g} + {:.4g} / {:.4g}", model.read_bytes, rates.weights.value(), cache, rates.cache.value()),
        fmt::format("{:.4g} s = {:.4g} tokens/s", token.value(), decode[i]));
    s.working.step("prompt, tokens a second", "share x computing / operations",
                   fmt::format("{:.4g} / {:.4g}", rates.compute.value(), prompt.value()), fmt::format("{:.4g}", prefill[i]));
  }
  s.decode = plan::range_of(decode[0], decode[1], decode[2]);
  s.prefill = plan::range_of(prefill[0], prefill[1], prefill[2]);
  return s;
}

Result<Speeds> other_machine(const RunFlags& flags, const LocalModel& model, double context, const plan::Tables& tables) {
  plan::LocalTask task;
  task.config = model.config;
  DeviceCount devices = TRY(parse_devices(flags.on, tables));
  if (devices.n != 1) return error("--on \"{}\": plan run is about one device; plan serve about several", flags.on);
  task.device = devices.device;
  task.bits = model.bits;
  task.context = context;
  if (flags.hybrid) task.placement = plan::Placement::kHybrid;
  if (flags.disk_gb_per_s > 0) {
    task.placement = plan::Placement::kExpertsDisk;
    task.disk = plan::gigabytes_per_s(flags.disk_gb_per_s);
  }
  Speeds s;
  s.working.input("device", task.device.name, plan::source_text(task.device.source));
  plan::LocalPlan at[3];
  for (int i = 0; i < 3; i++) {
    plan::Working unused;
    plan::Corner corner = i == 0 ? plan::Corner::kLow : i == 1 ? plan::Corner::kLikely : plan::Corner::kHigh;
    at[i] = TRY(plan::local_plan(task, tables, corner, i == 1 ? s.working : unused));
  }
  s.decode = plan::range_of(at[0].decode().value(), at[1].decode().value(), at[2].decode().value());
  s.prefill = plan::range_of(at[0].prefill.value(), at[1].prefill.value(), at[2].prefill.value());
  s.memory_bytes = (at[1].weights + at[1].cache).value();
  s.usable_bytes = task.device.memory.value();
  s.disk_share = at[1].disk_share;
  return s;
}

Status check_flags(const RunFlags& flags) {
  if (flags.on.empty() && (flags.hybrid || flags.disk_gb_per_s > 0)) {
    return error("--hybrid and --disk are about a device of the tables; add --on DEVICE");
  }
  if (flags.hybrid && flags.disk_gb_per_s > 0) {
    return error("--hybrid and --disk contradict each other: experts are in the CPU's memory or on its disk");
  }
  if (!flags.on.empty() && flags.read_gb_per_s > 0) return error("--read is about this machine, --on about another; give one");
  if (flags.read_gb_per_s > 0 && flags.compute_gops <= 0)
    return error("--read needs --compute: both peaks are stated or measured");
  return {};
}

std::vector<std::string> left_out() {
  return {tr("loading, the text's tokenization, and whatever else the machine does",
             "읽어 들이는 시간, 토크나이즈, 컴퓨터가 하는 다른 일"),
          tr("drafts and prompt caches, which make it faster", "더 빠르게 하는 초안과 프롬프트 캐시")};
}

Result<int> run_run(const RunFlags& flags) {
  TRY(check_flags(flags));
  plan::Tables tables = TRY(load_tables(flags.common));
  LocalModel model = TRY(local_model(flags, tables));
  double context = flags.context.empty() ? 0 : TRY(parse_count(flags.context, "--context"));
  Speeds s;
  if (flags.on.empty()) {
    s = TRY(this_machine(flags, model, context, tables));
  } else {
    s = TRY(other_machine(flags, model, context, tables));
  }
  bool fits = s.usable_bytes == 0 || s.memory_bytes <= s.usable_bytes;  // 0: unknown
  if (flags.common.json) {
    Json out = {{"model", model.name},
                {"bits", model.bits},
                {"context", context},
                {"memory_bytes", s.memory_bytes},
                {"machine_bytes", s.usable_bytes},
                {"fits", fits},
                {"disk_share", s.disk_share},
                {"decode_tokens_per_s", range_json(s.decode)},
                {"prefill_tokens_per_s", range_json(s.prefill)},
                {"not_included", left_out()},
                {"working", working_json(s.working)}};
    fmt::print("{}\n", dump_json(out, 2));
    return 0;
  }
  fmt::print(fmt::runtime(tr("{}, {:.2f} bits a weight: {:.1f} GB with {:.0f} tokens of context, {:.1f} GB {}\n",
                             "{}, 가중치당 {:.2f}비트: 컨텍스트 포함 {:.1f} GB ({:.0f} 토큰), {:.1f} GB {}\n")),
             model.name, model.bits, s.memory_bytes / 1e9, context, s.usable_bytes / 1e9,
             flags.on.empty() ? tr("are free here", "여유가 있습니다") : tr("has the device", "장치 메모리"));
  if (!fits) {
    fmt::print("{}\n", s.disk_share > 0
                           ? fmt::format(fmt::runtime(tr("it does not fit: {:.0f} % of the experts come from disk",
                                                         "메모리에 다 들어가지 않아 전문가의 {:.0f} %를 디스크에서 읽습니다")),
                                         100 * s.disk_share)
                           : std::string(tr("it does not fit: expect far less than these speeds",
                                            "메모리에 들어가지 않습니다. 실제 속도는 훨씬 느립니다")));
  }
  fmt::print("\n");
  print_ranges({{tr("tokens a second, answering", "생성 토큰/초"), s.decode, figure_text},
                {tr("tokens a second, reading a prompt", "프롬프트 토큰/초"), s.prefill, figure_text}});
  if (flags.common.explain) print_working(s.working);
  print_left_out(left_out());
  return 0;
}

}  // namespace

void add_plan_run(CLI::App& plan, Job& job) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* command =
      plan.add_subcommand("run", tr("does it fit on one machine, and how fast", "한 대의 컴퓨터에서 되는지, 얼마나 빠른지"));
  command
      ->add_option(
          "MODEL", flags->model,
          tr("folder, .gguf file, org/name, or a name in the tables", "폴더, .gguf 파일, org/name 또는 표에 있는 이름"))
      ->required()
      ->type_name("");
  command
      ->add_option("--on", flags->on,
                   tr("a device of the tables (default: this machine, measured for a second)",
                      "표에 있는 장치 (기본값: 이 컴퓨터를 1초 동안 잼)"))
      ->type_name("DEVICE");
  auto* quant = command
                    ->add_option("--quant", flags->quant,
                                 tr("for names of the tables (default: q4_k_m)", "표에 있는 이름일 때 (기본값: q4_k_m)"))
                    ->type_name("TYPE");
  command->add_option("--bits", flags->bits, tr("of a weight, instead of --quant", "--quant 대신 가중치의 비트 수"))
      ->check(CLI::Range(1.0, 32.0).description(""))
      ->excludes(quant)
      ->type_name("N");
  command->add_option("--context", flags->context, tr("tokens that are already there", "이미 있는 토큰 수"))->type_name("N");
  command->add_flag(
      "--hybrid", flags->hybrid,
      tr("routed experts in the memory of this CPU, the rest on a GPU", "전문가는 이 CPU의 메모리에, 나머지는 GPU에"));
  command
      ->add_option("--disk", flags->disk_gb_per_s,
                   tr("GB/s of a disk that holds the experts that do not fit", "들어가지 않는 전문가를 두는 디스크의 GB/s"))
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("N");
  command
      ->add_option("--read", flags->read_gb_per_s,
                   tr("this machine's GB/s, instead of measuring", "재지 않고 이 컴퓨터의 GB/s를 정함"))
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("N");
  command
      ->add_option("--compute", flags->compute_gops,
                   tr("this machine's GOP/s, instead of measuring", "재지 않고 이 컴퓨터의 GOP/s를 정함"))
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("N");
  add_threads_flag(*command, flags->n_threads);
  add_table_flags(*command, flags->common);
  add_explain_flag(*command, flags->common);
  command->footer(
      tr("Examples: minke plan run model.gguf\n"
         "          minke plan run deepseek-v3 --on M3-Ultra --bits 4.5\n"
         "          minke plan run deepseek-v3 --on EPYC-9654 --hybrid",
         "예: minke plan run model.gguf\n"
         "    minke plan run deepseek-v3 --on M3-Ultra --bits 4.5\n"
         "    minke plan run deepseek-v3 --on EPYC-9654 --hybrid"));
  command->callback([flags, &job] { job = [flags] { return run_run(*flags); }; });
}

}  // namespace minke::cli
