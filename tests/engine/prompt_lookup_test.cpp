#include "engine/prompt_lookup.h"

#include "support/support.h"

namespace minke {
namespace {

using Tokens = std::vector<TokenId>;

Tokens draft_of(const PromptLookup& lookup, int64_t n) {
  Tokens draft = {12, 34};  // of the call before
  lookup.draft(draft, n);
  return draft;
}

Tokens draft_after(const Tokens& text, int64_t n) {
  PromptLookup lookup;
  for (TokenId token : text) lookup.push(token);
  return draft_of(lookup, n);
}

TEST(PromptLookup, TakesWhatFollowedTheSameTokens) {
  EXPECT_EQ(draft_after({1, 2, 3, 4, 5, 6, 9, 1, 2, 3}, 3), (Tokens{4, 5, 6}));
  EXPECT_EQ(draft_after({1, 2, 3, 4, 5, 6, 9, 1, 2, 3}, 1), (Tokens{4}));
}

TEST(PromptLookup, KnowsWhenItKnowsNothing) {
  EXPECT_EQ(draft_after({}, 4), Tokens{});
  EXPECT_EQ(draft_after({1, 2}, 4), Tokens{});
  EXPECT_EQ(draft_after({1, 2, 3}, 4), Tokens{});
  EXPECT_EQ(draft_after({7, 2, 3, 4, 9, 2, 3}, 4), Tokens{}) << "two tokens are chance";
}

TEST(PromptLookup, TheLongestMatchWinsThenTheLatest) {
  EXPECT_EQ(draft_after({8, 1, 2, 3, 40, 9, 1, 2, 3, 50, 8, 1, 2, 3}, 1), (Tokens{40}));
  EXPECT_EQ(draft_after({8, 1, 2, 3, 40, 9, 1, 2, 3, 50, 7, 1, 2, 3}, 1), (Tokens{50}));
}

TEST(PromptLookup, ALoopIsContinuedBeyondTheEnd) {
  EXPECT_EQ(draft_after({5, 1, 2, 1, 2, 1, 2}, 5), (Tokens{1, 2, 1, 2, 1}));
  EXPECT_EQ(draft_after({6, 6, 6, 6}, 4), (Tokens{6, 6, 6, 6}));
}

TEST(PromptLookup, ClearForgets) {
  PromptLookup lookup;
  for (TokenId token : {1, 2, 3, 4, 1, 2, 3}) lookup.push(token);
  EXPECT_FALSE(draft_of(lookup, 1).empty());
  lookup.clear();
  for (TokenId token : {1, 2, 3}) lookup.push(token);
  EXPECT_TRUE(draft_of(lookup, 1).empty());
}

// Against the definition, on random texts of few different tokens.
TEST(PromptLookup, AgreesWithASearchOfTheWholeText) {
  uint32_t state = 1;
  Tokens text;
  PromptLookup lookup;
  for (int i = 0; i < 600; i++) {
    state = state * 1664525u + 1013904223u;
    text.push_back(static_cast<TokenId>(state >> 30));
    lookup.push(text.back());
    size_t best_end = 0, best_length = PromptLookup::kMinMatch - 1;
    int n_candidates = 0;
    for (size_t end = text.size() - 1; end >= 1; end--) {
      size_t length = 0;
      while (length < end && text[end - 1 - length] == text[text.size() - 1 - length]) length++;
      if (length >= PromptLookup::kMinMatch && n_candidates++ < PromptLookup::kMaxCandidates && length > best_length) {
        best_end = end;
        best_length = length;
      }
    }
    Tokens expected = best_end == 0 ? Tokens{} : Tokens{text[best_end]};
    ASSERT_EQ(draft_of(lookup, 1), expected) << "after " << text.size() << " tokens";
  }
}

}  // namespace
}  // namespace minke
