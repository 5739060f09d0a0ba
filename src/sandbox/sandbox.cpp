#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "sandbox/bubblewrap.h"
#include "sandbox/descriptor.h"

namespace minke {
namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned kNobody = 65534;

int64_t ms_since(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
}

struct Started {
  pid_t pid = -1;
  Descriptor pid_fd;
  Descriptor output;
  Descriptor status;
};

struct ChildSetup {
  char* const* arguments;
  int input, output, failure;
  std::span<const Descriptor> kept;
  int status;
};

// Between fork and exec: system calls only, since another thread may have held any lock at the fork. Returns on failure.
void become_bubblewrap(const ChildSetup& setup) {
  setsid();  // a group of its own to kill, and no terminal
  int oom = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (oom >= 0 && write(oom, "1000", 4) == 4) close(oom);  // when memory runs out, this goes first
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  if (chdir("/") != 0) return;
  // Root's processes are not counted by RLIMIT_NPROC, and a hole in the walls would lead to root.
  if (geteuid() == 0) {
    if (syscall(SYS_setgroups, 0, nullptr) != 0) return;
    if (syscall(SYS_setresgid, kNobody, kNobody, kNobody) != 0) return;
    if (syscall(SYS_setresuid, kNobody, kNobody, kNobody) != 0) return;
  }
  if (dup2(setup.input, 0) < 0 || dup2(setup.output, 1) < 0 || dup2(setup.output, 2) < 0) return;
  if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) != 0) return;
  for (const Descriptor& file : setup.kept) fcntl(file.get(), F_SETFD, 0);
  fcntl(setup.status, F_SETFD, 0);
  std::array<char*, 1> no_environment = {nullptr};
  execve(setup.arguments[0], setup.arguments, no_environment.data());
}

Result<Started> start(const SandboxPaths& paths, const SandboxJob& job) {
  Pipe output = TRY(make_pipe());
  Pipe status = TRY(make_pipe());
  Pipe failure = TRY(make_pipe());
  Descriptor input = TRY(file_of_text(job.input));
  BubblewrapCommand command = TRY(bubblewrap_command(paths, job, status.write.get()));
  std::vector<char*> arguments;
  for (std::string& argument : command.arguments) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  const ChildSetup setup = {arguments.data(),    input.get(),   output.write.get(),
                            failure.write.get(), command.files, status.write.get()};
  Started started;
  started.pid = fork();
  if (started.pid < 0) return error("sandbox: no process can be started: {}", std::strerror(errno));
  if (started.pid == 0) {
    become_bubblewrap(setup);
    int why = errno;
    (void)!write(setup.failure, &why, sizeof(why));
    _exit(127);
  }
  failure.write.close();
  int why = 0;
  ssize_t n;
  do {
    n = read(failure.read.get(), &why, sizeof(why));
  } while (n < 0 && errno == EINTR);
  if (n != 0) {
    waitpid(started.pid, nullptr, 0);
    return error("sandbox: {} cannot be started: {}", paths.bwrap, std::strerror(why));
  }
  started.pid_fd = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, started.pid, 0)));
  started.output = std::move(output.read);
  started.status = std::move(status.read);
  fcntl(started.output.get(), F_SETFL, O_NONBLOCK);
  fcntl(started.status.get(), F_SETFL, O_NONBLOCK);
  return started;
}

// Appends what can be read now, up to max_bytes in all; false when there is more than that.
bool take_output(int fd, std::string& out, size_t max_bytes) {
  std::array<char, 65536> buffer;
  for (;;) {
    ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return true;
    size_t room = max_bytes - out.size();
    out.append(buffer.data(), std::min(room, static_cast<size_t>(n)));
    if (static_cast<size_t>(n) > room) return false;
  }
}

