#include "sandbox/seccomp_filter.h"

#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace minke {
namespace {

// A list of what is refused, not of what is allowed: the walls are the namespaces and the missing capabilities; this takes away
// the parts of the kernel where their holes have been, and memory that no rlimit counts. Names that an older libseccomp does
// not know are skipped: what it does not know is newer than it.
constexpr std::array kRefused = {
    // other processes
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp",
    // namespaces and mounts
    "unshare", "setns", "mount", "umount", "umount2", "pivot_root", "chroot", "mount_setattr", "move_mount", "open_tree",
    "fsopen", "fsconfig", "fsmount", "fspick", "open_by_handle_at", "name_to_handle_at", "mknod", "mknodat",
    // clocks and the machine
    "settimeofday", "clock_settime", "clock_settime64", "clock_adjtime", "clock_adjtime64", "adjtimex", "stime", "sethostname",
    "setdomainname", "reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "syslog", "iopl", "ioperm", "kexec_load",
    "kexec_file_load", "init_module", "finit_module", "delete_module",
    // large and young parts of the kernel
    "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl", "add_key",
    "request_key", "fanotify_init", "modify_ldt", "lookup_dcookie", "seccomp", "personality", "vmsplice",
    // network, also within the machine
    "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4",
    // memory that outlives its mapping, so that RLIMIT_AS does not count it
    "memfd_create", "memfd_secret", "shmget", "shmat", "msgget", "msgsnd", "semget", "mq_open"};

struct ReleaseFilter {
  void operator()(void* context) const { seccomp_release(context); }
};

Status refuse(scmp_filter_ctx filter, const char* name, int code) {
  int number = seccomp_syscall_resolve_name(name);
  if (number < 0) return {};  // unknown, or not a call of this machine
  int rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(code), number, 0);
  if (rc != 0) return error("sandbox: libseccomp does not take a rule for {}: {}", name, std::strerror(-rc));
  return {};
}

Status refuse_with_argument(scmp_filter_ctx filter, const char* name, scmp_arg_cmp argument) {
  int rc = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), seccomp_syscall_resolve_name(name), 1, &argument);
  if (rc != 0) return error("sandbox: libseccomp does not take a rule for {}: {}", name, std::strerror(-rc));
  return {};
}

}  // namespace

Result<Descriptor> make_seccomp_filter() {
  // System calls of other architectures (32-bit, x32) end the program: libseccomp's default.
  std::unique_ptr<void, ReleaseFilter> filter(seccomp_init(SCMP_ACT_ALLOW));
  if (!filter) return error("sandbox: libseccomp cannot make a filter");
  for (const char* name : kRefused) TRY(refuse(filter.get(), name, EPERM));
  // clone3 keeps its flags in memory, where no filter can look: "does not exist" makes the C library take clone.
  TRY(refuse(filter.get(), "clone3", ENOSYS));
  // CLONE_NEWTIME is not among them: clone's low byte is a signal, only unshare and clone3 know that flag.
  constexpr std::array<uint64_t, 7> kNamespaceFlags = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,   CLONE_NEWNET,
                                                       CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP};
  for (uint64_t flag : kNamespaceFlags) {
    TRY(refuse_with_argument(filter.get(), "clone", SCMP_A0_64(SCMP_CMP_MASKED_EQ, flag, flag)));
  }
  TRY(refuse_with_argument(filter.get(), "ioctl", SCMP_A1_64(SCMP_CMP_MASKED_EQ, 0xffffffff, TIOCSTI)));
  Descriptor file = TRY(file_of_text(""));
  int rc = seccomp_export_bpf(filter.get(), file.get());
  if (rc != 0) return error("sandbox: libseccomp cannot write the filter: {}", std::strerror(-rc));
  lseek(file.get(), 0, SEEK_SET);
  return file;
}

}  // namespace minke
