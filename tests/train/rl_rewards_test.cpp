#include <gtest/gtest.h>

#include "support/support.h"
#include "train/rl/rewards.h"

namespace minke::testing {
namespace {

TEST(Format, IsOneClosedThoughtAndAnAnswer) {
  EXPECT_TRUE(is_well_formed("<think>2 and 2</think>4"));
  EXPECT_TRUE(is_well_formed("\n<think>\n2 and 2\n</think>\n\n4\n"));
  for (const char* text : {"", "4", "<think>", "</think>", "<think>2 and 2", "2 and 2</think>4", "</think>2 and 2<think>4",
                           "<think></think>4", "<think> \n</think>4", "<think>2 and 2</think>", "<think>2 and 2</think> \n",
                           "So: <think>2 and 2</think>4", "<think>2<think>and 2</think>4", "<think>2</think>4</think>4",
                           "<think>2</think>4<think>2</think>4", "<Think>2 and 2</Think>4"}) {
    EXPECT_FALSE(is_well_formed(text)) << text;
  }
}

TEST(Format, SplitsThoughtAndAnswer) {
  const ThoughtAndAnswer parts = split_thought("<think>\n1 + 1\n</think>\n\n 2 \n");
  EXPECT_EQ(parts.thought, "1 + 1");
  EXPECT_EQ(parts.answer, "2");
  for (const char* text : {"", "2", "<think>1 + 1", "1 + 1</think>2"}) {
    EXPECT_EQ(split_thought(text).thought, "") << text;
    EXPECT_EQ(split_thought(text).answer, "") << text;
  }
}

TEST(Language, IsTheShareOfWordsInItsScript) {
  EXPECT_EQ(language_consistency("First we add, then we stop.", Script::kLatin), 1.0);
  EXPECT_EQ(language_consistency("First we add, then we stop.", Script::kHangul), 0.0);
  EXPECT_EQ(language_consistency("먼저 더한 다음 멈춘다.", Script::kHangul), 1.0);
  EXPECT_EQ(language_consistency("먼저 add 다음 stop", Script::kHangul), 0.5);
  EXPECT_EQ(language_consistency("먼저 add 다음 stop", Script::kLatin), 0.5);
  EXPECT_EQ(language_consistency("수", Script::kHangul), 1.0);                // one syllable is a word
  EXPECT_EQ(language_consistency("x는 3, y는 5이다", Script::kHangul), 1.0);  // names of unknowns are not words
  EXPECT_EQ(language_consistency("sum은 3", Script::kHangul), 0.5);
  EXPECT_EQ(language_consistency("π x 3", Script::kLatin), 0.0);  // no word at all
  EXPECT_EQ(language_consistency("", Script::kLatin), 0.0);
  EXPECT_EQ(language_consistency("12 + 34 = 46", Script::kHangul), 0.0);
}

TEST(Language, CountsOtherScriptsAsForeign) {
  EXPECT_EQ(language_consistency("we add 相加", Script::kLatin), 0.5);  // two ideographs are two words
  EXPECT_EQ(language_consistency("we かな", Script::kLatin), 1.0 / 3);
  EXPECT_EQ(language_consistency("we сложим", Script::kLatin), 0.5);
  EXPECT_EQ(language_consistency("café naïve", Script::kLatin), 1.0);
  EXPECT_EQ(language_consistency("cafe\u0301 we", Script::kLatin), 1.0);           // a combining accent
  EXPECT_EQ(language_consistency("\u1112\u1161\u11ab 말", Script::kHangul), 1.0);  // decomposed syllables
  EXPECT_EQ(language_consistency("good \xff\xfe bytes", Script::kLatin), 1.0);     // broken UTF-8 is no letter
}

// DAPO's equation 13 with L_max 20, L_cache 5.
TEST(Length, IsPunishedSoftlyThenWhole) {
  EXPECT_EQ(length_penalty(0, 20, 5), 0.0);
  EXPECT_EQ(length_penalty(15, 20, 5), 0.0);
  EXPECT_EQ(length_penalty(16, 20, 5), -0.2);
  EXPECT_EQ(length_penalty(18, 20, 5), -0.6);
  EXPECT_EQ(length_penalty(20, 20, 5), -1.0);
  EXPECT_EQ(length_penalty(21, 20, 5), -1.0);
  EXPECT_EQ(length_penalty(20, 20, 0), 0.0);
  EXPECT_EQ(length_penalty(21, 20, 0), -1.0);
}

TEST(Rewards, AreTheWeightedSumOfTheListedParts) {
  RewardOptions options;
  options.parts = {
      {RewardKind::kLength, 0.5}, {RewardKind::kAccuracy, 1}, {RewardKind::kLanguage, 0.25}, {RewardKind::kFormat, 2}};
  options.max_length = 20;
  options.length_margin = 5;
  const Judged rollout = {1.0, "<think>먼저 add</think>4", Script::kHangul, 18};
  const std::vector<double> values = reward_parts(rollout, options);
  EXPECT_EQ(values, (std::vector<double>{-0.6, 1, 0.5, 1}));
  EXPECT_DOUBLE_EQ(total_reward(values, options), -0.3 + 1 + 0.125 + 2);
  EXPECT_TRUE(reward_parts(rollout, {}).empty());
  EXPECT_EQ(total_reward({}, {}), 0.0);
}

TEST(Rewards, AreFoundByName) {
  for (RewardKind kind : {RewardKind::kAccuracy, RewardKind::kFormat, RewardKind::kLanguage, RewardKind::kLength}) {
    EXPECT_EQ(value_of(find_reward_kind(reward_name(kind))), kind);
  }
  EXPECT_ERROR(find_reward_kind("beauty"), "unknown reward \"beauty\"; known: accuracy, format, language, length");
}

}  // namespace
}  // namespace minke::testing