// Until the program ends or has to be ended.
void watch(const Started& started, const SandboxLimits& limits, Clock::time_point began, SandboxResult& result) {
  bool output_open = true;
  for (;;) {
    int64_t left = limits.wall_ms - ms_since(began);
    if (left <= 0) {
      result.timed_out = true;
      return;
    }
    std::array<pollfd, 2> polled = {pollfd{started.pid_fd.get(), POLLIN, 0},
                                    pollfd{output_open ? started.output.get() : -1, POLLIN, 0}};
    if (poll(polled.data(), polled.size(), static_cast<int>(std::min<int64_t>(left, 1000))) < 0) continue;
    if (polled[1].revents != 0) {
      if (!take_output(started.output.get(), result.output, static_cast<size_t>(limits.output_bytes))) {
        result.output_cut = true;
        return;
      }
      if ((polled[1].revents & POLLHUP) != 0) output_open = false;
    }
    if (polled[0].revents != 0) return;
  }
}

// A number of what bwrap tells about itself, {"child-pid": N}, later {"exit-code": N}.
std::optional<int> status_number(std::string_view status, std::string_view key) {
  const std::string quoted = fmt::format("\"{}\":", key);
  size_t at = status.find(quoted);
  if (at == std::string_view::npos) return std::nullopt;
  const char* text = status.data() + at + quoted.size();
  const char* end = status.data() + status.size();
  while (text < end && *text == ' ') ++text;
  int value = 0;
  if (std::from_chars(text, end, value).ec != std::errc()) return std::nullopt;
  return value;
}

void reap(pid_t pid, rusage& usage) {
  while (wait4(pid, nullptr, 0, &usage) < 0 && errno == EINTR) continue;
}

std::string first_line(std::string_view text) { return std::string(text.substr(0, std::min<size_t>(text.find('\n'), 300))); }

}  // namespace

Result<SandboxResult> Sandbox::run(const SandboxJob& job) const {
  Clock::time_point began = Clock::now();
  Started started = TRY(start(paths_, job));
  SandboxResult result;
  watch(started, job.limits, began, result);
  // bwrap and the first process of the new PID namespace are this group; with the latter the kernel kills all of the namespace.
  kill(-started.pid, SIGKILL);
  rusage usage = {}, inner = {};
  reap(started.pid, usage);
  std::string status;
  take_output(started.status.get(), status, 4096);
  // That first process is ours now (open() asked for it). It ends when all others in its namespace have ended.
  if (auto first = status_number(status, "child-pid")) reap(*first, inner);
  bool all = take_output(started.output.get(), result.output, static_cast<size_t>(job.limits.output_bytes));
  result.output_cut = result.output_cut || !all;
  result.wall_ms = ms_since(began);
  result.peak_memory_bytes = std::max(usage.ru_maxrss, inner.ru_maxrss) * 1024;
  // No exit code: bwrap could not set the walls up, or was killed.
  const std::optional<int> exit_code = status_number(status, "exit-code");
  if (!exit_code && !result.timed_out && !result.output_cut) {
    return error("sandbox: {}", result.output.empty() ? "bwrap ended before the program" : first_line(result.output));
  }
  if (!result.timed_out && !result.output_cut) result.exit_code = *exit_code;
  return result;
}

Result<Sandbox> Sandbox::open(const SandboxPaths& paths) {
  if (access(paths.bwrap.c_str(), X_OK) != 0) {
    return error("sandbox: {} is missing, and without it no generated program is run; install the package bubblewrap",
                 paths.bwrap);
  }
  // Orphans become children of this process, so that run() can wait for the last one; a container's first process may not.
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return error("sandbox: prctl: {}", std::strerror(errno));
  Sandbox sandbox(paths);
  auto result = sandbox.run({.command = {"true"}});
  std::string what = result ? fmt::format("a harmless program ended with {}: {}", result->exit_code, first_line(result->output))
                            : result.error().message;
  if (result && result->exit_code == 0) return sandbox;
  return error(
      "{}; this system gives no sandbox, so no generated program is run: allow unprivileged user namespaces "
      "(sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0; "
      "in a "
      "container its seccomp profile) and use bubblewrap 0.8 or newer",
      what);
}

}  // namespace minke
