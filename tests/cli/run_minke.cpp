#include "cli/run_minke.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "support/support.h"

namespace minke::testing {
namespace {

// Nothing of the machine's own settings: no language, no cache, no token, no network.
std::map<std::string, std::string> clean_environment(const TemporaryDirectory& home) {
  std::map<std::string, std::string> env;
  for (const char* name : {"PATH", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) env[name] = value;
  }
  env["HOME"] = home.path().string();
  env["LANG"] = "C.UTF-8";
  env["HF_ENDPOINT"] = "http://127.0.0.1:9";
  return env;
}

void exec_minke(const std::vector<std::string>& arguments, const std::map<std::string, std::string>& env,
                const TemporaryDirectory& files) {
  auto redirect = [&](int fd, const char* name, int flags) {
    return ::dup2(::open(files.file(name).c_str(), flags, 0600), fd) == fd;
  };
  bool ready = redirect(STDIN_FILENO, "in", O_RDONLY) && redirect(STDOUT_FILENO, "out", O_WRONLY | O_CREAT) &&
               redirect(STDERR_FILENO, "err", O_WRONLY | O_CREAT);
  std::vector<std::string> pairs;
  for (const auto& [name, value] : env) pairs.push_back(name + "=" + value);
  std::vector<char*> argv = {const_cast<char*>(MINKE_BINARY)}, envp;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  for (const std::string& pair : pairs) envp.push_back(const_cast<char*>(pair.c_str()));
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  if (ready) ::execve(MINKE_BINARY, argv.data(), envp.data());
  ::_exit(127);
}

std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

MinkeRun run_minke(const std::vector<std::string>& arguments, const MinkeInput& input) {
  TemporaryDirectory files;
  std::ofstream(files.file("in"), std::ios::binary) << input.in;
  std::map<std::string, std::string> env = clean_environment(files);
  for (const auto& [name, value] : input.env) env[name] = value;
  pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) exec_minke(arguments, env, files);
  int status = 0;
  while (input.watch && ::waitpid(child, &status, WNOHANG) == 0) {
    if (!input.watch(child)) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      break;
    }
    ::usleep(5000);
  }
  if (!input.watch) ::waitpid(child, &status, 0);
  MinkeRun run;
  run.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  run.out = slurp(files.file("out"));
  run.err = slurp(files.file("err"));
  return run;
}

std::vector<Json> rows_of(const MinkeRun& run) {
  std::vector<Json> rows;
  std::istringstream lines(run.out);
  for (std::string line; std::getline(lines, line);) rows.push_back(value_of(parse_json(line, "stdout")));
  return rows;
}

}  // namespace minke::testing
