// What a program in the sandbox can and cannot do, by programs that try it. Where the kernel gives no sandbox these tests are
// skipped with the reason; what must then happen is in refusal_test.cpp, which runs everywhere.
#include "sandbox/sandbox.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include "support/support.h"

namespace minke {
namespace {

using testing::value_of;

class SandboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Sandbox::open();
    if (!opened) GTEST_SKIP() << "sandbox tests were not run: " << opened.error().message;
    sandbox_.emplace(std::move(*opened));
    if (access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "sandbox tests were not run: /usr/bin/python3 is missing";
  }

  SandboxResult run(SandboxJob job) { return value_of(sandbox_->run(job)); }
  SandboxResult shell(const std::string& script, SandboxLimits limits = {}) {
    return run({.command = {"sh", "-c", script}, .limits = limits});
  }
  SandboxResult python(const std::string& script, SandboxLimits limits = {}) {
    return run({.command = {"python3", "-I", "-c", script}, .limits = limits});
  }

  std::optional<Sandbox> sandbox_;
};

TEST_F(SandboxTest, RunsAProgramWithItsInputFilesAndExitCode) {
  SandboxResult result = run({.command = {"sh", "-c", "cat; cat note.txt; pwd; echo oops >&2; exit 7"},
                              .input = "in\n",
                              .files = {{"note.txt", "text of the file\n"}}});
  EXPECT_EQ(result.output, "in\ntext of the file\n/tmp\noops\n");
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_FALSE(result.timed_out);
  EXPECT_FALSE(result.output_cut);
  EXPECT_GT(result.peak_memory_bytes, 0);
  EXPECT_EQ(shell("kill -9 $$").exit_code, 137);
  EXPECT_EQ(run({.command = {"/tmp/tool"}, .files = {{"tool", "#!/bin/sh\necho made\n"}}}).output, "made\n");
}

TEST_F(SandboxTest, KeepsNoEnvironmentAndNoFilesOfThisProcess) {
  setenv("MINKE_SANDBOX_SECRET", "1", 1);
  testing::TemporaryDirectory folder;
  std::ofstream(folder.file("open")) << "secret";
  FILE* leaked = fopen(folder.file("open").c_str(), "r");  // without O_CLOEXEC
  ASSERT_NE(leaked, nullptr);
  SandboxResult result = python(
      "import os\n"
      "print(sorted(set(os.environ) - {'PATH', 'HOME', 'LANG', 'PWD', 'LC_CTYPE'}))\n"
      "def is_open(fd):\n"
      "  try: os.fstat(fd); return True\n"
      "  except OSError: return False\n"
      "print([fd for fd in range(3, 64) if is_open(fd)], os.getuid(), os.getgid())\n");
  fclose(leaked);
  EXPECT_EQ(result.output, "[]\n[] 1000 1000\n");
}

TEST_F(SandboxTest, SeesNothingOutsideTheSystemAndItsFolder) {
  testing::TemporaryDirectory folder;
  std::ofstream(folder.file("secret")) << "secret";
  ASSERT_EQ(chmod(folder.path().c_str(), 0777), 0);
  SandboxResult result = python(
      "import os\n"
      "def read(path):\n"
      "  try: return open(path).read()\n"
      "  except OSError as e: return type(e).__name__\n"
      "print(sorted(os.listdir('/')), os.listdir('/tmp'))\n"
      "print([read(p) for p in ['/etc/passwd', '/etc/shadow', '/proc/self/environ', '/sys/kernel/version', '" +
      folder.file("secret") +
      "']])\n"
      "os.symlink('" +
      folder.file("secret") +
      "', '/tmp/link')\n"
      "os.symlink('../../../etc/passwd', '/tmp/up')\n"
      "os.symlink('/', '/tmp/root')\n"
      "print([read(p) for p in ['/tmp/link', '/tmp/up', '/tmp/root/etc/passwd', '/usr/../etc/passwd']])\n");
  EXPECT_EQ(result.output.find("secret"), std::string::npos) << result.output;
  EXPECT_EQ(result.output.find("root:"), std::string::npos) << result.output;
  EXPECT_NE(result.output.find("['FileNotFoundError', 'FileNotFoundError', 'FileNotFoundError', 'FileNotFoundError', "
                               "'FileNotFoundError']"),
            std::string::npos)
      << result.output;
  EXPECT_NE(result.output.find("]\n['FileNotFoundError', 'FileNotFoundError', 'FileNotFoundError', 'FileNotFoundError']\n"),
            std::string::npos)
      << result.output;
}

TEST_F(SandboxTest, WritesOnlyInItsFolderAndOnlySoMuch) {
  SandboxResult result = python(
      "import errno, os\n"
      "def write(path):\n"
      "  try: open(path, 'w').write('x'); return 'written'\n"
      "  except OSError as e: return errno.errorcode[e.errno]\n"
      "print([write(p) for p in ['/x', '/usr/bin/x', '/usr/lib/x', '/bin/ls', '/etc/x', '/dev/x', '/dev/shm/x', '/tmp/x']])\n"
      "try:\n"
      "  for i in range(100): open('/tmp/%d' % i, 'wb').write(bytes(1 << 20))\n"
      "except OSError as e: print(errno.errorcode[e.errno])\n"
      "print(sum(os.path.getsize('/tmp/' + name) for name in os.listdir('/tmp')) <= 8 << 20)\n",
      {.folder_bytes = 8 << 20});
  EXPECT_EQ(result.output, "['EROFS', 'EROFS', 'EROFS', 'EROFS', 'EROFS', 'EROFS', 'ENOENT', 'written']\nENOSPC\nTrue\n");
  EXPECT_FALSE(std::ifstream("/tmp/99").good());
}

TEST_F(SandboxTest, HasNoNetwork) {
  // A server that a leak would reach.
  int server = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(server, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(server, 1), 0);
  socklen_t size = sizeof(address);
  getsockname(server, reinterpret_cast<sockaddr*>(&address), &size);
  SandboxResult result = python(
      "import socket\nfor family in [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX]:\n"
      "  try: socket.socket(family).connect(('127.0.0.1', " +
      std::to_string(ntohs(address.sin_port)) +
      ")); print('connected')\n"
      "  except OSError as e: print(type(e).__name__)\n");
  close(server);
  EXPECT_EQ(result.output, "PermissionError\nPermissionError\nPermissionError\n");
}

TEST_F(SandboxTest, RefusesDangerousSystemCalls) {
  // Numbers of x86-64; -1 and EPERM each. The clone is CLONE_NEWUSER | SIGCHLD.
  SandboxResult result = python(
      "import ctypes, errno\n"
      "libc = ctypes.CDLL(None, use_errno=True)\n"
      "for name, number, a, b in [('ptrace', 101, 0, 0), ('mount', 165, 0, 0), ('unshare', 272, 0x10000000, 0), ('setns', 308, "
      "0, 0),\n"
      "  ('clone', 56, 0x10000011, 0), ('clone3', 435, 0, 0), ('settimeofday', 164, 0, 0), ('clock_settime', 227, 0, 0),\n"
      "  ('adjtimex', 159, 0, 0), ('bpf', 321, 0, 0), ('keyctl', 250, 0, 0), ('io_uring_setup', 425, 1, 0),\n"
      "  ('memfd_create', 319, 0, 0), ('shmget', 29, 0, 4096), ('chroot', 161, 0, 0), ('userfaultfd', 323, 0, 0),\n"
      "  ('sethostname', 170, 0, 0), ('process_vm_readv', 310, 1, 0)]:\n"
      "  ctypes.set_errno(0)\n"
      "  r = libc.syscall(number, a, b, 0, 0, 0)\n"
      "  e = errno.errorcode.get(ctypes.get_errno())\n"
      "  if r != -1 or e != ('ENOSYS' if name == 'clone3' else 'EPERM'): print(name, r, e)\n"
      "try: import time; time.clock_settime(time.CLOCK_REALTIME, 0); print('set')\n"
      "except PermissionError: print('done')\n");
  EXPECT_EQ(result.output, "done\n");
}

TEST_F(SandboxTest, RefusesOtherInstructionSetsOfSystemCalls) {
  // int 0x80 is the 32-bit table, where a filter of 64-bit numbers would see other calls: the program dies by SIGSYS.
  SandboxResult result = python(
      "import ctypes, mmap\n"
      "code = mmap.mmap(-1, 4096, prot=7)\n"
      "code.write(bytes([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3]))  # getpid\n"
      "call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))\n"
      "call(); print('survived')\n");
  EXPECT_EQ(result.exit_code, 128 + 31) << result.output;
}

TEST_F(SandboxTest, AForkBombStaysSmall) {
  SandboxResult result = python(
      "import os, time\n"
      "n = 0\n"
      "try:\n"
      "  while n < 200:\n"
      "    if os.fork() == 0: time.sleep(60); os._exit(0)\n"
      "    n += 1\n"
      "except BlockingIOError: print('stopped', n)\n");
  EXPECT_EQ(result.output, "stopped 6\n");
  EXPECT_EQ(result.exit_code, 0);
  SandboxResult bomb = shell("f() { f | f & }; f; sleep 60", {.wall_ms = 1000});
  EXPECT_TRUE(bomb.timed_out || bomb.exit_code >= 0);
}

TEST_F(SandboxTest, AMemoryBombFails) {
  SandboxResult result = python("x = bytearray(1 << 33)", {.memory_bytes = 256 << 20});
  EXPECT_NE(result.output.find("MemoryError"), std::string::npos) << result.output;
  SandboxResult slow = python("x = []\nwhile True: x.append(bytes(1 << 20))", {.memory_bytes = 256 << 20});
  EXPECT_NE(slow.exit_code, 0);
  EXPECT_LE(slow.peak_memory_bytes, 256 << 20);
  EXPECT_FALSE(slow.timed_out);
}

TEST_F(SandboxTest, TenGigabytesOfOutputAreCut) {
  SandboxResult result = shell("head -c 10G /dev/zero", {.output_bytes = 100'000});
  EXPECT_TRUE(result.output_cut);
  EXPECT_EQ(result.output.size(), 100'000u);
  EXPECT_EQ(result.exit_code, -1);
  SandboxResult exact = shell("head -c 100000 /dev/zero", {.output_bytes = 100'000});
  EXPECT_FALSE(exact.output_cut);
  EXPECT_EQ(exact.output.size(), 100'000u);
  EXPECT_EQ(exact.exit_code, 0);
}

// Processes of this machine whose command line holds the text.
int n_processes_with(const std::string& text) {
  int n = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline");
    std::string line((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    n += line.find(text) != std::string::npos;
  }
  return n;
}

TEST_F(SandboxTest, TheWallLimitEndsAProgramAndAllItsChildren) {
  // Children in sessions of their own, which no signal to a group reaches. The mark differs from run to run.
  const std::string mark = "minke_mark_" + std::to_string(getpid());
  SandboxResult result = python(
      "import os, sys, time\n"
      "for i in range(3):\n"
      "  if os.fork() == 0:\n"
      "    os.setsid()\n"
      "    os.execv('/usr/bin/python3', ['python3', '-c', 'import time; time.sleep(600)', '" +
          mark +
          "'])\n"
          "print('started', flush=True)\n"
          "while True: pass\n",
      {.wall_ms = 1500});
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.output, "started\n");
  EXPECT_GE(result.wall_ms, 1500);
  EXPECT_LT(result.wall_ms, 15'000);
  EXPECT_EQ(n_processes_with(mark), 0);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);  // no child, dead or alive
}

TEST_F(SandboxTest, ChildrenEndWithTheProgram) {
  const std::string mark = "minke_left_" + std::to_string(getpid());
  SandboxResult result = shell("setsid sh -c 'sleep 600; : " + mark + "' >/dev/null 2>&1 & echo ended");
  EXPECT_EQ(result.output, "ended\n");
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(n_processes_with(mark), 0);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);  // no child, dead or alive
}

TEST_F(SandboxTest, SleepingAndBusyProgramsEnd) {
  SandboxResult sleeping = shell("sleep 600", {.wall_ms = 500});
  EXPECT_TRUE(sleeping.timed_out);
  SandboxResult deaf = python(
      "import signal, time\nfor s in range(1, 32):\n  try: signal.signal(s, signal.SIG_IGN)\n"
      "  except OSError: pass\ntime.sleep(600)",
      {.wall_ms = 1000});
  EXPECT_TRUE(deaf.timed_out);
  SandboxResult busy = python("while True: pass", {.wall_ms = 300'000, .cpu_s = 1});
  EXPECT_FALSE(busy.timed_out);
  EXPECT_EQ(busy.exit_code, 137);
}

TEST_F(SandboxTest, RefusesBadJobs) {
  EXPECT_ERROR(sandbox_->run({}), "names no program");
  EXPECT_ERROR(sandbox_->run({.command = {"no-such-program"}}), "not installed in /usr/bin");
  EXPECT_ERROR(sandbox_->run({.command = {"../../bin/sh"}}), "no program of /usr/bin/");
  EXPECT_ERROR(sandbox_->run({.command = {"/etc/passwd"}}), "no program of /usr/bin/");
  EXPECT_ERROR(sandbox_->run({.command = {"/tmp/absent"}}), "not among the job's files");
  EXPECT_ERROR(sandbox_->run({.command = {std::string(1 << 20, 'x')}}), "no program of /usr/bin/");
  EXPECT_ERROR(sandbox_->run({.command = {"true", std::string(4 << 20, 'x')}}), "cannot be started: Argument list too long");
  EXPECT_ERROR(sandbox_->run({.command = {"true", std::string("a\0b", 3)}}), "holds a NUL");
  EXPECT_ERROR(sandbox_->run({.command = {"true"}, .limits = {.wall_ms = 0}}), "expected more than 0");
  for (std::string name : {"", "../up", "a/b", ".hidden", "a b", "\n"}) {
    EXPECT_ERROR(sandbox_->run({.command = {"true"}, .files = {{name, ""}}}), "file name");
  }
  EXPECT_ERROR(sandbox_->run({.command = {"true"}, .files = {{std::string(5000, 'x'), ""}}}), "file name");
}

}  // namespace
}  // namespace minke
