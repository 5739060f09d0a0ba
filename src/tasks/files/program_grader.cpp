#include "tasks/files/program_grader.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "base/json.h"
#include "base/utf8.h"
#include "tasks/files/python_harness.h"

namespace minke {
namespace {

constexpr size_t kMaxCodeBytes = size_t{1} << 20;

// What a program may use; the wall limit is generous because many run beside one another.
constexpr SandboxLimits kLimits = {.wall_ms = 30'000, .cpu_s = 10, .memory_bytes = int64_t{1} << 30, .n_processes = 8};

std::string random_token() {
  std::random_device device;
  std::string token;
  for (int i = 0; i < 4; ++i) token += fmt::format("{:08x}", device());
  return token;
}

bool defines(std::string_view code, std::string_view function) {
  const std::string head = fmt::format("def {}", function);
  for (size_t at = code.find(head); at != std::string_view::npos; at = code.find(head, at + 1)) {
    const bool starts_line = at == 0 || code[at - 1] == '\n';
    const size_t after = code.find_first_not_of(' ', at + head.size());
    if (starts_line && after != std::string_view::npos && code[after] == '(') return true;
  }
  return false;
}

}  // namespace

std::string code_of(std::string_view content) {
  constexpr std::string_view kFence = "```";
  std::string_view code = content;
  for (size_t at = content.find(kFence); at != std::string_view::npos;) {
    const size_t line = content.find('\n', at);
    if (line == std::string_view::npos) break;
    const size_t close = content.find(kFence, line);
    code = content.substr(line + 1, (close == std::string_view::npos ? content.size() : close) - line - 1);
    at = close == std::string_view::npos ? close : content.find(kFence, close + kFence.size());
  }
  return std::string(code);
}

Result<double> grade_program(const Sandbox& sandbox, const Problem& problem, std::string_view content) {
  const std::string prompt = problem.facts.at("prompt"), entry = problem.facts.at("entry_point");
  std::string code = code_of(content);
  if (code.empty() || code.size() > kMaxCodeBytes || !utf8_valid(code)) return 0;
  // A reply to HumanEval is the whole function, below the prompt's imports and helpers, or the rest of its body.
  if (!prompt.empty()) code = prompt + (defines(code, entry) ? "\n\n" : "") + code;
  const std::string token = random_token();
  Json input;
  input["token"] = token;
  input["candidate"] = std::string(kPythonValues) + std::string(kPythonCandidate);
  input["program"] = code;
  input["setup"] = problem.facts.at("setup").get<std::string>();
  input["tests"] = problem.facts.at("tests").get<std::string>();
  input["functions"] = problem.facts.at("functions").get<std::vector<std::string>>();
  const SandboxResult result =
      TRY(sandbox.run({.command = {"python3", "-I", "-c", std::string(kPythonValues) + std::string(kPythonChecker)},
                       .input = dump_json(input),
                       .limits = kLimits}));
  if (result.timed_out || result.output_cut || result.exit_code != 0) return 0;
  return result.output.ends_with(token + "\n") ? 1 : 0;
}

}  // namespace minke
