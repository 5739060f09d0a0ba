#include "tasks/files/problem_file.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/support.h"
#include "tasks/files/file_grader.h"

namespace minke {
namespace {

using testing::value_of;

class ProblemFileTest : public ::testing::Test {
 protected:
  std::string write(const std::string& text, const std::string& name = "rows.jsonl") {
    std::string path = folder_.file(name);
    std::ofstream(path) << text;
    return path;
  }
  Problem read(const std::string& row) { return value_of(read_problem_file(write(row + "\n"))).problems.at(0); }

  testing::TemporaryDirectory folder_;
};

TEST_F(ProblemFileTest, KnowsTheFormsByTheirFields) {
  Problem plain = read(R"({"question":"2+2?","answer":4})");
  EXPECT_EQ(plain.task, "answer");
  EXPECT_EQ(plain.facts["answer"], "4");
  EXPECT_EQ(plain.id, "rows.jsonl:1");
  EXPECT_EQ(plain.question, "2+2?\n\nPut your final answer within \\boxed{}.");
  Problem korean = read(R"({"question":"2 더하기 2는?","answer":"4"})");
  EXPECT_EQ(korean.tongue, Tongue::kKorean);
  EXPECT_EQ(korean.question, "2 더하기 2는?\n\n마지막 답은 \\boxed{} 안에 쓰세요.");

  Problem gsm8k = read(R"({"question":"How many?","answer":"48/2 = <<48/2=24>>24 clips.\nSo 24.\n#### 1,024"})");
  EXPECT_EQ(gsm8k.facts["answer"], "1,024");
  EXPECT_EQ(gsm8k.thought, "48/2 = 24 clips.\nSo 24.");
  Problem amc = read(R"({"id":0,"problem":"Cities?","answer":27.0,"url":"u","question":"Cities?"})");
  EXPECT_EQ(amc.facts["answer"], "27");
  Problem math = read(R"({"problem":"P","solution":"so $\\boxed{\\frac{1}{2}}$.","answer":"\\frac{1}{2}"})");
  EXPECT_EQ(math.facts["answer"], "\\frac{1}{2}");
  EXPECT_EQ(read(R"({"problem":"P","solution":"so $\\boxed{\\frac{1}{2}}$."})").facts["answer"], "\\frac{1}{2}");
  EXPECT_EQ(read(R"({"problem":"P","solution":"so $\\boxed 5$."})").facts["answer"], "5");
  EXPECT_EQ(read(R"({"Body":"A has 2.","Question":"How many?","Answer":2.5})").facts["answer"], "2.5");

  Problem choice = read(R"({"question":"Which?","choices":["a cat","a dog"],"answer":1})");
  EXPECT_EQ(choice.task, "choice");
  EXPECT_EQ(choice.facts["answer"], "B");
  EXPECT_NE(choice.question.find("A. a cat\nB. a dog\n"), std::string::npos);
  Problem countdown = read(R"({"nums":[3,5],"target":8,"solution":"3 + 5"})");
  EXPECT_EQ(countdown.task, "countdown");
  EXPECT_EQ(countdown.facts["numbers"].dump(), "[3,5]");
  EXPECT_EQ(countdown.facts["target"], 8);
  EXPECT_EQ(read(R"({"text":"Write f.","code":"def f(): return 1","test_list":["assert f() == 1"]})").task, "program");
  EXPECT_EQ(read(R"({"task_id":"x","prompt":"def f():\n","entry_point":"f","test":"def check(c): pass"})").task, "program");
}

TEST_F(ProblemFileTest, RefusesWhatItDoesNotKnowByFileAndLine) {
  EXPECT_ERROR(read_problem_file(write("{\"question\":\"q\",\"answer\":1}\n\n{\"foo\":1,\"bar\":2}\n")),
               "rows.jsonl:3: no known form");
  EXPECT_ERROR(read_problem_file(write("{\"foo\":1,\"bar\":2}\n")), "fields foo, bar");
  EXPECT_ERROR(read_problem_file(write("{\"question\":\"q\",\"answer\":1}\n{\"question\":")), "rows.jsonl:2");
  EXPECT_ERROR(read_problem_file(write("[1]\n")), "rows.jsonl:1: no known form");
  EXPECT_ERROR(read_problem_file(write("{\"question\":\"q\",\"answer\":null}\n")), "no known form");
  EXPECT_ERROR(read_problem_file(write("{\"question\":\"q\",\"answer\":\"\"}\n")), "the answer is empty");
  EXPECT_ERROR(read_problem_file(write("{\"question\":\"q\",\"choices\":[\"a\",\"b\"],\"answer\":2}\n")),
               "of the 2 choices, got 2");
  EXPECT_ERROR(read_problem_file(write("{\"question\":\"q\",\"choices\":[\"a\"],\"answer\":0}\n")), "expected 2 to 26, got 1");
  EXPECT_ERROR(read_problem_file(write("{\"question\":\"q\",\"choices\":[[],\"a\"],\"answer\":0}\n")), "expected strings");
  EXPECT_ERROR(read_problem_file(write("{\"numbers\":[1.5],\"target\":3}\n")), "expected integers");
  EXPECT_ERROR(read_problem_file(write("{\"problem\":\"p\",\"solution\":\"no box\"}\n")), "expected an answer in \\boxed{}");
  EXPECT_ERROR(read_problem_file(write("{\"text\":\"p\",\"test_list\":[]}\n")), "at least one test");
  EXPECT_ERROR(read_problem_file(write("\n \n")), "holds no problems");
  EXPECT_ERROR(read_problem_file(write("x", "rows.jsonl.gz")), "gunzip");
  EXPECT_ERROR(read_problem_file(folder_.file("absent.jsonl")), "absent.jsonl");
}

TEST_F(ProblemFileTest, LeavesOutRowsThatSayTheyHaveNoSolution) {
  ProblemFile file =
      value_of(read_problem_file(write("{\"nums\":[1,2],\"target\":100,\"solvable\":false,\"solution\":null}\n{\"nums\":[1,2],"
                                       "\"target\":3,\"solvable\":true}\n")));
  EXPECT_EQ(file.n_unsolvable, 1);
  ASSERT_EQ(file.problems.size(), 1u);
  EXPECT_EQ(file.problems[0].id, "rows.jsonl:2");
}

TEST_F(ProblemFileTest, GradesAnswersAndChoices) {
  Problem gsm8k = read(R"({"question":"How many?","answer":"24\n#### 1,024"})");
  Problem choice = read(R"({"question":"Which?","choices":["4","a dog","4","8"],"answer":"B"})");
  FileGrader grader = value_of(FileGrader::open(std::vector{gsm8k, choice}));
  auto answer = [&](const char* content) { return value_of(grader.grade(gsm8k, content)); };
  EXPECT_EQ(answer("So \\boxed{1024}."), 1);
  EXPECT_EQ(answer("Answer: 1024 dollars"), 1);
  EXPECT_EQ(answer("\\boxed{1025}"), 0);
  EXPECT_EQ(answer("1024 or 1025"), 0);
  EXPECT_EQ(answer("1023 \\boxed{}"), 0);
  EXPECT_EQ(answer(""), 0);
  EXPECT_EQ(answer(gsm8k.question.c_str()), 0);
  EXPECT_EQ(answer(gsm8k.answer.c_str()), 1);
  auto chosen = [&](const char* content) { return value_of(grader.grade(choice, content)); };
  for (const char* right : {"\\boxed{B}", "B", "(B)", "B.", "Answer: b", "\\boxed{\\text{B}}", "**B**", "Answer: B. a dog",
                            "Answer: (B) a dog", "\\boxed{a dog}"}) {
    EXPECT_EQ(chosen(right), 1) << right;
  }
  for (const char* wrong :
       {"", "A", "\\boxed{C}", "B or C", "A, B, C, D", "ABCD", "B. 4", "A. 4\nB. a dog\nC. 4\nD. 8", "4", "Answer: D"}) {
    EXPECT_EQ(chosen(wrong), 0) << wrong;
  }
  EXPECT_EQ(chosen(choice.question.c_str()), 0);
  Problem same_words = read(R"({"question":"Which?","choices":["4","a dog","4","8"],"answer":"A"})");
  EXPECT_EQ(value_of(grader.grade(same_words, "4")), 0);
}

TEST_F(ProblemFileTest, CountdownIsGradedByItsTask) {
  Problem countdown = read(R"j({"numbers":[74,68,53,51],"target":38,"solution":"(74 + 68) - (53 + 51)"})j");
  FileGrader grader = value_of(FileGrader::open(std::span(&countdown, 1)));
  EXPECT_EQ(value_of(grader.grade(countdown, countdown.answer)), 1);
  EXPECT_EQ(value_of(grader.grade(countdown, "Answer: 38")), 0);
  EXPECT_EQ(value_of(grader.grade(countdown, countdown.question)), 0);
  EXPECT_EQ(value_of(grader.grade(countdown, "")), 0);
}

// Published files, when they are there: the reference is right, nothing is wrong, the question is wrong.
TEST_F(ProblemFileTest, PublishedFiles) {
  const char* artifacts = std::getenv("MINKE_ARTIFACTS");
  if (artifacts == nullptr)
    GTEST_SKIP() << "MINKE_ARTIFACTS is not set: GSM8K, MATH, AIME, AMC, SVAMP, MMLU files were not run";
  const std::pair<const char*, size_t> files[] = {{"gsm8k_test", 1319},
                                                  {"gsm8k_train", 7473},
                                                  {"math500", 500},
                                                  {"math_test5000", 5000},
                                                  {"aime24", 30},
                                                  {"amc23", 40},
                                                  {"svamp_test", 1000},
                                                  {"mmlu_stem_test", 3018},
                                                  {"humaneval", 164},
                                                  {"mbpp", 974},
                                                  {"mbpp_sanitized_test", 257},
                                                  {"countdown_selfmade", 600}};
  for (const auto& [name, n_rows] : files) {
    std::string text = testing::read_test_file(std::string(artifacts) + "/evals/" + name + ".jsonl.gz");
    ProblemFile file = value_of(read_problem_file(write(text)));
    EXPECT_EQ(file.problems.size(), n_rows) << name;
    if (file.problems[0].task == "program") continue;  // program_grader_test.cpp
    FileGrader grader = value_of(FileGrader::open(file.problems));
    size_t n_right = 0, n_echo = 0;
    for (const Problem& problem : file.problems) {
      const bool right = value_of(grader.grade(problem, problem.answer)) == 1;
      EXPECT_TRUE(right) << problem.id << " " << problem.answer;
      n_right += right;
      n_echo += value_of(grader.grade(problem, problem.question)) == 1;
      EXPECT_EQ(value_of(grader.grade(problem, "")), 0);
    }
    std::printf("%s: %zu problems, reference right %zu, echoed question right %zu\n", name, file.problems.size(), n_right,
                n_echo);
    EXPECT_EQ(n_echo, 0u) << name;
  }
}

}  // namespace
}  // namespace minke
