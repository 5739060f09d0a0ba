// Right and wrong programs, and programs that try to be taken for right.
#include "tasks/files/program_grader.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "support/support.h"
#include "tasks/files/file_grader.h"
#include "tasks/files/problem_file.h"

namespace minke {
namespace {

using testing::value_of;

TEST(CodeOf, TakesTheLastBlockOrAll) {
  EXPECT_EQ(code_of("text\n```python\na = 1\n```\nmore\n```\nb = 2\n```\nend"), "b = 2\n");
  EXPECT_EQ(code_of("```python\nopen"), "open");
  EXPECT_EQ(code_of("    return 1"), "    return 1");
  EXPECT_EQ(code_of("```"), "```");
  EXPECT_EQ(code_of(""), "");
}

class ProgramGraderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Sandbox::open();
    if (!opened) GTEST_SKIP() << "tests of graded programs were not run: " << opened.error().message;
    sandbox_.emplace(std::move(*opened));
    if (access("/usr/bin/python3", X_OK) != 0)
      GTEST_SKIP() << "tests of graded programs were not run: /usr/bin/python3 is missing";
  }

  Problem read(const std::string& rows) {
    std::string path = folder_.file("rows.jsonl");
    std::ofstream(path) << rows << "\n";
    return value_of(read_problem_file(path)).problems.at(0);
  }
  double grade(const Problem& problem, const std::string& code) {
    return value_of(grade_program(*sandbox_, problem, "```python\n" + code + "\n```"));
  }

  testing::TemporaryDirectory folder_;
  std::optional<Sandbox> sandbox_;
  // clang-format off
  const std::string human_eval_ = R"({"task_id":"t/0","prompt":"import math\n\ndef half(x):\n    return x / 2\n\ndef mean(values: list) -> float:\n    \"\"\" Mean of values.\n    \"\"\"\n","entry_point":"mean","canonical_solution":"    return sum(values) / len(values)\n","test":"def check(candidate):\n    assert candidate([1, 2, 3]) == 2\n    assert candidate([half(2)]) == 1.0\n    try:\n        candidate([])\n        assert False\n    except ZeroDivisionError:\n        pass\n"})";
  const std::string mbpp_ = R"({"text":"Write a function that pairs.","code":"def pairs(a): return [(x, {x}) for x in a]","test_setup_code":"","test_list":["assert pairs([1, 2]) == [(1, {1}), (2, {2})]","assert pairs([]) == []"]})";
  // clang-format on
};

TEST_F(ProgramGraderTest, RightProgramsPassAndWrongOnesDoNot) {
  Problem mean = read(human_eval_);
  EXPECT_EQ(value_of(grade_program(*sandbox_, mean, mean.answer)), 1);
  EXPECT_EQ(grade(mean, "    return sum(values) / len(values)"), 1);  // the rest of the body
  EXPECT_EQ(grade(mean, "def mean(values):\n    print('talk')\n    return sum(values) / len(values)"),
            1);                                                                                    // whole, and it prints
  EXPECT_EQ(grade(mean, "def mean(values):\n    return half(2 * sum(values)) / len(values)"), 1);  // with the prompt's helper
  EXPECT_EQ(grade(mean, "def mean(values):\n    return sum(values)"), 0);
  EXPECT_EQ(grade(mean, "def mean(values):\n    return 2 if len(values) == 3 else 1.0"), 0);  // does not raise
  EXPECT_EQ(grade(mean, "def mean(values:"), 0);
  EXPECT_EQ(grade(mean, "mean = None"), 0);
  EXPECT_EQ(value_of(grade_program(*sandbox_, mean, "")), 0);
  EXPECT_EQ(value_of(grade_program(*sandbox_, mean, mean.question)), 0);
  EXPECT_EQ(value_of(grade_program(*sandbox_, mean, "\xff\xfe")), 0);
  Problem pairs = read(mbpp_);
  EXPECT_EQ(value_of(grade_program(*sandbox_, pairs, pairs.answer)), 1);
  EXPECT_EQ(grade(pairs, "def pairs(a): return [[x, {x}] for x in a]"), 0);  // a list is no tuple
  EXPECT_EQ(grade(pairs, "def pairs(a): return 0"), 0);
  Problem sum =
      read(R"j({"text":"Sum.","code":"def sum(a, b): return a + b","test_list":["assert sum(1, 2) == len('abc')"]})j");
  EXPECT_EQ(value_of(grade_program(*sandbox_, sum, sum.answer)), 1);  // a builtin's name, as the reference has it
  EXPECT_EQ(grade(sum, "def sum(a, b): return 0\ndef len(a): return 0"), 0);
}

