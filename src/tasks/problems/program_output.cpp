// What does this program print? Assignments, then an if, then a loop, then a loop with an if inside.
#include <array>

#include "tasks/problems/problems.h"
#include "tasks/procedural_task.h"
#include "tasks/program.h"

namespace minke {
namespace {

constexpr int kHardestProgram = 4;

// Writes random lines over the variables a, b, c.
class Writer {
 public:
  explicit Writer(Draws& draws) : draws_(draws) {}

  std::string write(int difficulty) {
    line("a = {}", draws_.between(1, 9));
    line("b = {}", draws_.between(1, 9));
    if (difficulty == 1) {
      update(false);
      if (draws_.one_in(2)) update(false);
    } else if (difficulty == 2) {
      update(false);
      branch(false);
    } else {
      line("for i in range({}):", draws_.between(2, difficulty == 3 ? 4 : 3));
      ++depth_;
      if (difficulty == 3) {
        update(true);
        if (draws_.one_in(2)) update(true);
      } else {
        branch(true);
      }
      --depth_;
    }
    line("print({})", last_);
    return std::move(text_);
  }

 private:
  template <typename... Args>
  void line(const char* form, const Args&... args) {
    if (!text_.empty()) text_ += '\n';
    text_ += std::string(4 * static_cast<size_t>(depth_), ' ') + fmt::format(fmt::runtime(form), args...);
  }

  std::string variable() { return draws_.one_in(2) ? "a" : "b"; }

  // Inside a loop its counter may be read.
  std::string operand(bool has_counter) {
    if (has_counter && draws_.one_in(2)) return "i";
    return draws_.one_in(2) ? variable() : fmt::format("{}", draws_.between(2, 9));
  }

  // Changes a variable; it is the one to print unless another changes later.
  void update(bool has_counter) {
    static constexpr std::array<const char*, 6> kOperations = {"+", "+", "-", "*", "//", "%"};
    last_ = variable();
    const std::string operation = draws_.pick(kOperations);
    const std::string left = variable();
    // Division by a number only: variables and counters can be zero.
    const bool is_division = operation == "//" || operation == "%";
    const std::string right = is_division ? fmt::format("{}", draws_.between(2, 5)) : operand(has_counter);
    line("{} = {} {} {}", last_, left, operation, right);
  }

  void branch(bool has_counter) {
    if (has_counter && draws_.one_in(2)) {
      line("if i % 2 == 0:");
    } else if (draws_.one_in(3)) {
      const std::string left = variable();
      line("if {} % {} == 0:", left, draws_.between(2, 3));
    } else {
      const char* relation = draws_.one_in(2) ? "<" : ">";
      const std::string left = variable();
      line("if {} {} {}:", left, relation, draws_.between(3, 20));
    }
    ++depth_;
    update(has_counter);
    --depth_;
    if (draws_.one_in(3)) return;
    line("else:");
    ++depth_;
    update(has_counter);
    --depth_;
  }

  Draws& draws_;
  std::string text_;
  std::string last_;
  int depth_ = 0;
};

class ProgramOutput final : public ProceduralTask {
 public:
  std::string_view name() const override { return "program_output"; }
  int max_difficulty() const override { return kHardestProgram; }
  std::string describe(int difficulty) const override {
    static constexpr std::array<const char*, kHardestProgram> kParts = {"assignments", "assignments and an if", "a loop",
                                                                       "a loop with an if inside"};
    return kParts[static_cast<size_t>(difficulty - 1)];
  }

 protected:
  std::optional<Facts> draw(Draws& draws, int difficulty) const override {
    std::string text = Writer(draws).write(difficulty);
    if (!run_program(text, Tongue::kEnglish).is_small) return std::nullopt;
    return Facts{{"program", std::move(text)}};
  }

  Telling tell(const Facts& facts, Tongue tongue, Draws& draws) const override {
    static constexpr std::array<Words, 3> kWays = {{
        {"What does this Python program print?\n{0}\nReply as \"Answer: number\".",
         "이 파이썬 프로그램은 무엇을 출력하나요?\n{0}\n\"답: 수\"로 답하세요."},
        {"Run this Python program in your head and give its output.\n{0}\nReply as \"Answer: number\".",
         "이 파이썬 프로그램을 머릿속으로 실행해 출력을 구하세요.\n{0}\n\"답: 수\"로 답하세요."},
        {"{0}\nWhat is printed? Reply as \"Answer: number\".", "{0}\n무엇이 출력되나요? \"답: 수\"로 답하세요."},
    }};
    const std::string text = facts.at("program");
    ProgramRun run = run_program(text, tongue);
    const Words opening = {"Run it line by line.", "한 줄씩 실행한다."};
    return {.question = phrase(draws, tongue, kWays, text),
            .thought = fmt::format("{}\n{}", opening.in(tongue), run.trace),
            .result = std::move(run.output)};
  }
};

}  // namespace

const Task& program_output() {
  static const ProgramOutput task;
  return task;
}

}  // namespace minke
