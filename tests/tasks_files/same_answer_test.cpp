#include "tasks/compare/same_answer.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>

#include "base/json.h"
#include "support/support.h"

namespace minke {
namespace {

using testing::read_test_lines;
using testing::value_of;

TEST(SameAnswer, TableOfPairs) {
  auto lines = read_test_lines(testing::repository_path("tests/tasks_files/answer_pairs.jsonl"));
  ASSERT_GE(lines.size(), 290u);
  for (const std::string& line : lines) {
    Json row = value_of(parse_json(line, "answer_pairs.jsonl"));
    const std::string expected = row["expected"], given = row["given"];
    EXPECT_EQ(same_answer(expected, given), row["same"].get<bool>()) << line;
    // Different values stay different whichever side they are on; but a calculation may stand on the expected side.
    if (!row["same"].get<bool>()) {
      EXPECT_EQ(same_answer(given, expected), row.contains("calculation")) << line;
    }
  }
}

// The reference answers of MATH-500: each is itself, and no two are the same but those whose value is.
TEST(SameAnswer, ReferenceAnswersOfMath500) {
  const char* artifacts = std::getenv("MINKE_ARTIFACTS");
  if (artifacts == nullptr) GTEST_SKIP() << "MINKE_ARTIFACTS is not set: the reference answers of MATH-500 were not run";
  std::vector<std::string> answers;
  for (const std::string& line : read_test_lines(std::string(artifacts) + "/evals/math500.jsonl.gz")) {
    answers.push_back(value_of(parse_json(line, "math500"))["answer"]);
  }
  ASSERT_EQ(answers.size(), 500u);
  std::sort(answers.begin(), answers.end());
  answers.erase(std::unique(answers.begin(), answers.end()), answers.end());
  size_t n_pairs = 0, n_same = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    EXPECT_TRUE(same_answer(answers[i], answers[i])) << answers[i];
    EXPECT_TRUE(same_answer(answers[i], "$" + answers[i] + "$.")) << answers[i];
    for (size_t j = 0; j < answers.size(); ++j) {
      if (i == j) continue;
      ++n_pairs;
      if (!same_answer(answers[i], answers[j])) continue;
      ++n_same;
      std::printf("  same: %s and %s\n", answers[i].c_str(), answers[j].c_str());
    }
  }
  std::printf("MATH-500: %zu different texts equal themselves; of %zu pairs of different texts %zu are the same\n",
              answers.size(), n_pairs, n_same);
}

// Any bytes give an answer, soon.
TEST(SameAnswer, AnyBytesEnd) {
  auto repeated = [](std::string_view text, size_t n) {
    std::string out;
    while (n-- > 0) out += text;
    return out;
  };
  std::vector<std::string> hostile = {repeated("(", 4000),
                                      repeated("{", 4000),
                                      repeated("\\frac{", 600),
                                      repeated("-", 4000),
                                      repeated("\\sqrt", 800),
                                      repeated("2^", 2000) + "2",
                                      repeated("9^", 100) + "9",
                                      "9^{9^{9^{9}}}",
                                      "(a+b+c+d+e+f)^{500}",
                                      repeated("(a+b)", 800),
                                      repeated("x!", 2000),
                                      "300!^{300}",
                                      repeated("1,", 2000) + "1",
                                      repeated("\\{", 500),
                                      repeated("(1,", 1300),
                                      repeated("\\text{", 600),
                                      "\\",
                                      "$",
                                      "{,}",
                                      "^",
                                      "_",
                                      "\\begin{pmatrix}",
                                      "\\begin{pmatrix}\\end{pmatrix}",
                                      "\\pm",
                                      "|",
                                      "||",
                                      repeated("|x", 1999),
                                      repeated("\\pm1", 1000),
                                      "1/0",
                                      "0^0",
                                      "0^{-1}",
                                      "x^{1/0}",
                                      "\\sqrt[0]{5}",
                                      "\\frac",
                                      "\\sqrt",
                                      "1e999",
                                      "1e-999",
                                      repeated("7", 4000),
                                      "\\sqrt{" + repeated("7", 1400) + "}",
                                      "x=" + repeated("(a+b+c)", 500),
                                      repeated("x=(a+b+c)^99,", 300),
                                      std::string("a\0b", 3),
                                      "\xff\xfe",
                                      repeated("\xed\xa0\x80", 100),
                                      repeated("sin ", 1000),
                                      repeated("\\sin^", 700),
                                      repeated("3 ", 2000),
                                      repeated("x \\in ", 600) + "y",
                                      repeated("=", 4000),
                                      repeated("<", 4000),
                                      repeated("a=b<", 900),
                                      repeated("1:", 2000),
                                      std::string(1 << 20, '(')};
  std::mt19937 random(7);
  constexpr std::string_view kPieces[] = {"\\frac",
                                          "{",
                                          "}",
                                          "(",
                                          ")",
                                          "[",
                                          "]",
                                          "1",
                                          "23",
                                          "x",
                                          "^",
                                          "_",
                                          "\\sqrt",
                                          ",",
                                          "+",
                                          "-",
                                          "/",
                                          "=",
                                          "\\pm",
                                          "\\text{",
                                          " or ",
                                          "%",
                                          "\\{",
                                          "\\}",
                                          "|",
                                          "!",
                                          "원",
                                          "\\pi",
                                          "\\infty",
                                          "<",
                                          "\\cup",
                                          "\\begin{pmatrix}",
                                          "\\end{pmatrix}",
                                          "&",
                                          "\\\\",
                                          ".",
                                          "e",
                                          "i",
                                          "sin"};
  for (int n = 0; n < 1000; ++n) {
    std::string text;
    for (size_t length = random() % 40; length > 0; --length) text += kPieces[random() % std::size(kPieces)];
    hostile.push_back(text);
    text.clear();
    for (size_t length = random() % 60; length > 0; --length) text += static_cast<char>(random());
    hostile.push_back(text);
  }
  for (size_t i = 0; i < hostile.size(); ++i) {
    EXPECT_FALSE(same_answer("12345678.25", hostile[i])) << hostile[i].substr(0, 100);
    same_answer(hostile[i], hostile[(i + 1) % hostile.size()]);
    EXPECT_FALSE(same_answer(hostile[i], "")) << i;
  }
}

}  // namespace
}  // namespace minke
