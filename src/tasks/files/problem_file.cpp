#include "tasks/files/problem_file.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/file.h"
#include "base/json.h"

namespace minke {
namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 30;
constexpr size_t kMaxChoices = 26;

bool is_text(const Json& row, const char* key) { return row.contains(key) && row[key].is_string(); }
bool is_list(const Json& row, const char* key) { return row.contains(key) && row[key].is_array(); }
bool is_value(const Json& row, const char* key) { return row.contains(key) && (row[key].is_string() || row[key].is_number()); }

// 27.0 is written 27.
std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (std::trunc(number) == number && std::abs(number) < 1e15) return std::to_string(static_cast<int64_t>(number));
  }
  return value.dump();
}

Result<std::vector<std::string>> texts_of(const Json& list, std::string_view key) {
  std::vector<std::string> out;
  for (const Json& item : list) {
    if (!item.is_string() && !item.is_number()) return error("{}: expected strings, got {}", key, item.type_name());
    out.push_back(text_of(item));
  }
  return out;
}

bool has_hangul(std::string_view text) {
  // U+AC00 to U+D7A3 begin with the bytes EA to ED.
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0xea && c <= 0xed; });
}

void ask_for_box(Problem& problem, std::string_view question) {
  problem.tongue = has_hangul(question) ? Tongue::kKorean : Tongue::kEnglish;
  problem.question = fmt::format(
      "{}\n\n{}", question,
      problem.tongue == Tongue::kKorean ? "마지막 답은 \\boxed{} 안에 쓰세요." : "Put your final answer within \\boxed{}.");
}

Result<Problem> with_answer(std::string_view question, std::string answer, std::string thought = {}) {
  if (answer.empty()) return error("the answer is empty");
  Problem problem;
  problem.task = "answer";
  ask_for_box(problem, question);
  problem.thought = std::move(thought);
  problem.answer = "\\boxed{" + answer + "}";
  problem.facts = {{"answer", std::move(answer)}};
  return problem;
}

bool is_program(const Json& row) { return is_text(row, "prompt") && is_text(row, "entry_point") && is_text(row, "test"); }

Result<Problem> read_human_eval(const Json& row) {
  const std::string prompt = row["prompt"], entry = row["entry_point"];
  Problem problem;
  problem.task = "program";
  problem.question = fmt::format(
      "Complete this Python function. Reply with the whole function, imports included, in one ```python "
      "block.\n\n```python\n{}```",
      prompt);
  if (is_text(row, "canonical_solution")) {
    problem.answer = fmt::format("```python\n{}{}```", prompt, row["canonical_solution"].get<std::string>());
  }
  problem.facts = {{"prompt", prompt},
                   {"entry_point", entry},
                   {"functions", {entry}},
                   {"setup", prompt},
                   {"tests", fmt::format("{}\ncheck({})\n", row["test"].get<std::string>(), entry)}};
  return problem;
}

// Functions that Python code defines at its outermost level.
std::vector<std::string> defined_functions(std::string_view code) {
  constexpr std::string_view kDef = "def ";
  std::vector<std::string> out;
  for (size_t at = code.find(kDef); at != std::string_view::npos; at = code.find(kDef, at + 1)) {
    if (at != 0 && code[at - 1] != '\n') continue;
    const std::string_view rest = code.substr(at + kDef.size());
    out.emplace_back(rest.substr(0, std::min(rest.find_first_of(" (:\n"), rest.size())));
  }
  return out;
}

bool is_mbpp(const Json& row) { return (is_text(row, "text") || is_text(row, "prompt")) && is_list(row, "test_list"); }

