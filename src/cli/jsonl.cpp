#include "cli/jsonl.h"

#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/interrupt.h"

namespace minke::cli {

Result<bool> for_each_line(const std::string& path,
                           const std::function<Status(const std::string& line, size_t number)>& on_line) {
  std::ifstream file;
  bool from_stdin = path.empty() || path == "-";
  if (!from_stdin) {
    file.open(path);
    if (!file) return error("{}: cannot open", path);
  }
  std::istream& in = from_stdin ? std::cin : file;
  std::atomic<bool>& interrupted = interrupt_flag();
  std::string line;
  for (size_t number = 1; std::getline(in, line); number++) {
    if (interrupted) return false;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    TRY(on_line(line, number));
  }
  if (interrupted) return false;  // Ctrl-C while waiting for a line ends the input
  if (in.bad()) return error("{}: cannot read", from_stdin ? "stdin" : path);
  return true;
}

Result<int> run_jsonl(const std::string& path, const std::function<Result<Json>(const Json& row)>& row) {
  auto run_row = [&](const std::string& line, size_t number) -> Result<Json> {
    Json parsed = TRY(parse_json(line, fmt::format("line {}", number)));
    if (!parsed.is_object()) return error("line {}: expected a JSON object", number);
    return row(parsed);
  };
  bool whole = TRY(for_each_line(path, [&](const std::string& line, size_t number) -> Status {
    Result<Json> result = run_row(line, number);
    Json out = result ? std::move(*result) : Json{{"error", result.error().message}};
    if (out.contains("error")) out["line"] = number;
    std::string text = dump_json(out) + "\n";
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
      return error("cannot write to stdout");
    }
    return {};
  }));
  return whole ? 0 : kInterruptedExit;
}

}  // namespace minke::cli
