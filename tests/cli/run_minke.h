// Starts the program that users start, and keeps what it prints.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "support/support.h"

namespace minke::testing {

struct MinkeRun {
  int exit_code = -1;  // 128 + the signal when one ended it
  std::string out, err;
};

struct MinkeInput {
  std::string in = {};                          // stdin
  std::map<std::string, std::string> env = {};  // over the test's own; the hub's variables start out empty
  // Asked every few milliseconds while it runs; false kills it (SIGKILL).
  std::function<bool(pid_t process)> watch = {};
};

MinkeRun run_minke(const std::vector<std::string>& arguments, const MinkeInput& input = {});

// stdout as rows of JSON.
std::vector<Json> rows_of(const MinkeRun& run);

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
inline std::string golden_model(const std::string& name) { return repository_path("tests/goldens/models/" + name); }

}  // namespace minke::testing
