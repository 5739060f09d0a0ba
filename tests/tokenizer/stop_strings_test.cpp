#include "tokenizer/stop_strings.h"

#include "support/support.h"

namespace minke {
namespace {

// The text given out for a stream cut into pieces of n bytes.
std::string stream(const std::string& text, std::vector<std::string> stops, size_t n, bool* stopped = nullptr) {
  StopStrings matcher(std::move(stops));
  std::string out;
  for (size_t i = 0; i < text.size(); i += n) out += matcher.push(std::string_view(text).substr(i, n));
  out += matcher.flush();
  if (stopped != nullptr) *stopped = matcher.stopped();
  return out;
}

TEST(StopStrings, EverySplitGivesTheSameText) {
  for (size_t n = 1; n < 20; n++) {
    bool stopped = false;
    EXPECT_EQ(stream("하나 둘 셋 END four", {"END", "Enough"}, n, &stopped), "하나 둘 셋 ") << n;
    EXPECT_TRUE(stopped);
    EXPECT_EQ(stream("aaaab", {"aab"}, n), "aa") << n;
    EXPECT_EQ(stream("EN E ENE", {"END"}, n, &stopped), "EN E ENE") << n;
    EXPECT_FALSE(stopped);
    EXPECT_EQ(stream("xxabyy", {"by", "ab"}, n), "xx") << n;
  }
}

TEST(StopStrings, HoldsBackNoMoreThanAStart) {
  StopStrings matcher({"END"});
  EXPECT_EQ(matcher.push("text E"), "text ");
  EXPECT_EQ(matcher.push("x"), "Ex");
  EXPECT_EQ(matcher.push("EN"), "");
  EXPECT_EQ(matcher.push("D more"), "");
  EXPECT_TRUE(matcher.stopped());
  EXPECT_EQ(matcher.push("and more"), "");
}

TEST(StopStrings, NoneOrEmptyStopsPassEverything) {
  EXPECT_EQ(stream("abc", {}, 1), "abc");
  EXPECT_EQ(stream("abc", {""}, 1), "abc");
}

}  // namespace
}  // namespace minke
