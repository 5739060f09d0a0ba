#include <algorithm>

#include "base/utf8.h"
#include "constrain/guard/language_lock.h"
#include "constrain/guard/sequence_guard.h"
#include "constrain/text/ebnf.h"
#include "constrain_testing.h"

namespace minke::constrain::testing {
namespace {

constexpr TokenId kOpen = 7, kClose = 8;

TEST(ThinkingGuard, HardLimitCountsTheFarewell) {
  ThinkingGuard guard({.hard_tokens = 5, .farewell = {20, 21}}, kClose);
  std::vector<float> logits(32, 0.0f);
  std::vector<TokenId> written;
  while (guard.is_open()) {
    TokenId token = guard.forced(logits).value_or(3);
    guard.accept(token);
    written.push_back(token);
  }
  EXPECT_EQ(written, (std::vector<TokenId>{3, 3, 3, 20, 21, kClose}));
  EXPECT_EQ(guard.reason(), ThoughtEnd::kBudget);
  EXPECT_EQ(guard.n_tokens(), 5);
  EXPECT_FALSE(guard.forced(logits).has_value());
}

TEST(ThinkingGuard, SoftLimitWaitsForALikelyEnd) {
  ThinkingGuard guard({.soft_tokens = 2, .hard_tokens = 100, .soft_rank = 3, .farewell = {20}}, kClose);
  std::vector<float> logits(32, 0.0f);
  for (float& logit : logits) logit = 1.0f;
  logits[kClose] = 0.5f;
  std::vector<float> likely = logits;
  likely[kClose] = 1.5f;
  likely[1] = likely[2] = 2.0f;                    // two are better: the third best
  EXPECT_FALSE(guard.forced(likely).has_value());  // too early
  guard.accept(3);
  guard.accept(3);
  EXPECT_FALSE(guard.forced(logits).has_value());
  guard.accept(3);
  EXPECT_EQ(guard.forced(likely), kClose);  // at once: the model was about to end
  guard.accept(kClose);
  EXPECT_EQ(guard.reason(), ThoughtEnd::kBudget);
}

TEST(ThinkingGuard, ZeroTokensAndNoLimits) {
  std::vector<float> logits(32, 0.0f);
  ThinkingGuard none({.hard_tokens = 0}, kClose);
  EXPECT_EQ(none.forced(logits), kClose);
  ThinkingGuard free({}, kClose);
  for (int i = 0; i < 1000; i++) {
    ASSERT_FALSE(free.forced(logits).has_value());
    free.accept(3);
  }
  free.accept(kClose);
  EXPECT_EQ(free.reason(), ThoughtEnd::kFinished);
  EXPECT_EQ(thought_end_name(free.reason()), "finished");
}

// When the detector speaks for the first time, in tokens from the start; -1: never.
int64_t first(LoopDetector::State state, const std::vector<TokenId>& tokens, LoopLimits limits = {}) {
  LoopDetector detector(limits);
  for (size_t i = 0; i < tokens.size(); i++) {
    if (detector.accept(tokens[i]) >= state) return static_cast<int64_t>(i) + 1;
  }
  return -1;
}

TEST(LoopDetector, Periods) {
  // 40 tokens of their own, then a period of p tokens until it has come min_repeats times and makes min_tokens.
  for (int64_t period : {1, 2, 7, 24, 32, 100, 256}) {
    std::vector<TokenId> tokens;
    for (TokenId i = 0; i < 40; i++) tokens.push_back(1000 + i);
    for (int i = 0; i < 4000; i++) tokens.push_back(static_cast<TokenId>(i % period));
    LoopLimits limits{.max_n_gram_repeats = 1'000'000};
    EXPECT_EQ(first(LoopDetector::State::kLoop, tokens, limits), 40 + std::max<int64_t>(96, 4 * period)) << period;
    int64_t nearly = first(LoopDetector::State::kNearly, tokens, limits);
    EXPECT_GT(nearly, 40 + period);
    EXPECT_LT(nearly, 40 + std::max<int64_t>(96, 4 * period)) << period;
  }
}

TEST(LoopDetector, PeriodBeyondTheLimitIsFoundByItsRuns) {
  std::vector<TokenId> tokens;
  for (int i = 0; i < 20'000; i++) tokens.push_back(i % 400);
  EXPECT_EQ(first(LoopDetector::State::kLoop, tokens), 7 * 400 + 16);  // the run of 16 comes for the eighth time
}

TEST(LoopDetector, RunsThatComeBackAfterDifferentDistances) {
  std::vector<TokenId> tokens;
  TokenId next = 1000;
  for (int i = 0; i < 30; i++) {
    for (TokenId t = 0; t < 16; t++) tokens.push_back(t);
    for (int j = 0; j < 5 + i; j++) tokens.push_back(next++);
  }
  EXPECT_EQ(first(LoopDetector::State::kLoop, tokens), 8 * 16 + (5 + 6 + 7 + 8 + 9 + 10 + 11));
  LoopLimits narrow{.max_period = 64, .window = 120};  // too few of them stand in it at once
  EXPECT_EQ(first(LoopDetector::State::kLoop, tokens, narrow), -1);
}

TEST(LoopDetector, OrdinaryTextIsNoLoop) {
  std::mt19937_64 random(1);
  std::vector<TokenId> tokens;
  for (int i = 0; i < 20'000; i++) tokens.push_back(static_cast<TokenId>(random() % 50));
  EXPECT_EQ(first(LoopDetector::State::kNearly, tokens), -1);
  std::vector<TokenId> table;  // rows that share most of their tokens
  for (TokenId row = 0; row < 40; row++) {
    for (TokenId cell = 0; cell < 9; cell++) table.push_back(cell % 3 == 1 ? 100 + row * 9 + cell : 5);
  }
  EXPECT_EQ(first(LoopDetector::State::kLoop, table), -1);
}

TEST(LoopDetector, NamesTheTokenThatWouldGoOn) {
  LoopDetector detector;
  int i = 0;
  while (detector.accept(i % 5) == LoopDetector::State::kNone) i++;
  EXPECT_EQ(detector.next_of_circle(), (i + 1) % 5);
  detector.accept(77);
  EXPECT_EQ(detector.state(), LoopDetector::State::kNone);
  EXPECT_FALSE(detector.next_of_circle().has_value());
}

TEST(LanguageLock, Characters) {
  CodePointSet korean = value_of(language_characters("ko"));
  for (char32_t c : U"한글 ㄱ abc é αβ ℝ 𝑥 123 ！。「」 😀 ×\n") EXPECT_TRUE(korean.contains(c)) << static_cast<uint32_t>(c);
  for (char32_t c : std::u32string(U"漢字かなカナЖعअ")) EXPECT_FALSE(korean.contains(c)) << static_cast<uint32_t>(c);
  CodePointSet japanese = value_of(language_characters("ja,ko"));
  for (char32_t c : std::u32string(U"漢字かなカナー々한글")) EXPECT_TRUE(japanese.contains(c)) << static_cast<uint32_t>(c);
  EXPECT_FALSE(japanese.contains(U'Ж'));
  EXPECT_ERROR(language_characters("xx"), "language \"xx\" is not known; known are ar, bg");
  EXPECT_ERROR(language_characters("ko,"), "is not known");
}

TEST(LanguageLock, MasksAreThoseOfTheReference) {
  CompiledPair pair = compile([](Expressions& e) { return language_text(e, "ko"); });
  auto vocabulary = small_vocabulary({"한국어 漢字 と abc Ж 😀", "漢漢漢", "안녕하세요"}, 200);
  walk_beside_reference(pair, vocabulary, 3, 2, 8);
}

std::shared_ptr<const Vocabulary> guard_vocabulary() {
  std::vector<VocabularyToken> tokens(9);
  for (int byte = 0; byte < 256; byte++) tokens.push_back({std::string(1, static_cast<char>(byte)), true});
  tokens.push_back({"漢", true});
  tokens.push_back({"한", true});
  return value_of(Vocabulary::create(std::move(tokens), {kEos}));
}
TokenId byte_token(char c) { return 9 + static_cast<uint8_t>(c); }
constexpr TokenId kHanToken = 9 + 256, kHangulToken = kHanToken + 1;

TEST(SequenceGuard, GrammarIsArmedAfterTheThought) {
  auto vocabulary = guard_vocabulary();
  auto answer = std::make_shared<TokenGrammar>(compile_ebnf("root ::= \"yes\"").grammar, vocabulary);
  using Thought = SequenceGuardOptions::Thought;
  for (Thought thought : {Thought::kNone, Thought::kMaybe, Thought::kOpen}) {
    SequenceGuard guard({.vocabulary = vocabulary,
                         .answer = answer,
                         .thought = thought,
                         .think_open = kOpen,
                         .think_close = kClose,
                         .thinking = {.hard_tokens = 10}});
    std::vector<float> logits(static_cast<size_t>(vocabulary->n_tokens()), 0.0f);
    EXPECT_EQ(guard.in_thought(), thought == Thought::kOpen);
    if (thought == Thought::kMaybe) {
      EXPECT_EQ(allowed_tokens(guard.next(logits).mask, vocabulary->n_tokens()),
                (std::vector<TokenId>{kOpen, byte_token('y')}));
      ASSERT_TRUE(guard.accept(kOpen));
    }
    if (thought != Thought::kNone) {
      auto next = guard.next(logits);
      EXPECT_FALSE(next.forced.has_value());
      EXPECT_TRUE(allows(next.mask, byte_token('n')) && allows(next.mask, kHanToken) && allows(next.mask, kClose));
      EXPECT_FALSE(allows(next.mask, kEos) || allows(next.mask, kOpen));
      for (int i = 0; i < 10; i++) ASSERT_TRUE(guard.accept(byte_token(static_cast<char>('a' + i))));
      EXPECT_EQ(guard.next(logits).forced, kClose);
      ASSERT_TRUE(guard.accept(kClose));
      EXPECT_EQ(guard.thought_end(), ThoughtEnd::kBudget);
      EXPECT_EQ(guard.n_thought_tokens(), 10);
    }
    for (char c : std::string("yes")) {
      EXPECT_EQ(allowed_tokens(guard.next(logits).mask, vocabulary->n_tokens()), (std::vector<TokenId>{byte_token(c)}));
      EXPECT_FALSE(guard.accept(byte_token('n')));
      ASSERT_TRUE(guard.accept(byte_token(c)));
    }
    EXPECT_EQ(allowed_tokens(guard.next(logits).mask, vocabulary->n_tokens()), (std::vector<TokenId>{kEos}));
    ASSERT_TRUE(guard.accept(kEos));
    EXPECT_TRUE(guard.is_finished());
  }
}

TEST(SequenceGuard, UserAndLoopsEndTheThought) {
  auto vocabulary = guard_vocabulary();
  std::vector<float> logits(static_cast<size_t>(vocabulary->n_tokens()), 0.0f);
  SequenceGuardOptions options{.vocabulary = vocabulary,
                               .thought = SequenceGuardOptions::Thought::kOpen,
                               .think_open = kOpen,
                               .think_close = kClose,
                               .loops = {.max_period = 4, .min_tokens = 24}};
  SequenceGuard asked(options);
  asked.end_thought();
  EXPECT_EQ(asked.next(logits).forced, kClose);
  ASSERT_TRUE(asked.accept(kClose));
  EXPECT_EQ(asked.thought_end(), ThoughtEnd::kUser);
  EXPECT_TRUE(asked.next(logits).mask.empty());

  SequenceGuard guard(options);
  bool was_nudged = false;
  for (int i = 0; i < 24; i++) {
    auto next = guard.next(logits);
    ASSERT_FALSE(next.forced.has_value()) << i;
    was_nudged |= !allows(next.mask, byte_token("abc"[i % 3]));
    ASSERT_TRUE(guard.accept(byte_token("abc"[i % 3])));
  }
  EXPECT_TRUE(was_nudged);
  EXPECT_EQ(guard.next(logits).forced, kClose);
  ASSERT_TRUE(guard.accept(kClose));
  EXPECT_EQ(guard.thought_end(), ThoughtEnd::kLoop);
}

TEST(SequenceGuard, LanguageHoldsInThoughtAndAnswer) {
  auto vocabulary = guard_vocabulary();
  auto lock = std::make_shared<TokenGrammar>(value_of(compile_language_lock("ko")), vocabulary);
  auto answer = std::make_shared<TokenGrammar>(compile_ebnf("root ::= [漢한] \"漢\"").grammar, vocabulary);
  std::vector<float> logits(static_cast<size_t>(vocabulary->n_tokens()), 0.0f);
  SequenceGuard guard({.vocabulary = vocabulary,
                       .answer = answer,
                       .language = lock,
                       .thought = SequenceGuardOptions::Thought::kOpen,
                       .think_open = kOpen,
                       .think_close = kClose});
  auto mask = guard.next(logits).mask;
  EXPECT_TRUE(allows(mask, kHangulToken) && allows(mask, kClose));
  EXPECT_FALSE(allows(mask, kHanToken) || allows(mask, kEos));
  ASSERT_TRUE(guard.accept(byte_token('\xED')));  // the first byte of a syllable
  mask = guard.next(logits).mask;
  EXPECT_TRUE(allows(mask, byte_token('\x95')));
  EXPECT_FALSE(allows(mask, kClose) || allows(mask, byte_token('a')));
  ASSERT_TRUE(guard.accept(byte_token('\x95')) && guard.accept(byte_token('\x9C')) && guard.accept(kClose));
  mask = guard.next(logits).mask;
  EXPECT_TRUE(allows(mask, kHangulToken));
  EXPECT_FALSE(allows(mask, kHanToken));
  ASSERT_TRUE(guard.accept(kHangulToken));
  mask = guard.next(logits).mask;  // the grammar knows no other way
  EXPECT_TRUE(allows(mask, kHanToken));
  ASSERT_TRUE(guard.accept(kHanToken));
  EXPECT_EQ(allowed_tokens(guard.next(logits).mask, vocabulary->n_tokens()), (std::vector<TokenId>{kEos}));
}

}  // namespace
}  // namespace minke::constrain::testing
