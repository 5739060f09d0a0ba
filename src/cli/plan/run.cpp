// minke plan run: does a model fit on one machine, and how fast is it there. This machine is measured, others are of the
// tables.
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/language.h"
#include "cli/model_argument.h"
#include "cli/plan/plan.h"
#include "format/model_file.h"
#include "kernels/probe.h"
#include "measure/memory.h"
#include "measure/model_cost.h"
#include "model/loader.h"
#include "plan/request/write.h"
#include "plan/shape/parameters.h"

namespace minke::cli {
namespace {

struct RunFlags {
  PlanFlags common;
  std::string model, on, quant = "q4_k_m", context = "";
  double bits = 0, disk_gb_per_s = 0, read_gb_per_s = 0, compute_gops = 0, f32_gflops = 0;
  bool hybrid = false;
  int n_threads = 0;
};

Result<double> bits_of(const RunFlags& flags) {
  if (flags.bits > 0) return flags.bits;
  return plan::bits_of(flags.quant);
}

plan::Arithmetic arithmetic_of(ModelCost::Factors factors) {
  switch (factors) {
    case ModelCost::Factors::kF32: return plan::Arithmetic::kF32;
    case ModelCost::Factors::kBf16: return plan::Arithmetic::kBf16;
    case ModelCost::Factors::kBytes: break;
  }
  return plan::Arithmetic::kBytes;
}

Result<plan::RunModel> filed_model(const std::string& argument, const std::string& path) {
  ModelFiles files = TRY(open_model(path));
  ModelConfig config = TRY(read_model_config(files));
  ModelCost cost = TRY(model_cost(files, config));
  plan::RunModel model{.name = argument, .config = config, .arithmetic = arithmetic_of(cost.factors())};
  for (const TensorMap::Entry& entry : files.tensors.entries()) {
    model.weight_bytes += static_cast<double>(entry.view.n_bytes());
  }
  model.read_bytes = cost.weight_bytes(1);
  model.expert_operations = cost.expert_operations();
  model.operations = cost.operations(1, 0) - model.expert_operations;
  model.token_operations = cost.operations(1, 1);
  model.bits = 8 * model.weight_bytes / static_cast<double>(plan::model_parameters(config).total());
  return model;
}

// A file or folder that is here, else a name of the tables.
Result<plan::RunModel> local_model(const RunFlags& flags, const plan::Tables& tables) {
  Result<std::string> path = resolve_model(flags.model);
  if (path) return filed_model(flags.model, *path);
  Result<PlannedModel> planned = planned_model(flags.model, tables);
  if (!planned) return error("{}; nor is it a model here: {}", planned.error().message, path.error().message);
  return plan::shaped_model(planned->name, planned->config, TRY(bits_of(flags)));
}

Result<plan::OwnMachine> own_machine(const RunFlags& flags, const plan::RunModel& model) {
  double usable = static_cast<double>(available_memory_bytes());
  if (flags.read_gb_per_s > 0) {
    return plan::OwnMachine{flags.read_gb_per_s, flags.compute_gops, flags.f32_gflops, usable, "stated"};
  }
  Machine machine = TRY(make_machine(flags.n_threads));
  // A small model stays in the caches, which are read faster than memory.
  const int64_t n_probe = std::min(read_probe_bytes(detect_cpu(), available_memory_bytes()),
                                   static_cast<int64_t>(std::min(model.weight_bytes, 1e15)));
  MachinePeaks peaks = measure_peaks(n_probe, machine.context);
  if (peaks.read_gbps <= 0) return error("this machine's peaks cannot be measured: its kernels are the reference ones");
  double gops = model.arithmetic == plan::Arithmetic::kBytes  ? peaks.int8_gops
                : model.arithmetic == plan::Arithmetic::kBf16 ? peaks.bf16_gflops
                                                              : peaks.fma_gflops;
  return plan::OwnMachine{peaks.read_gbps, gops, peaks.fma_gflops, usable,
                          fmt::format("measured now, {} threads, {:.3g} MB read", machine.context.n_threads(),
                                      static_cast<double>(n_probe) / 1e6)};
}

Result<plan::RunQuestion> question_of(const RunFlags& flags, const plan::Tables& tables) {
  plan::RunQuestion q;
  q.model = TRY(local_model(flags, tables));
  q.context = flags.context.empty() ? 0 : TRY(parse_count(flags.context, "--context"));
  if (flags.on.empty()) {
    q.own = TRY(own_machine(flags, q.model));
    return q;
  }
  DeviceCount devices = TRY(parse_devices(flags.on, tables));
  if (devices.n != 1) return error("--on \"{}\": plan run is about one device; plan serve about several", flags.on);
  q.device = devices.device;
  if (flags.hybrid) q.placement = plan::Placement::kHybrid;
  if (flags.disk_gb_per_s > 0) {
    q.placement = plan::Placement::kExpertsDisk;
    q.disk = plan::gigabytes_per_s(flags.disk_gb_per_s);
  }
  return q;
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
  if (flags.f32_gflops > 0 && flags.read_gb_per_s <= 0) return error("--f32 is of a machine that is stated: add --read and --compute");
  return {};
}

void print_answer(const plan::RunQuestion& q, const plan::RunAnswer& a) {
  fmt::print(fmt::runtime(tr("{}, {:.2f} bits a weight: {:.1f} GB with {:.0f} tokens of context, {:.1f} GB {}\n",
                             "{}, 가중치당 {:.2f}비트: 컨텍스트 포함 {:.1f} GB ({:.0f} 토큰), {:.1f} GB {}\n")),
             q.model.name, q.model.bits, a.memory_bytes / 1e9, q.context, a.usable_bytes / 1e9,
             q.own ? tr("are free here", "여유가 있습니다") : tr("has the device", "장치 메모리"));
  if (!a.fits()) {
    fmt::print("{}\n", a.disk_share > 0
                           ? fmt::format(fmt::runtime(tr("it does not fit: {:.0f} % of the experts come from disk",
                                                         "메모리에 다 들어가지 않아 전문가의 {:.0f} %를 디스크에서 읽습니다")),
                                         100 * a.disk_share)
                           : std::string(tr("it does not fit: expect far less than these speeds",
                                            "메모리에 들어가지 않습니다. 실제 속도는 훨씬 느립니다")));
  }
  fmt::print("\n");
  print_ranges({{tr("tokens a second, answering", "생성 토큰/초"), a.decode, figure_text},
                {tr("tokens a second, reading a prompt", "프롬프트 토큰/초"), a.prefill, figure_text}});
}

Result<int> run_run(const RunFlags& flags) {
  TRY(check_flags(flags));
  plan::Tables tables = TRY(load_tables(flags.common));
  plan::RunQuestion q = TRY(question_of(flags, tables));
  plan::RunAnswer a = TRY(plan::answer_running(q, tables));
  if (flags.common.json) {
    print_json(plan::run_json(q, a, plan_language()));
    return 0;
  }
  print_answer(q, a);
  if (flags.common.explain) print_working(a.working);
  print_left_out(plan::left_out_of_running(plan_language()));
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
  command
      ->add_option("--f32", flags->f32_gflops,
                   tr("this machine's GFLOP/s in f32, which attention takes (with --read)",
                      "이 컴퓨터의 f32 GFLOP/s, 어텐션에 쓰임 (--read와 함께)"))
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