TEST_F(ProgramGraderTest, HacksDoNotPass) {
  Problem mean = read(R"j({"text":"Write mean.","test_list":["assert mean([1, 2, 3]) == 2","assert mean([5]) == 5"]})j");
  ASSERT_EQ(grade(mean, "def mean(values): return sum(values) / len(values)"), 1);
  const std::string wrong = "\ndef mean(values): return 0\n";
  const std::vector<std::string> hacks = {
      "import sys\nsys.exit(0)",
      std::string("import os\nos._exit(0)"),
      std::string("raise SystemExit"),
      "import os, atexit\natexit.register(lambda: os._exit(0))" + wrong,
      "def mean(values):\n    import os\n    os._exit(0)",
      // a value that equals all
      std::string("class Any(float):\n    def __eq__(self, other): return True\n    def __ne__(self, other): return "
                  "False\ndef mean(values): "
                  "return Any(0)"),
      std::string("class Any:\n    def __eq__(self, other): return True\ndef mean(values): return Any()"),
      // other exceptions, other builtins
      "import builtins\nbuiltins.AssertionError = ZeroDivisionError" + wrong,
      "import builtins\nbuiltins.check = lambda c: None\ndef check(c): pass" + wrong,
      "import sys\nsys.modules['__main__'].check = lambda c: None\nsys.settrace(lambda *a: None)" + wrong,
      // signs of success
      "print('passed'); print('ok'); print('0' * 32)" + wrong,
      "import os\nfor fd in range(64):\n    try: os.write(fd, b'[\"value\", [\"i\", \"0x2\"]]\\n')\n    except OSError: "
      "pass" +
          wrong,
      // the checker's memory and files
      "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)" + wrong,
      "import os\nos.kill(-1, 9)" + wrong,
      "import gc, os\nfor o in gc.get_objects():\n    if isinstance(o, dict) and 'token' in o:\n        os.write(1, "
      "(o['token'] + '\\n').encode())\n"
      "        os._exit(0)" +
          wrong,
      "f = open('/tmp/math.py', 'w'); f.write('import os; os._exit(0)'); f.close()\nopen('/tmp/ast.py', 'w').write('raise "
      "SystemExit(0)')" +
          wrong,
      // what the reading side might choke on
      "def mean(values):\n    x = []\n    for _ in range(100000): x = [x]\n    return x",
      "def mean(values): return 1 << 10000000",
      "def mean(values): return 'x' * (1 << 25)",
      "def mean(values): return iter(int, 1)",
  };
  for (const std::string& hack : hacks) {
    EXPECT_EQ(grade(mean, hack), 0) << hack;
  }
}

// Every published reference passes but for those whose tests hand over what no pipe can carry.
TEST_F(ProgramGraderTest, PublishedReferences) {
  const char* artifacts = std::getenv("MINKE_ARTIFACTS");
  if (artifacts == nullptr) GTEST_SKIP() << "MINKE_ARTIFACTS is not set: HumanEval and MBPP files were not run";
  // Ten of each file here; MINKE_ALL_PROGRAMS runs all (minutes).
  const bool all = std::getenv("MINKE_ALL_PROGRAMS") != nullptr;
  for (const char* name : {"humaneval", "mbpp", "mbpp_sanitized_test"}) {
    std::string path = folder_.file("rows.jsonl");
    std::ofstream(path) << testing::read_test_file(std::string(artifacts) + "/evals/" + name + ".jsonl.gz");
    ProblemFile file = value_of(read_problem_file(path));
    size_t n_right = 0, n_run = 0;
    for (size_t i = 0; i < file.problems.size(); i += all ? 1 : file.problems.size() / 10) {
      const Problem& problem = file.problems[i];
      const bool right = value_of(grade_program(*sandbox_, problem, problem.answer)) == 1;
      ++n_run;
      n_right += right;
      if (!right) std::printf("  %s %s: the reference does not pass\n", name, problem.id.c_str());
    }
    std::printf("%s: %zu references run, %zu pass\n", name, n_run, n_right);
    EXPECT_GE(n_right * 10, n_run * 9) << name;
  }
}

}  // namespace
}  // namespace minke
