// minke doctor: what this machine is, what minke will use of it, and what stands in the way.
#include <curl/curl.h>
#include <openssl/crypto.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/cpu_info.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/language.h"
#include "cli/model_argument.h"
#include "cli/terminal.h"
#include "hub/options.h"
#include "kernels/probe.h"
#include "measure/memory.h"

namespace minke::cli {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kLowDiskBytes = 10'000'000'000;

// Free bytes of the file system where the folder is or would be made.
uint64_t free_bytes(fs::path folder) {
  std::error_code code;
  while (!folder.empty() && !fs::exists(folder, code) && folder != folder.root_path()) folder = folder.parent_path();
  fs::space_info space = fs::space(folder, code);
  return code ? 0 : space.available;
}

Json cpu_json(const CpuInfo& cpu) {
  Json out = {{"brand", cpu.brand},
              {"n_logical_cpus", cpu.n_logical_cpus},
              {"n_physical_cores", cpu.n_physical_cores},
              {"l1d_bytes", cpu.l1d_bytes},
              {"l2_bytes", cpu.l2_bytes},
              {"l3_bytes", cpu.l3_bytes}};
  out["cpu_quota"] = cpu.cpu_quota ? Json(*cpu.cpu_quota) : Json();
  out["default_threads"] = default_n_threads(cpu);
  return out;
}

Json isa_json(std::vector<std::string>& problems) {
  Json out = {{"available", Json::array()}};
  for (Isa isa : available_isas()) out["available"].push_back(isa_name(isa));
  const char* wanted = std::getenv("MINKE_ISA");
  out["MINKE_ISA"] = wanted == nullptr ? Json() : Json(wanted);
  Result<Isa> chosen = choose_isa();
  out["chosen"] = chosen ? Json(isa_name(*chosen)) : Json();
  if (!chosen) problems.push_back(chosen.error().message);
  if (best_isa() == Isa::kRef) {
    problems.push_back(tr("this CPU has no AVX2: only the slow reference kernels run here",
                          "이 CPU에는 AVX2가 없어 느린 기준 커널만 쓸 수 있습니다"));
  }
  return out;
}

Json hub_json(std::vector<std::string>& problems) {
  Result<hub::HubOptions> options = hub::from_environment();
  if (!options) {
    problems.push_back(options.error().message);
    return Json::object();
  }
  uint64_t free = free_bytes(options->cache_dir);
  std::error_code code;
  bool is_writable = !fs::exists(options->cache_dir, code) || ::access(options->cache_dir.c_str(), W_OK) == 0;
  if (!is_writable)
    problems.push_back(fmt::format("{}: {}", options->cache_dir, tr("is not writable", "쓸 수 없는 폴더입니다")));
  if (free < kLowDiskBytes) {
    problems.push_back(fmt::format(fmt::runtime(tr("only {} are free at {}: set HF_HUB_CACHE to a larger disk",
                                                   "남은 공간이 {}뿐입니다({}). HF_HUB_CACHE를 더 큰 디스크로 정하세요")),
                                   bytes_text(free), options->cache_dir));
  }
  return Json{{"endpoint", options->endpoint},
              {"cache_dir", options->cache_dir},
              {"free_bytes", free},
              {"has_token", !options->token.empty()},
              {"offline", options->offline}};
}

Json versions_json(const std::string& version) {
#if defined(__clang__)
  std::string compiler = "clang " __clang_version__;
#else
  std::string compiler = "gcc " __VERSION__;
#endif
  return Json{{"minke", version},
              {"compiler", compiler},
              {"fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
              {"nlohmann_json",
               fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH)},
              {"CLI11", CLI11_VERSION},
              {"openssl", OpenSSL_version(OPENSSL_VERSION)},
              {"curl", curl_version_info(CURLVERSION_NOW)->version}};
}

// What the kernels reach at most here, measured in about a second; null when they cannot run.
Json probe_json(const CpuInfo& cpu, int64_t available) {
  Result<Machine> machine = make_machine(0);
  if (!machine) return Json();
  MachinePeaks peaks = measure_peaks(read_probe_bytes(cpu, available), machine->context);
  return Json{{"n_threads", machine->context.n_threads()},
              {"fma_gflops", peaks.fma_gflops},
              {"bf16_gflops", peaks.bf16_gflops},
              {"int8_gops", peaks.int8_gops},
              {"read_gb_per_s", peaks.read_gbps}};
}

void print_line(std::string_view key, std::string_view value) { fmt::print("  {:<18} {}\n", key, value); }

std::string cache_text(const Json& n_bytes) {
  int64_t n = n_bytes.get<int64_t>();
  if (n == 0) return "?";
  return n % (1 << 20) == 0 ? fmt::format("{} MiB", n >> 20) : fmt::format("{} KiB", n >> 10);
}

void print_machine(const Json& report) {
  const Json& cpu = report["cpu"];
  const Json& isa = report["isa"];
  fmt::print("{}\n", tr("machine", "컴퓨터"));
  print_line("CPU", cpu["brand"].get<std::string>());
  std::string quota = cpu["cpu_quota"].is_null() ? ""
                                                 : fmt::format(fmt::runtime(tr(", quota {:.1f} CPUs", ", 할당량 CPU {:.1f}개")),
                                                               cpu["cpu_quota"].get<double>());
  print_line(tr("cores", "코어"), fmt::format(fmt::runtime(tr("{} physical, {} logical{}; minke uses {} threads",
                                                              "물리 {}개, 논리 {}개{}; 스레드 {}개를 씁니다")),
                                              cpu["n_physical_cores"].get<int>(), cpu["n_logical_cpus"].get<int>(), quota,
                                              cpu["default_threads"].get<int>()));
  print_line(tr("caches", "캐시"), fmt::format("L1d {}, L2 {}, L3 {}", cache_text(cpu["l1d_bytes"]),
                                               cache_text(cpu["l2_bytes"]), cache_text(cpu["l3_bytes"])));
  print_line(tr("memory", "메모리"), fmt::format(fmt::runtime(tr("{} total, {} available", "전체 {}, 사용 가능 {}")),
                                                 bytes_text(report["memory"]["total_bytes"].get<uint64_t>()),
                                                 bytes_text(report["memory"]["available_bytes"].get<uint64_t>())));
  std::string available;
  for (const Json& name : isa["available"]) available += (available.empty() ? "" : ", ") + name.get<std::string>();
  print_line("ISA", fmt::format(fmt::runtime(tr("{} (available: {}; MINKE_ISA: {})", "{} (사용 가능: {}; MINKE_ISA: {})")),
                                isa["chosen"].is_null() ? "-" : isa["chosen"].get<std::string>(), available,
                                isa["MINKE_ISA"].is_null() ? tr("not set", "없음") : isa["MINKE_ISA"].get<std::string>()));
  const Json& probe = report["probe"];
  if (probe.is_null() || probe["fma_gflops"] == 0.0) return;
  print_line(
      tr("measured", "측정값"),
      fmt::format(fmt::runtime(tr("f32 {:.0f} GFLOP/s, bf16 {:.0f} GFLOP/s, int8 {:.0f} GOP/s, read {:.1f} GB/s, {} threads",
                                  "f32 {:.0f} GFLOP/s, bf16 {:.0f} GFLOP/s, int8 {:.0f} GOP/s, 읽기 {:.1f} GB/s, 스레드 {}개")),
                  probe["fma_gflops"].get<double>(), probe["bf16_gflops"].get<double>(), probe["int8_gops"].get<double>(),
                  probe["read_gb_per_s"].get<double>(), probe["n_threads"].get<int>()));
}

void print_text(const Json& report) {
  print_machine(report);
  if (const Json& hub = report["hub"]; !hub.empty()) {
    fmt::print("{}\n", tr("hub", "허브"));
    print_line(tr("endpoint", "주소"),
               hub["endpoint"].get<std::string>() + (hub["offline"].get<bool>() ? tr(" (offline)", " (오프라인)") : ""));
    print_line(tr("cache", "캐시 폴더"),
               fmt::format(fmt::runtime(tr("{}, {} free", "{}, 남은 공간 {}")), hub["cache_dir"].get<std::string>(),
                           bytes_text(hub["free_bytes"].get<uint64_t>())));
    print_line(tr("token", "토큰"), hub["has_token"].get<bool>()
                                        ? tr("present", "있음")
                                        : tr("none (needed for gated models only)", "없음 (승인이 필요한 모델에만 필요)"));
  }
  fmt::print("{}\n", tr("versions", "버전"));
  for (const auto& [name, version] : report["versions"].items()) print_line(name, version.get<std::string>());
  fmt::print("{}\n", report["problems"].empty() ? tr("no problems found", "문제가 없습니다") : tr("problems", "문제"));
  for (const Json& problem : report["problems"]) fmt::print("  {}\n", problem.get<std::string>());
}

Result<int> run_doctor(bool json, const std::string& version) {
  std::vector<std::string> problems;
  CpuInfo cpu = detect_cpu();
  int64_t available = available_memory_bytes();
  Json report = {{"cpu", cpu_json(cpu)}, {"memory", {{"total_bytes", cpu.memory_bytes}, {"available_bytes", available}}}};
  report["isa"] = isa_json(problems);
  report["probe"] = probe_json(cpu, available);
  report["hub"] = hub_json(problems);
  report["versions"] = versions_json(version);
  report["problems"] = problems;
  if (json) {
    fmt::print("{}\n", dump_json(report, 2));
  } else {
    print_text(report);
  }
  return 0;
}

}  // namespace

void add_doctor(CLI::App& app, Job& job) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand(
      "doctor", tr("show what this machine offers and what is missing", "이 컴퓨터의 사양과 부족한 점을 보여 줍니다"));
  command->add_flag("--json", *json, tr("print JSON", "JSON으로 출력합니다"));
  command->footer(
      tr("The peaks are measured with minke's own kernels and take about a second. A token is never printed.\nExample: minke "
         "doctor",
         "최대 성능은 minke의 커널로 1초쯤 잽니다. 토큰은 보여 주지 않습니다.\n예: minke doctor"));
  std::string version = app.version();  // "minke 0.1.0"
  version.erase(0, version.rfind(' ') + 1);
  command->callback([json, version, &job] { job = [json, version] { return run_doctor(*json, version); }; });
}

}  // namespace minke::cli
