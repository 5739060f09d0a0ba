// The interpreter of program_output, and the graders of expression_synthesis and of the small number tasks on near misses.
#include "tasks/program.h"

#include <gtest/gtest.h>

#include "tasks/korean.h"
#include "tasks/problems/problems.h"

namespace minke {
namespace {

std::string output_of(std::string_view text) { return run_program(text, Tongue::kEnglish).output; }

TEST(Program, RunsLikePython) {
  EXPECT_EQ(output_of("a = 3\nb = a * 4\nprint(b)"), "12");
  EXPECT_EQ(output_of("a = 3\na = a - 8\nb = a // 2\nprint(b)"), "-3");  // rounded down
  EXPECT_EQ(output_of("a = 3\na = a - 8\nb = a % 3\nprint(b)"), "1");    // of the sign of the divisor
  EXPECT_EQ(output_of("a = 5\nif a > 4:\n    a = a + 1\nelse:\n    a = a - 1\nprint(a)"), "6");
  EXPECT_EQ(output_of("a = 4\nif a > 4:\n    a = a + 1\nelse:\n    a = a - 1\nprint(a)"), "3");
  EXPECT_EQ(output_of("a = 4\nif a < 4:\n    a = 9\nprint(a)"), "4");
  EXPECT_EQ(output_of("a = 1\nfor i in range(4):\n    a = a + i\nprint(a)"), "7");
  EXPECT_EQ(
      output_of("a = 1\nfor i in range(3):\n    if i % 2 == 0:\n        a = a * 3\n    else:\n        a = a + i\nprint(a)"),
      "12");
  EXPECT_FALSE(run_program("a = 999\na = a * 999\nprint(a)", Tongue::kEnglish).is_small);
}

TEST(Program, TracesEachLine) {
  EXPECT_EQ(run_program("a = 3\nfor i in range(2):\n    if a > 4:\n        a = a * 2\n    else:\n        a = a + i\nprint(a)",
                        Tongue::kKorean)
                .trace,
            "a: 3\ni: 0\nif: 3>4? 거짓\na: 3+0=3\ni: 1\nif: 3>4? 거짓\na: 3+1=4");
}

TEST(ExpressionSynthesis, TakesAnyFormAndNoTable) {
  Problem problem = expression_synthesis().make({ProblemSplit::kTrain, 1, 1, Tongue::kEnglish}, 0);
  problem.facts["shown"] = {{0, 1}, {1, 3}, {2, 5}, {3, 7}};
  problem.facts["hidden"] = {{4, 9}, {-5, -9}};
  for (const char* right :
       {"2*x+1", "x+x+1", "y = 1+x*2", "y=2*(x+1)-1", "-(-2*x-1)", "(4*x+2)/2", "Answer: 2*x+1", "답: 2*x+1"}) {
    EXPECT_EQ(expression_synthesis().grade(problem, right), 1) << right;
  }
  for (const char* hack :
       {"", "1", "7", "x", "y", "y=", "y==2*x+1", "x=0 y=1, x=1 y=3, x=2 y=5, x=3 y=7", "1, 3, 5, 7", "2x+1", "2*x+2",
        "2*x+1+x*(x-1)*(x-2)*(x-3)", "2*x+1 or x", "2*X+1", "f(x)", "2*x+1/(x-4)*0", "2**x", "z=2*x+1"}) {
    EXPECT_EQ(expression_synthesis().grade(problem, hack), 0) << hack;
  }
}

TEST(Fractions, WantsReducedOnes) {
  Problem problem = fractions().make({ProblemSplit::kTrain, 1, 1, Tongue::kEnglish}, 0);
  problem.facts["result"] = "3/4";
  EXPECT_EQ(fractions().grade(problem, "Answer: 3/4."), 1);
  for (const char* wrong : {"6/8", "0.75", "1/4+2/4", "3 / 4", "-3/4", "3/4/1", "03/4"})
    EXPECT_EQ(fractions().grade(problem, wrong), 0) << wrong;
}

TEST(NumberSense, TakesListsWithAnyBlanks) {
  Problem problem = number_sense().make({ProblemSplit::kTrain, 1, 1, Tongue::kEnglish}, 0);
  problem.facts["result"] = "1, 12, 30";
  for (const char* right : {"1, 12, 30", "1,12,30", "1 , 12 , 30."})
    EXPECT_EQ(number_sense().grade(problem, right), 1) << right;
  for (const char* wrong : {"1 12 30", "30, 12, 1", "1, 12", "1, 12, 30, 30", "1, 1 2, 30", "1,,12,30"}) {
    EXPECT_EQ(number_sense().grade(problem, wrong), 0) << wrong;
  }
  problem.facts["result"] = "yes";
  EXPECT_EQ(number_sense().grade(problem, "Yes."), 1);
  EXPECT_EQ(number_sense().grade(problem, "yes, no"), 0);
}

TEST(Korean, ParticlesFollowTheSoundOfTheWord) {
  EXPECT_EQ(with_particle("민수", Particle::kTopic), "민수는");
  EXPECT_EQ(with_particle("서준", Particle::kTopic), "서준은");
  EXPECT_EQ(with_particle("지영", Particle::kSubject), "지영이");
  EXPECT_EQ(with_particle("하나", Particle::kAnd), "하나와");
  EXPECT_EQ(with_particle("로봇", Particle::kIs), "로봇이다");
  EXPECT_EQ(with_particle("의사", Particle::kIs), "의사다");
  EXPECT_EQ(with_particle("교실", Particle::kBy), "교실로");  // ㄹ
  EXPECT_EQ(with_particle("집", Particle::kBy), "집으로");
  const char* objects[] = {"0을", "1을", "2를", "3을", "4를", "5를", "6을", "7을", "8을", "9를"};
  const char* means[] = {"0으로", "1로", "2로", "3으로", "4로", "5로", "6으로", "7로", "8로", "9로"};
  for (int digit = 0; digit < 10; ++digit) {
    EXPECT_EQ(with_particle(std::to_string(digit), Particle::kObject), objects[digit]);
    EXPECT_EQ(with_particle(std::to_string(digit), Particle::kBy), means[digit]);
  }
  EXPECT_EQ(with_particle("x", Particle::kObject), "x를");
  EXPECT_EQ(with_particle("", Particle::kObject), "를");
}

}  // namespace
}  // namespace minke