Result<Problem> read_mbpp(const Json& row) {
  auto tests = TRY(texts_of(row["test_list"], "test_list"));
  if (tests.empty()) return error("test_list: expected at least one test");
  std::string setup = is_text(row, "test_setup_code") ? row["test_setup_code"].get<std::string>() : "";
  if (is_list(row, "test_imports")) {
    for (const std::string& line : TRY(texts_of(row["test_imports"], "test_imports"))) setup += "\n" + line;
  }
  Problem problem;
  problem.task = "program";
  // One test shows the name and the arguments; the others stay unseen, so that their results cannot be copied.
  problem.question = fmt::format("{}\n\nReply with Python code in one ```python block. It must pass tests like this one:\n\n{}",
                                 row[is_text(row, "text") ? "text" : "prompt"].get<std::string>(), tests[0]);
  const std::string code = is_text(row, "code") ? row["code"].get<std::string>() : "";
  if (!code.empty()) problem.answer = fmt::format("```python\n{}\n```", code);
  problem.facts = {{"prompt", ""},
                   {"entry_point", ""},
                   {"functions", defined_functions(code)},
                   {"setup", setup},
                   {"tests", fmt::format("{}", fmt::join(tests, "\n"))}};
  return problem;
}

bool is_choice(const Json& row) { return is_text(row, "question") && is_list(row, "choices") && row.contains("answer"); }

Result<Problem> read_choice(const Json& row) {
  auto choices = TRY(texts_of(row["choices"], "choices"));
  if (choices.size() < 2 || choices.size() > kMaxChoices) {
    return error("choices: expected 2 to {}, got {}", kMaxChoices, choices.size());
  }
  const Json& answer = row["answer"];
  int64_t right = -1;
  if (answer.is_number_integer()) right = answer.get<int64_t>();
  if (answer.is_string() && answer.get<std::string>().size() == 1) right = answer.get<std::string>()[0] - 'A';
  if (right < 0 || right >= static_cast<int64_t>(choices.size())) {
    return error("answer: expected a letter or an index (from 0) of the {} choices, got {}", choices.size(), answer.dump());
  }
  const std::string letter(1, static_cast<char>('A' + right));
  std::string question = row["question"].get<std::string>() + "\n";
  for (size_t i = 0; i < choices.size(); ++i) question += fmt::format("\n{}. {}", static_cast<char>('A' + i), choices[i]);
  Problem problem;
  problem.task = "choice";
  ask_for_box(problem, question);
  problem.question += problem.tongue == Tongue::kKorean ? " 답은 보기의 글자입니다." : " The answer is the letter of a choice.";
  problem.answer = "\\boxed{" + letter + "}";
  problem.facts = {{"answer", letter}, {"choices", choices}};
  return problem;
}

bool is_gsm8k(const Json& row) {
  return is_text(row, "question") && is_text(row, "answer") &&
         row["answer"].get_ref<const std::string&>().find("####") != std::string::npos;
}

Result<Problem> read_gsm8k(const Json& row) {
  const std::string& text = row["answer"].get_ref<const std::string&>();
  const size_t mark = text.rfind("####");
  std::string thought;
  for (size_t at = 0; at < mark;) {
    // <<48/2=24>> are notes for a calculator
    const size_t open = std::min(text.find("<<", at), mark), close = text.find(">>", open);
    thought += text.substr(at, open - at);
    at = close == std::string::npos ? mark : close + 2;
  }
  return with_answer(row["question"].get<std::string>(), std::string(final_answer(text.substr(mark + 4))),
                     std::string(final_answer(thought)));
}

bool is_svamp(const Json& row) { return is_text(row, "Body") && is_text(row, "Question") && is_value(row, "Answer"); }

Result<Problem> read_svamp(const Json& row) {
  return with_answer(row["Body"].get<std::string>() + " " + row["Question"].get<std::string>(), text_of(row["Answer"]));
}

bool is_math(const Json& row) { return is_text(row, "problem") && (is_value(row, "answer") || is_text(row, "solution")); }

