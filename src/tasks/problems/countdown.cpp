// Countdown: reach the target from the given numbers, each used at most once.
#include <algorithm>
#include <array>
#include <charconv>

#include "tasks/compare/clean.h"
#include "tasks/expression.h"
#include "tasks/korean.h"
#include "tasks/problems/countdown_search.h"
#include "tasks/problems/problems.h"
#include "tasks/procedural_task.h"
#include "tasks/recognise.h"

namespace minke {
namespace {

constexpr int kHardestCountdown = 4;
constexpr int64_t kLargestNumber = 25, kLargestTarget = 100;
constexpr int64_t kLargestGivenNumber = 1'000'000;  // of a file; so that no product of the search overflows
constexpr size_t kMaxGivenNumbers = 8;
constexpr int64_t kFalseStartsOneIn = 3;
constexpr size_t kMaxAnswerBytes = 1024, kMaxQuestionBytes = 512;

constexpr std::array<Words, 4> kQuestions = {{
    {"Use {0} to make {2}. Each number at most once, with + - * / and parentheses. Reply as \"Answer: expression\".",
     "{1} {3} 만드세요. 각 수는 한 번까지만 쓰고 + - * / 와 괄호를 쓸 수 있습니다. \"답: 식\"으로 답하세요."},
    {"Numbers: {0}. Target: {2}. Each number at most once, with + - * / and parentheses. Reply as \"Answer: expression\".",
     "주어진 수: {0}. 목표: {2}. 각 수는 한 번까지만 쓰고 + - * / 와 괄호를 쓸 수 있습니다. \"답: 식\"으로 답하세요."},
    {"Write an expression worth {2} with {0}, each used at most once (+ - * / and parentheses). Reply as \"Answer: "
     "expression\".",
     "{0} 가운데 각 수를 한 번까지만 써서 값이 {2}인 식을 쓰세요(+ - * / 와 괄호). \"답: 식\"으로 답하세요."},
    {"How do you get {2} from {0}? Each number at most once, + - * / and parentheses. Reply as \"Answer: expression\".",
     "{1} 어떻게 {3} 만들 수 있나요? 각 수는 한 번까지만 쓰고 + - * / 와 괄호를 씁니다. \"답: 식\"으로 답하세요."},
}};

std::string question_of(const std::vector<int64_t>& numbers, int64_t target, const char* way) {
  const std::string list = fmt::format("{}", fmt::join(numbers, ", ")), goal = fmt::format("{}", target);
  return fmt::format(fmt::runtime(way), list, with_particle(list, Particle::kBy), goal, with_particle(goal, Particle::kObject));
}

std::string question_of(const std::vector<int64_t>& numbers, int64_t target, Tongue tongue, Draws& draws) {
  return question_of(numbers, target, draws.pick(std::span<const Words>(kQuestions)).in(tongue));
}

// The numbers that are written in a text, none when one is too large or there are too many.
std::vector<int64_t> numbers_in(std::string_view text) {
  std::vector<int64_t> out;
  for (size_t i = 0; i < text.size();) {
    int64_t number = 0;
    const auto [end, failed] = std::from_chars(text.data() + i, text.data() + text.size(), number);
    if (failed != std::errc() || number < 1) {
      i++;
      continue;
    }
    out.push_back(number);
    i = static_cast<size_t>(end - text.data());
    if (number > kLargestGivenNumber || out.size() > kMaxGivenNumbers + 1) return {};
  }
  return out;
}

std::string thought_of(const std::string& trace, Tongue tongue) {
  const Words opening = {"Compare what two make with what is needed.", "두 수로 만든 값과 필요한 값을 견준다."};
  return fmt::format("{}\n{}", opening.in(tongue), trace);
}

// Each number of the expression is one of the given ones that no other has taken.
bool uses_at_most_once(const Expression& expression, std::vector<int64_t> numbers) {
  for (int64_t used : expression.integers()) {
    const auto found = std::find(numbers.begin(), numbers.end(), used);
    if (found == numbers.end()) return false;
    numbers.erase(found);
  }
  return true;
}

class Countdown final : public ProceduralTask {
 public:
  std::string_view name() const override { return "countdown"; }
  int max_difficulty() const override { return kHardestCountdown; }
  std::string describe(int difficulty) const override {
    return fmt::format("{} numbers up to {}, targets up to {}", difficulty + 1, kLargestNumber, kLargestTarget);
  }

