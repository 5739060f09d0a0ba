// Without its walls the sandbox runs nothing. These tests need no kernel that gives them.
#include <sys/stat.h>

#include <fstream>

#include "sandbox/sandbox.h"
#include "support/support.h"

namespace minke {
namespace {

// A program in the place of bwrap.
std::string impostor(const testing::TemporaryDirectory& folder, const std::string& script) {
  std::string path = folder.file("bwrap");
  std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
  chmod(path.c_str(), 0755);
  chmod(folder.path().c_str(), 0755);
  return path;
}

TEST(Refusal, WithoutBubblewrapNamesThePackage) {
  EXPECT_ERROR(Sandbox::open({.bwrap = "/nonexistent/bwrap"}), "install the package bubblewrap");
}

TEST(Refusal, WhereTheKernelAllowsNoNamespacesSaysWhatToDo) {
  testing::TemporaryDirectory folder;
  std::string bwrap = impostor(folder, "echo 'bwrap: No permissions to create new namespace' >&2; exit 1");
  EXPECT_ERROR(Sandbox::open({.bwrap = bwrap}), "bwrap: No permissions to create new namespace");
  EXPECT_ERROR(Sandbox::open({.bwrap = bwrap}), "allow unprivileged user namespaces");
}

TEST(Refusal, AWrapperThatSaysNothingIsNoSandbox) {
  testing::TemporaryDirectory folder;
  EXPECT_ERROR(Sandbox::open({.bwrap = impostor(folder, "exit 0")}), "gives no sandbox");
}

TEST(Refusal, AFileThatIsNoProgram) {
  testing::TemporaryDirectory folder;
  std::string path = folder.file("bwrap");
  std::ofstream(path) << "text";
  chmod(path.c_str(), 0755);
  EXPECT_ERROR(Sandbox::open({.bwrap = path}), "cannot be started");
}

}  // namespace
}  // namespace minke
