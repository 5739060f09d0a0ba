#include "sandbox/bubblewrap.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <string_view>
#include <system_error>

#include "sandbox/seccomp_filter.h"

namespace minke {
namespace {

constexpr std::string_view kPrograms = "/usr/bin/";
constexpr std::string_view kWork = "/tmp/";
constexpr size_t kMaxName = 100;
constexpr const char* kPrlimit = "/usr/bin/prlimit";

bool is_plain_name(std::string_view name) {
  auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kMaxName && name[0] != '.' && std::all_of(name.begin(), name.end(), plain);
}

// For messages: a name from outside may be anything.
std::string shortened(std::string_view name) {
  std::string out(name.substr(0, 80));
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '?');
  return name.size() > 80 ? out + "..." : out;
}

// The path of the program inside, which for programs of the system is its path outside, too.
Result<std::string> program_path(const SandboxJob& job) {
  if (job.command.empty()) return error("sandbox: the job names no program");
  std::string_view program = job.command[0];
  if (program.starts_with(kWork)) {
    auto is_it = [&](const SandboxFile& file) { return file.name == program.substr(kWork.size()); };
    if (std::any_of(job.files.begin(), job.files.end(), is_it)) return std::string(program);
    return error("sandbox: program {} is not among the job's files", shortened(program));
  }
  if (program.starts_with(kPrograms)) program.remove_prefix(kPrograms.size());
  // '+' for g++
  std::string name(program);
  std::replace(name.begin(), name.end(), '+', '_');
  if (!is_plain_name(name)) return error("sandbox: program '{}' is no program of {}", shortened(program), kPrograms);
  std::string path = std::string(kPrograms) + std::string(program);
  if (access(path.c_str(), X_OK) != 0) return error("sandbox: program {} is not installed in {}", program, kPrograms);
  return path;
}

Status check_job(const SandboxJob& job) {
  for (const std::string& argument : job.command) {
    if (argument.find('\0') != std::string::npos) return error("sandbox: an argument of the program holds a NUL");
  }
  for (const SandboxFile& file : job.files) {
    if (!is_plain_name(file.name)) {
      return error("sandbox: file name '{}': expected letters, digits, '.', '_', '-', at most {}", shortened(file.name),
                   kMaxName);
    }
  }
  const SandboxLimits& limits = job.limits;
  for (int64_t limit : {limits.wall_ms, limits.cpu_s, limits.memory_bytes, limits.n_processes, limits.folder_bytes,
                        limits.n_open_files, limits.output_bytes}) {
    if (limit <= 0) return error("sandbox: a limit is {}; expected more than 0", limit);
  }
  return {};
}

// Parts of /usr that hold programs and libraries; not /usr/local, /usr/share, /usr/src, where people put data.
void add_system(std::vector<std::string>& out) {
  auto add = [&](std::initializer_list<std::string> words) { out.insert(out.end(), words); };
  std::error_code ignored;
  for (const char* path : {"/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec"}) {
    if (std::filesystem::is_directory(path, ignored)) add({"--ro-bind", path, path});
  }
  for (const char* path : {"/bin", "/lib", "/lib64"}) {
    std::filesystem::path target = std::filesystem::read_symlink(path, ignored);
    if (!ignored) {
      add({"--symlink", target.string(), path});
    } else if (std::filesystem::is_directory(path, ignored)) {
      add({"--ro-bind", path, path});
    }
  }
  add({"--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"});
  add({"--size", "65536", "--tmpfs", "/dev"});
  for (const char* device : {"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"}) add({"--dev-bind", device, device});
  add({"--remount-ro", "/dev"});
}

// Set inside, by prlimit: processes are counted there per user namespace, and bwrap itself is not bounded by them.
void add_limits(std::vector<std::string>& out, const SandboxLimits& limits) {
  out.push_back(kPrlimit);
  auto add = [&](const char* name, int64_t value) { out.push_back(fmt::format("--{}={}", name, value)); };
  add("as", limits.memory_bytes);
  add("cpu", limits.cpu_s);
  add("fsize", limits.folder_bytes);
  add("nproc", limits.n_processes);
  add("nofile", limits.n_open_files);
  for (const char* name : {"core", "memlock", "msgqueue", "nice", "rtprio"}) add(name, 0);
  out.push_back("--");
}

}  // namespace

Result<BubblewrapCommand> bubblewrap_command(const SandboxPaths& paths, const SandboxJob& job, int status_fd) {
  TRY(check_job(job));
  std::string program = TRY(program_path(job));
  if (access(kPrlimit, X_OK) != 0) return error("sandbox: {} is missing; install the package util-linux", kPrlimit);
  BubblewrapCommand command;
  std::vector<std::string>& out = command.arguments;
  out = {paths.bwrap,
         "--unshare-user",
         "--unshare-ipc",
         "--unshare-pid",
         "--unshare-net",
         "--unshare-uts",
         "--hostname",
         "sandbox",
         "--uid",
         "1000",
         "--gid",
         "1000",
         "--unshare-cgroup-try",
         "--die-with-parent"};
  add_system(out);
  out.insert(out.end(), {"--perms", "0700", "--size", std::to_string(job.limits.folder_bytes), "--tmpfs", "/tmp"});
  auto hand_over = [&](Descriptor file) {
    command.files.push_back(std::move(file));
    return std::to_string(command.files.back().get());
  };
  for (const SandboxFile& file : job.files) {
    Descriptor text = TRY(file_of_text(file.text));
    out.insert(out.end(), {"--perms", "0700", "--file", hand_over(std::move(text)), std::string(kWork) + file.name});
  }
  out.insert(out.end(), {"--remount-ro", "/", "--chdir", "/tmp", "--clearenv", "--setenv", "PATH", "/usr/bin", "--setenv",
                         "HOME", "/tmp", "--setenv", "LANG", "C.UTF-8"});
  Descriptor filter = TRY(make_seccomp_filter());
  out.insert(out.end(), {"--seccomp", hand_over(std::move(filter)), "--json-status-fd", std::to_string(status_fd), "--"});
  add_limits(out, job.limits);
  out.push_back(program);
  out.insert(out.end(), job.command.begin() + 1, job.command.end());
  return command;
}

}  // namespace minke
