#include "base/cpu_info.h"

#include <cpuid.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <utility>

namespace minke {
namespace {

constexpr std::array<std::string_view, 6> kIsaNames = {"ref", "avx2", "avx512", "avx512vnni", "avx512bf16", "amx"};
// Of leaf 7, edx: clang 16 has no names for them.
constexpr unsigned kAmxTile = 1u << 24, kAmxInt8 = 1u << 25;

struct CpuId {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

CpuId cpuid(unsigned leaf, unsigned subleaf = 0) {
  CpuId r;
  if (!__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx)) return {};
  return r;
}

bool has_bits(unsigned value, unsigned bits) { return (value & bits) == bits; }

// XCR0: which register files the operating system saves. Bits 1, 2: xmm, ymm; 5, 6, 7: mask registers and zmm.
uint64_t enabled_state() {
  if (!has_bits(cpuid(1).ecx, bit_OSXSAVE)) return 0;
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

// Bits 17 and 18 of XCR0: the tiles and their shapes. A process must also ask Linux for them; the permission is for all its
// threads and is kept, so asking again does no harm.
bool may_use_tiles(uint64_t state) {
  constexpr uint64_t kTileState = uint64_t{3} << 17;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return (state & kTileState) == kTileState && ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

std::string read_brand() {
  if (cpuid(0x80000000).eax < 0x80000004) return "unknown x86-64";
  char text[49] = {};
  for (unsigned i = 0; i < 3; i++) {
    CpuId r = cpuid(0x80000002 + i);
    std::memcpy(text + 16 * i, &r, 16);
  }
  std::string brand(text);
  brand.erase(0, brand.find_first_not_of(' '));
  brand.erase(brand.find_last_not_of(' ') + 1);
  return brand;
}

// /proc and /sys files report a size of 0 or of a page, so they are read as streams.
std::optional<std::string> read_text(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return std::nullopt;
  std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

std::optional<int64_t> parse_number(std::string_view text) {
  int64_t value = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> quota_of(std::optional<int64_t> quota, std::optional<int64_t> period) {
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

// One directory of the control group tree: v2 has "max 100000" or "150000 100000" in cpu.max, v1 two files.
std::optional<double> directory_quota(const std::string& directory) {
  if (auto text = read_text(directory + "/cpu.max")) {
    size_t space = text->find(' ');
    if (space == std::string::npos) return std::nullopt;
    std::string_view view = *text;
    return quota_of(parse_number(view.substr(0, space)), parse_number(view.substr(space + 1)));
  }
  auto quota = read_text(directory + "/cpu.cfs_quota_us");
  auto period = read_text(directory + "/cpu.cfs_period_us");
  if (!quota || !period) return std::nullopt;
  return quota_of(parse_number(*quota), parse_number(*period));
}

// The tightest quota from `path` up to the mount point; a container often sees its own group as "/".
std::optional<double> tightest_quota(const std::string& mount, std::string path) {
  std::optional<double> tightest;
  while (true) {
    if (auto quota = directory_quota(mount + path)) tightest = std::min(tightest.value_or(*quota), *quota);
    size_t slash = path.find_last_of('/');
    if (slash == std::string::npos || path.empty()) return tightest;
    path.erase(slash);
  }
}

std::vector<int> allowed_cpus() {
  std::vector<int> cpus;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
  }
  if (cpus.empty()) {  // more CPUs than a cpu_set_t holds
    for (int cpu = 0; cpu < std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)); cpu++) cpus.push_back(cpu);
  }
  return cpus;
}

// Sizes as the kernel writes them: "48K", "1024K", "32768K".
int64_t parse_cache_size(const std::string& text) {
  if (text.empty()) return 0;
  int64_t unit = text.back() == 'K' ? 1024 : text.back() == 'M' ? 1024 * 1024 : 1;
  std::string_view digits(text);
  if (unit != 1) digits.remove_suffix(1);
  return parse_number(digits).value_or(0) * unit;
}

void read_caches(CpuInfo& info, int cpu) {
  for (int index = 0; index < 8; index++) {
    std::string directory = fmt::format("/sys/devices/system/cpu/cpu{}/cache/index{}", cpu, index);
    auto level = read_text(directory + "/level");
    auto type = read_text(directory + "/type");
    auto size = read_text(directory + "/size");
    if (!level || !type || !size || *type == "Instruction") continue;
    int64_t bytes = parse_cache_size(*size);
    if (*level == "1") info.l1d_bytes = bytes;
    if (*level == "2") info.l2_bytes = bytes;
    if (*level == "3") info.l3_bytes = bytes;
  }
}

}  // namespace

std::string_view isa_name(Isa isa) { return kIsaNames[static_cast<size_t>(isa)]; }

std::optional<Isa> isa_from_name(std::string_view name) {
  for (size_t i = 0; i < kIsaNames.size(); i++) {
    if (kIsaNames[i] == name) return static_cast<Isa>(i);
  }
  return std::nullopt;
}

std::string isa_names() {
  std::string names;
  for (std::string_view name : kIsaNames) names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

Isa best_isa() {
  const uint64_t state = enabled_state();
  const unsigned leaf1 = cpuid(1).ecx;
  const CpuId leaf7 = cpuid(7);
  if ((state & 0x6) != 0x6 || !has_bits(leaf1, bit_AVX | bit_FMA | bit_F16C) || !has_bits(leaf7.ebx, bit_AVX2)) {
    return Isa::kRef;
  }
  if ((state & 0xE6) != 0xE6 || !has_bits(leaf7.ebx, bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ)) {
    return Isa::kAvx2;
  }
  if (!has_bits(leaf7.ecx, bit_AVX512VNNI)) return Isa::kAvx512;
  if (!has_bits(cpuid(7, 1).eax, bit_AVX512BF16)) return Isa::kAvx512Vnni;
  return has_bits(leaf7.edx, kAmxTile | kAmxInt8) && may_use_tiles(state) ? Isa::kAmx : Isa::kAvx512Bf16;
}

std::vector<Isa> available_isas() {
  std::vector<Isa> isas;
  for (int i = 0; i <= static_cast<int>(best_isa()); i++) isas.push_back(static_cast<Isa>(i));
  return isas;
}

Result<Isa> choose_isa() { return choose_isa(std::getenv("MINKE_ISA"), best_isa()); }

Result<Isa> choose_isa(const char* wanted, Isa best) {
  if (wanted == nullptr || *wanted == '\0') return best;
  auto isa = isa_from_name(wanted);
  if (!isa) return error("MINKE_ISA: expected one of {}; got \"{}\"", isa_names(), wanted);
  if (*isa > best) {
    return error("MINKE_ISA: this machine lacks {}; the highest level it runs is {}", wanted, isa_name(best));
  }
  return *isa;
}

std::optional<double> read_cpu_quota(const std::string& root) {
  std::optional<double> tightest;
  auto text = read_text(root + "/proc/self/cgroup");
  if (!text) return std::nullopt;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {  // "0::/group" (v2) or "4:cpu,cpuacct:/group" (v1)
    size_t first = line.find(':');
    size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    if (path == "/") path.clear();
    std::string mount = root + "/sys/fs/cgroup";
    if (!controllers.empty()) {
      if (("," + controllers + ",").find(",cpu,") == std::string::npos) continue;
      mount += "/" + controllers;
    }
    if (auto quota = tightest_quota(mount, path)) tightest = std::min(tightest.value_or(*quota), *quota);
  }
  return tightest;
}

int count_physical_cores(const std::vector<int>& cpus, const std::string& root) {
  std::set<std::pair<std::string, std::string>> cores;
  for (int cpu : cpus) {
    std::string directory = fmt::format("{}/sys/devices/system/cpu/cpu{}/topology", root, cpu);
    auto package = read_text(directory + "/physical_package_id");
    auto core = read_text(directory + "/core_id");
    cores.emplace(package && core ? *package : fmt::format("cpu {}", cpu), package && core ? *core : "");
  }
  return static_cast<int>(cores.size());
}

CpuInfo detect_cpu() {
  CpuInfo info;
  const std::vector<int> cpus = allowed_cpus();
  info.brand = read_brand();
  info.isa = best_isa();
  info.n_logical_cpus = static_cast<int>(cpus.size());
  info.n_physical_cores = count_physical_cores(cpus, "");
  info.cpu_quota = read_cpu_quota("");
  read_caches(info, cpus.front());
  info.memory_bytes = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  return info;
}

int default_n_threads(const CpuInfo& info) {
  int n = std::max(1, info.n_physical_cores);
  if (info.cpu_quota) n = std::min(n, std::max(1, static_cast<int>(*info.cpu_quota)));
  return n;
}

}  // namespace minke
