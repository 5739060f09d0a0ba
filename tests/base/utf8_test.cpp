#include "base/utf8.h"

#include "support/support.h"

namespace minke {
namespace {

TEST(Utf8, LossyReplacesMaximalSubparts) {
  // The examples of the Unicode standard, section 3.9, tables 3-8 to 3-11.
  EXPECT_EQ(utf8_lossy("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA");
  EXPECT_EQ(utf8_lossy("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA");
  EXPECT_EQ(utf8_lossy("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), "\uFFFD\uFFFD\uFFFD\uFFFDA");
}

TEST(Utf8, IncompleteSuffixOfEveryCutOfKoreanAndEmoji) {
  std::string text = "가a\u00e9\U0001F468\u200D\U0001F469";
  for (size_t cut = 0; cut <= text.size(); cut++) {
    std::string head = text.substr(0, cut);
    size_t held = utf8_incomplete_suffix(head);
    EXPECT_TRUE(utf8_valid(head.substr(0, head.size() - held))) << cut;
  }
  EXPECT_EQ(utf8_incomplete_suffix("\xff"), 0u);
  EXPECT_EQ(utf8_incomplete_suffix("\xE0\x80"), 0u);  // can never become valid
}

}  // namespace
}  // namespace minke
