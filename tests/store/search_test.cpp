// Search over encrypted chats: parts of words in any language, in titles, texts, thoughts and attachments.
#include "store/text_fold.h"
#include "store_support.h"

namespace minke::store {
namespace {

using testing::value_of;

class Search : public StoreTest {
 protected:
  std::string titles(std::string_view query, size_t limit = 10) {
    std::string text;
    for (const SearchHit& hit : value_of(store_->search(query, limit))) text += hit.title + " ";
    return text;
  }
  Id chat(const std::string& title, const std::string& content) {
    now_ms_ += 1000;
    const Id id = conversation(title);
    say(id, Role::kUser, content, 0);
    return id;
  }
};

TEST_F(Search, FindsPartsOfKoreanWords) {
  chat("하나", "대한민국의 수도는 서울이다");
  chat("둘", "고래는 바다에 산다");
  EXPECT_EQ(titles("서울"), "하나 ");
  EXPECT_EQ(titles("민국"), "하나 ");
  EXPECT_EQ(titles("래"), "둘 ");
  EXPECT_EQ(titles("다"), "둘 하나 ");
  EXPECT_EQ(titles("바다 고래"), "둘 ");
  EXPECT_EQ(titles("바다 서울"), "");
  // 서울 in letters, as macOS writes file names: U+1109 U+1165 U+110B U+116E U+11AF
  EXPECT_EQ(titles("\xe1\x84\x89\xe1\x85\xa5\xe1\x84\x8b\xe1\x85\xae\xe1\x86\xaf"), "하나 ");
  chat("셋", "\xe1\x84\x89\xe1\x85\xa5\xe1\x84\x8b\xe1\x85\xae\xe1\x86\xaf");
  EXPECT_EQ(titles("서울"), "셋 하나 ");
}

TEST_F(Search, CaseAndAccentsAndSignsOfJson) {
  chat("a", "He said \"ÉCOLE\\path\" and left\nStraße");
  for (const char* query : {"école",
                            "E\xcc\x81"
                            "COLE",
                            "\"école", "\\PATH\"", "strasse", "left straße", "SAID"}) {
    EXPECT_EQ(titles(query), "a ") << query;
  }
  EXPECT_EQ(titles("content"), "") << "names of fields are not text";
  EXPECT_EQ(titles("nstraße"), "") << "the sign for a new line is not text";
  EXPECT_EQ(titles("  \n "), "");
}

TEST_F(Search, LooksIntoEverythingAndNamesTheMessage) {
  const Id id = conversation("the title");
  say(id, Role::kUser, "question", 0);
  value_of(store_->append(id, full_message(1, "an answer")));
  const auto only = [&](std::string_view query) {
    const auto hits = value_of(store_->search(query, 10));
    EXPECT_EQ(hits.size(), 1u) << query;
    return hits.empty() ? SearchHit() : hits[0];
  };
  EXPECT_EQ(only("TITLE").message, 0);
  EXPECT_EQ(only("TITLE").snippet, "the title");
  EXPECT_EQ(only("question").message, 1);
  EXPECT_EQ(only("생각").message, 2);
  EXPECT_EQ(only("생각").snippet, "first  then 생각");
  EXPECT_EQ(only("표.csv").message, 2);
  EXPECT_EQ(only("1,2").snippet, "a,b 1,2");
  EXPECT_EQ(only("title answer").message, 0) << "words may stand in different messages";
  EXPECT_EQ(only("the answer then").message, 2) << "the message with most of the words is shown";
  reopen();
  EXPECT_EQ(only("question").message, 1);
}

TEST_F(Search, NewestFirstUpToTheLimit) {
  for (const char* title : {"a", "b", "c"}) chat(title, "same");
  EXPECT_EQ(titles("same"), "c b a ");
  EXPECT_EQ(titles("same", 2), "c b ");
  EXPECT_EQ(titles("same", 0), "");
}

TEST(TextFold, SnippetsShowThePlace) {
  const std::string many(500, 'x');
  EXPECT_EQ(snippet_around(many + " Whale " + many, "whale"),
            "…" + std::string(39, 'x') + " Whale " + std::string(39, 'x') + "…");
  EXPECT_EQ(snippet_around("only İ here", fold_text("İ")), "only İ here");
  std::string korean;
  for (int i = 0; i < 300; i++) korean += "가";
  const std::string shown = snippet_around(korean + "고래" + korean, "고래");
  EXPECT_NE(shown.find("고래"), std::string::npos);
  EXPECT_LT(shown.size(), 320u);
  EXPECT_EQ(snippet_around("abc", "zzz"), "abc");
  EXPECT_EQ(snippet_around("", "zzz"), "");
}

TEST(TextFold, BrokenTextComesBack) {
  EXPECT_EQ(fold_text("A\xff"
                      "B"),
            "a\xff"
            "b");
  EXPECT_EQ(fold_text("ＡＢ"), "ａｂ");
  EXPECT_EQ(fold_text(""), "");
}

}  // namespace
}  // namespace minke::store