  // "EXPRESSION" or "EXPRESSION = target", in plain signs, Unicode's or LaTeX's.
  double grade(const Problem& problem, std::string_view content) const override {
    const int64_t target = problem.facts.at("target");
    const std::string_view answer = final_answer(content);
    if (answer.size() > kMaxAnswerBytes) return 0;
    const std::optional<std::string> cleaned = compare::clean(answer);
    if (!cleaned) return 0;
    std::string_view text = compare::trimmed(*cleaned);
    if (const size_t equals = text.find('='); equals != std::string_view::npos) {
      std::string_view right = text.substr(equals + 1);
      right.remove_prefix(std::min(right.find_first_not_of(' '), right.size()));
      if (right != fmt::format("{}", target)) return 0;
      text = text.substr(0, equals);
    }
    const std::optional<Expression> expression = Expression::parse(text, {});
    if (!expression || !uses_at_most_once(*expression, problem.facts.at("numbers"))) return 0;
    return expression->value() == Rational{target, 1} ? 1 : 0;
  }

 protected:
  // Joins the numbers in random steps until one value is left: that is the target.
  std::optional<Facts> draw(Draws& draws, int difficulty) const override {
    std::vector<int64_t> numbers;
    for (int i = 0; i <= difficulty; ++i) numbers.push_back(draws.between(1, kLargestNumber));
    std::vector<int64_t> values = numbers;
    while (values.size() > 1) {
      draws.shuffle(values);
      const int64_t b = values.back();
      values.pop_back();
      const auto steps = countdown_steps(std::max(values.back(), b), std::min(values.back(), b));
      if (steps.empty()) return std::nullopt;
      values.back() = draws.pick(steps).value;
    }
    const int64_t target = values.front();
    const bool is_given = std::find(numbers.begin(), numbers.end(), target) != numbers.end();
    if (target > kLargestTarget || is_given) return std::nullopt;
    return Facts{{"numbers", numbers}, {"target", target}};
  }

  std::string canonical(const Facts& facts) const override {
    std::vector<int64_t> numbers = facts.at("numbers");
    std::sort(numbers.begin(), numbers.end());
    return fmt::format("{}={}", fmt::join(numbers, ","), facts.at("target").get<int64_t>());
  }

  Telling tell(const Facts& facts, Tongue tongue, Draws& draws) const override {
    const std::vector<int64_t> numbers = facts.at("numbers");
    const int64_t target = facts.at("target");
    std::string question = question_of(numbers, target, tongue, draws);
    CountdownSearch found = search_countdown(numbers, target, draws.one_in(kFalseStartsOneIn) ? 1 : 0);
    CHECK(found.expression.has_value(), "{} has no solution", canonical(facts));
    return {
        .question = std::move(question), .thought = thought_of(found.trace, tongue), .result = std::move(*found.expression)};
  }
};

}  // namespace

const Task& countdown() {
  static const Countdown task;
  return task;
}

std::optional<Problem> recognise_countdown(std::string_view question) {
  if (question.size() > kMaxQuestionBytes) return std::nullopt;
  std::string text(compare::trimmed(question));
  std::replace(text.begin(), text.end(), '\'', '"');  // which shells are kinder to
  const std::vector<int64_t> written = numbers_in(text);
  if (written.size() < 3) return std::nullopt;
  // Whoever asks in our words names the target first or last.
  for (const bool is_first : {true, false}) {
    const int64_t target = is_first ? written.front() : written.back();
    const std::vector<int64_t> numbers(written.begin() + (is_first ? 1 : 0), written.end() - (is_first ? 0 : 1));
    for (const Words& way : kQuestions) {
      for (const Tongue tongue : {Tongue::kEnglish, Tongue::kKorean}) {
        if (question_of(numbers, target, way.in(tongue)) != text) continue;
        Problem problem;
        problem.task = "countdown";
        problem.tongue = tongue;
        problem.question = std::move(text);
        problem.facts = {{"numbers", numbers}, {"target", target}};
        return problem;
      }
    }
  }
  return std::nullopt;
}

Result<Problem> countdown_problem(std::string id, const std::vector<int64_t>& numbers, int64_t target, Tongue tongue) {
  if (numbers.size() < 2 || numbers.size() > kMaxGivenNumbers) {
    return error("{}: numbers: expected 2..{}, got {}", id, kMaxGivenNumbers, numbers.size());
  }
  for (int64_t number : numbers) {
    if (number < 1 || number > kLargestGivenNumber) {
      return error("{}: numbers: expected values of 1..{}, got {}", id, kLargestGivenNumber, number);
    }
  }
  if (target < 1 || target > kLargestGivenNumber) {
    return error("{}: target: expected 1..{}, got {}", id, kLargestGivenNumber, target);
  }
  Draws draws(hash_text(id));
  Problem problem;
  problem.id = std::move(id);
  problem.task = "countdown";
  problem.tongue = tongue;
  problem.question = question_of(numbers, target, tongue, draws);
  problem.facts = {{"numbers", numbers}, {"target", target}};
  return problem;
}

}  // namespace minke