Result<Problem> read_math(const Json& row) {
  std::string solution = is_text(row, "solution") ? row["solution"].get<std::string>() : "";
  std::string answer;
  if (is_value(row, "answer")) {
    answer = text_of(row["answer"]);
  } else if (solution.find("\\boxed") != std::string::npos) {
    // "\boxed 5" is TeX for \boxed{5}
    const size_t box = solution.rfind("\\boxed");
    answer = solution.substr(box).starts_with("\\boxed{")
                 ? std::string(final_answer(solution.substr(box)))
                 : solution.substr(box + 7, solution.find_first_of("$ .", box + 7) - box - 7);
  }
  if (answer.empty()) return error("solution: expected an answer in \\boxed{{}}, found none");
  return with_answer(row["problem"].get<std::string>(), std::move(answer), std::move(solution));
}

const Json* countdown_numbers(const Json& row) {
  for (const char* key : {"numbers", "nums"}) {
    if (is_list(row, key)) return &row[key];
  }
  return nullptr;
}

bool is_countdown(const Json& row) { return countdown_numbers(row) != nullptr && row.contains("target"); }

Result<Problem> read_countdown(const Json& row) {
  const Json& numbers = *countdown_numbers(row);
  const bool whole = std::all_of(numbers.begin(), numbers.end(), [](const Json& item) { return item.is_number_integer(); });
  if (numbers.empty() || !whole || !row["target"].is_number_integer()) return error("numbers, target: expected integers");
  Problem problem;
  problem.task = "countdown";
  problem.facts["numbers"] = numbers.get<std::vector<int64_t>>();
  problem.facts["target"] = row["target"].get<int64_t>();
  problem.question = fmt::format(
      "Using the numbers {}, each at most once, and + - * / with parentheses, write an expression that equals {}. End with "
      "\"Answer: "
      "\" and the expression.",
      fmt::join(problem.facts["numbers"].get<std::vector<int64_t>>(), ", "), row["target"].get<int64_t>());
  if (is_text(row, "solution")) problem.answer = "Answer: " + row["solution"].get<std::string>();
  return problem;
}

bool is_plain(const Json& row) { return is_text(row, "question") && is_value(row, "answer"); }

Result<Problem> read_plain(const Json& row) { return with_answer(row["question"].get<std::string>(), text_of(row["answer"])); }

struct Form {
  bool (*matches)(const Json& row);
  Result<Problem> (*read)(const Json& row);
};

// The first that matches.
constexpr std::array kFileForms = {Form{is_program, read_human_eval},  Form{is_mbpp, read_mbpp},   Form{is_choice, read_choice},
                               Form{is_gsm8k, read_gsm8k},         Form{is_svamp, read_svamp}, Form{is_math, read_math},
                               Form{is_countdown, read_countdown}, Form{is_plain, read_plain}};

Result<Problem> read_row(const Json& row) {
  auto form = std::find_if(kFileForms.begin(), kFileForms.end(), [&](const Form& one) { return one.matches(row); });
  if (form != kFileForms.end()) return form->read(row);
  std::vector<std::string> keys;
  if (row.is_object()) {
    for (const auto& [key, value] : row.items()) keys.push_back(key);
  }
  return error(
      "no known form of problem has the fields {}; known are question+answer, problem+answer, question+choices+answer, "
      "numbers+target, prompt+entry_point+test, text+test_list, Body+Question+Answer",
      keys.empty() ? row.type_name() : fmt::format("{}", fmt::join(keys, ", ")));
}

}  // namespace

Result<ProblemFile> read_problem_file(const std::string& path) {
  if (path.ends_with(".gz")) return error("{}: compressed files are not read; run gunzip on it first", path);
  const std::string text = TRY(read_file(path, kMaxFileBytes));
  const std::string name = std::filesystem::path(path).filename().string();
  ProblemFile out;
  int64_t n_lines = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++n_lines;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = fmt::format("{}:{}", path, n_lines);
    const Json row = TRY(parse_json(line, where));
    if (row.is_object() && row.contains("solvable") && row["solvable"] == false) {
      ++out.n_unsolvable;
      continue;
    }
    Problem problem = TRY_IN(where, read_row(row));
    problem.id = fmt::format("{}:{}", name, n_lines);
    out.problems.push_back(std::move(problem));
  }
  if (out.problems.empty()) return error("{}: holds no problems", path);
  return out;
}

}  // namespace minke
