#include "tasks/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <vector>

#include "base/check.h"
#include "tasks/procedural_task.h"

namespace minke {
namespace {

constexpr size_t kIndent = 4;
constexpr int64_t kLargestValue = 9999;

struct Line {
  size_t depth;
  std::vector<std::string> words;
};

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view rest = text.substr(begin, end - begin);
    begin = end + 1;
    Line line{.depth = rest.find_first_not_of(' ') / kIndent, .words = {}};
    if (rest.ends_with(':')) rest.remove_suffix(1);
    while (true) {
      rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
      if (rest.empty()) break;
      const size_t length = std::min(rest.find(' '), rest.size());
      line.words.emplace_back(rest.substr(0, length));
      rest.remove_prefix(length);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

// Between the parentheses: "range(3)" -> "3".
std::string argument_of(const std::string& call) {
  const size_t open = call.find('(');
  CHECK(open != std::string::npos && call.ends_with(')'), "\"{}\" is no call", call);
  return call.substr(open + 1, call.size() - open - 2);
}

int64_t floored_quotient(int64_t a, int64_t b) { return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0); }

int64_t apply(const std::string& operation, int64_t a, int64_t b) {
  if (operation == "+") return a + b;
  if (operation == "-") return a - b;
  if (operation == "*") return a * b;
  CHECK((operation == "//" || operation == "%") && b != 0, "{} {} {}", a, operation, b);
  return operation == "//" ? floored_quotient(a, b) : a - b * floored_quotient(a, b);
}

class Interpreter {
 public:
  Interpreter(std::string_view text, Tongue tongue) : lines_(lines_of(text)), tongue_(tongue) {}

  ProgramRun run() {
    run_block(0, lines_.size());
    return std::move(out_);
  }

 private:
  // The line after the block that the line at `head` opens.
  size_t block_end(size_t head) const {
    size_t end = head + 1;
    while (end < lines_.size() && lines_[end].depth > lines_[head].depth) ++end;
    return end;
  }

  void run_block(size_t begin, size_t end) {
    for (size_t at = begin; at < end && out_.is_small;) at = run_line(at);
  }

  // Returns the line to go on with.
  size_t run_line(size_t at) {
    const std::vector<std::string>& words = lines_[at].words;
    if (words[0] == "for") {
      const int64_t n = value_of(argument_of(words[3]));
      for (int64_t i = 0; i < n; ++i) {
        assign(words[1], i);
        note(fmt::format("{}: {}", words[1], i));
        run_block(at + 1, block_end(at));
      }
      return block_end(at);
    }
    if (words[0] == "if") return run_if(at);
    if (words[0].starts_with("print(")) {
      out_.output = fmt::format("{}", value_of(argument_of(words[0])));
      return at + 1;
    }
    std::string steps;
    const int64_t value = evaluate({words.begin() + 2, words.end()}, steps);
    assign(words[0], value);
    note(fmt::format("{}: {}", words[0], steps.empty() ? fmt::format("{}", value) : steps));
    return at + 1;
  }

  size_t run_if(size_t at) {
    const std::vector<std::string>& words = lines_[at].words;
    std::string steps;
    const int64_t left = evaluate({words.begin() + 1, words.end() - 2}, steps), right = value_of(words.back());
    const std::string& relation = words[words.size() - 2];
    const bool holds = relation == "<" ? left < right : relation == ">" ? left > right : left == right;
    if (steps.empty()) steps = fmt::format("{}{}{}?", left, relation, right);
    note(fmt::format("if: {} {}", steps, (holds ? Words{"yes", "참"} : Words{"no", "거짓"}).in(tongue_)));
    const size_t end = block_end(at);
    if (holds) run_block(at + 1, end);
    if (end == lines_.size() || lines_[end].words[0] != "else" || lines_[end].depth != lines_[at].depth) return end;
    if (!holds) run_block(end + 1, block_end(end));
    return block_end(end);
  }

  int64_t value_of(const std::string& operand) const {
    if (const auto found = values_.find(operand); found != values_.end()) return found->second;
    char* end = nullptr;
    const int64_t value = std::strtoll(operand.c_str(), &end, 10);
    CHECK(*end == '\0', "\"{}\" is neither a name with a value nor a number", operand);
    return value;
  }

  // One operand or two and an operation, which is then noted as "3*2=6".
  int64_t evaluate(const std::vector<std::string>& words, std::string& steps) const {
    const int64_t left = value_of(words[0]);
    if (words.size() == 1) return left;
    const int64_t right = value_of(words[2]), value = apply(words[1], left, right);
    steps = fmt::format("{}{}{}={}", left, words[1], right < 0 ? fmt::format("({})", right) : fmt::format("{}", right), value);
    return value;
  }

  void assign(const std::string& name, int64_t value) {
    values_[name] = value;
    if (std::abs(value) > kLargestValue) out_.is_small = false;
  }

  void note(const std::string& line) { out_.trace += (out_.trace.empty() ? "" : "\n") + line; }

  std::vector<Line> lines_;
  Tongue tongue_;
  std::map<std::string, int64_t> values_;
  ProgramRun out_;
};

}  // namespace

ProgramRun run_program(std::string_view text, Tongue tongue) { return Interpreter(text, tongue).run(); }

}  // namespace minke
