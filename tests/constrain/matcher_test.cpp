#include "constrain/match/matcher.h"

#include <thread>

#include "constrain_testing.h"

namespace minke::constrain::testing {
namespace {

struct MatcherCase {
  const char* name;
  const char* ebnf;
};

class MatcherTest : public ::testing::TestWithParam<MatcherCase> {};

TEST_P(MatcherTest, MasksAreThoseOfTheReference) {
  CompiledPair pair = compile_ebnf(GetParam().ebnf);
  auto vocabulary =
      small_vocabulary({"aabb((()))", "yes, no, maybe so", "한국어 日本語 é 😀", "x = 12 + (3 * 45)\n", "abcabcabc"}, 200);
  walk_beside_reference(pair, vocabulary, 11, 12, 12);
}

const MatcherCase kMatcherCases[] = {
    {"Literal", R"e(root ::= "yes" | "no" | "no way" | "한국어")e"},
    {"Classes", R"e(root ::= [a-c한-힣]+ [^a-y\n] .?)e"},
    {"Bounds", R"e(root ::= ("ab" | "a"){2,5} "b"{3} [0-9]{0,2})e"},
    {"Nested", R"e(root ::= "(" root* ")" | [a-z]{1,3})e"},
    {"TailRecursion", R"e(root ::= "a" root | "b" root | "x")e"},
    {"Empty", R"e(root ::= opt opt opt
                 opt ::= "a"? "b"? more
                 more ::= ("(" opt ")")?)e"},
    {"Ambiguous", R"e(root ::= "a" root "b" | "a" root | "")e"},
    {"Palindromes", R"e(root ::= "a" root "a" | "b" root "b" | "c")e"},
    {"Arithmetic", R"e(# comments are read over
                      root ::= term (("+" | "*") term)*
                      term ::= [0-9]+ | "(" root ")" | " " term)e"},
    {"Shared", R"e(root ::= one | two
                  one ::= list "!"
                  two ::= list "?"
                  list ::= "(" list ")" | "a" list | "😀")e"},
};

INSTANTIATE_TEST_SUITE_P(Grammars, MatcherTest, ::testing::ValuesIn(kMatcherCases),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Matcher, CountsRoundsWhileMatching) {
  for (auto [min, max] : std::vector<std::pair<int64_t, int64_t>>{{0, 3}, {2, 2}, {3, kUnbounded}, {5, 9}, {0, 40}, {20, 60}}) {
    CompiledPair pair = compile([&](Expressions& e) -> Result<RuleId> {
      NodeId chars = e.chars({{'a', 'c'}, {U'한', U'힣'}});
      RuleId root = e.declare("root");
      // Twice, so that the second count starts anew, and behind a call, so that frames come back with their counts.
      NodeId call = e.new_rule("call", e.sequence({e.bytes("("), e.repeat(chars, 0, 2), e.bytes(")")}));
      e.define(root,
               e.sequence({e.bytes("\""), e.counted(chars, min, max), e.bytes("\""), e.counted(call, min, max), e.bytes(".")}));
      return root;
    });
    walk_beside_reference(pair, small_vocabulary({"abcabcabc(a)(b)(한)()()()()", "한국어 caba", "\"(c)(c)"}, 120), 3, 4, 14);
    for (int64_t n : {min - 1, min, max, max + 1}) {
      if (n < 0) continue;
      std::string a(static_cast<size_t>(n), 'a'), calls;
      for (int64_t i = 0; i < n; i++) calls += "()";
      bool expected = n >= min && (max == kUnbounded || n <= max);
      EXPECT_EQ(matches(pair, "\"" + a + "\"" + calls + "."), expected) << n << " of " << min << " .. " << max;
    }
  }
}

TEST(Matcher, CountsInsideCounts) {
  CompiledPair pair = compile([&](Expressions& e) -> Result<RuleId> {
    NodeId word = e.sequence({e.counted(e.chars({{'a', 'b'}}), 2, 3), e.bytes(";")});
    RuleId root = e.declare("root");
    e.define(root, e.sequence({e.counted(word, 1, 2), e.bytes(".")}));
    return root;
  });
  walk_beside_reference(pair, small_vocabulary({"ab;aba;.", "bb;."}, 40), 5, 6, 10);
  EXPECT_TRUE(matches(pair, "ab;bbb;."));
  EXPECT_FALSE(matches(pair, "ab;b;."));
  EXPECT_FALSE(matches(pair, "ab;ab;ab;."));
}

TEST(Matcher, ControlTokensAreNoText) {
  CompiledPair pair = compile([&](Expressions& e) -> Result<RuleId> {
    NodeId text = e.repeat(e.chars(CodePointSet::all()), 0, kUnbounded);
    RuleId root = e.declare("root");
    e.define(root, e.sequence({text, e.optional(e.sequence({e.token(kControl), text, e.token(kOtherControl)}))}));
    return root;
  });
  walk_beside_reference(pair, small_vocabulary({"한국어 text"}, 30), 5, 6, 10);
}

// Everything that a matcher can be asked, in any order: a matcher that never went back says the same.
TEST(Matcher, GoesBackAndForks) {
  CompiledPair pair = compile_ebnf(R"e(root ::= "[" (root ("," root)*)? "]" | [0-9]{1,4} | "\"" [^"]* "\"")e");
  auto vocabulary = small_vocabulary({"[[1,2],[\"한국어\",3]]", "[12,[345]]"}, 100);
  auto grammar = std::make_shared<TokenGrammar>(pair.grammar, vocabulary);
  std::mt19937_64 random(5);
  Matcher matcher(grammar);
  std::vector<TokenId> accepted;
  for (int step = 0; step < 600; step++) {
    Matcher fresh(grammar);
    if (step % 20 == 0) {
      for (TokenId token : accepted) ASSERT_TRUE(fresh.accept(token));
      auto mask = matcher.mask(), expected = fresh.mask();
      ASSERT_TRUE(std::equal(mask.begin(), mask.end(), expected.begin()));
      ASSERT_EQ(matcher.is_complete(), fresh.is_complete());
      ASSERT_EQ(matcher.n_accepted(), static_cast<int64_t>(accepted.size()));
    }
    std::vector<TokenId> allowed = allowed_tokens(matcher.mask(), vocabulary->n_tokens());
    bool goes_back = !accepted.empty() && (allowed.empty() || random() % 3 == 0);
    if (goes_back) {
      auto n = static_cast<int64_t>(random() % 5 + 1);
      n = std::min({n, matcher.max_rollback(), static_cast<int64_t>(accepted.size())});
      matcher.rollback(n);
      accepted.resize(accepted.size() - static_cast<size_t>(n));
    } else if (random() % 7 == 0) {
      Matcher fork = matcher.fork();
      ASSERT_TRUE(matcher.accept(allowed[0]));  // leaves the fork as it was
      matcher = std::move(fork);
    } else {
      TokenId token = allowed[random() % allowed.size()];
      ASSERT_TRUE(matcher.accept(token));
      accepted.push_back(token);
    }
    ASSERT_FALSE(matcher.accept(kControl));
    ASSERT_FALSE(matcher.accept(-1));
    ASSERT_FALSE(matcher.accept(vocabulary->n_tokens()));
  }
}

TEST(Matcher, MemoryOfALongTextIsBounded) {
  CompiledPair pair = compile([&](Expressions& e) -> Result<RuleId> {
    RuleId root = e.declare("root");
    e.define(root, e.sequence({e.counted(e.chars({{'a', 'z'}}), 0, 10'000'000), e.bytes(".")}));
    return root;
  });
  auto grammar = std::make_shared<TokenGrammar>(pair.grammar, small_vocabulary({"abc"}, 10));
  Matcher matcher(grammar);
  for (int i = 0; i < 30'000; i++) {  // every count is a set of its own
    ASSERT_TRUE(matcher.accept(3 + 'a'));
    ASSERT_TRUE(i % 1000 != 0 || allows(matcher.mask(), 3 + '.'));
  }
  EXPECT_LT(matcher.store_bytes(), size_t{16} << 20);
}

// Masks are worked out once for all; whoever comes first, all see the same.
TEST(Matcher, ThreadsShareOneGrammar) {
  CompiledPair pair = compile_ebnf(R"e(root ::= "[" (root ("," root)*)? "]" | [0-9]{1,4} | "\"" [^"]* "\"")e");
  auto vocabulary = small_vocabulary({"[[1,2],[\"한국어\",3]]", "[12,[345]]"}, 100);
  auto run = [&](const std::shared_ptr<const TokenGrammar>& grammar, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<uint64_t> seen;
    Matcher matcher(grammar);
    for (int step = 0; step < 60 && !matcher.is_finished(); step++) {
      std::span<const uint64_t> mask = matcher.mask();
      seen.insert(seen.end(), mask.begin(), mask.end());
      std::vector<TokenId> allowed = allowed_tokens(mask, vocabulary->n_tokens());
      matcher.accept(allowed[random() % allowed.size()]);
    }
    return seen;
  };
  // Room for a few masks only, so that they are dropped and made again all the time.
  auto shared = std::make_shared<TokenGrammar>(pair.grammar, vocabulary, size_t{8192});
  std::vector<std::vector<uint64_t>> results(4);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < results.size(); i++) threads.emplace_back([&, i] { results[i] = run(shared, i); });
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < results.size(); i++)
    EXPECT_EQ(results[i], run(std::make_shared<TokenGrammar>(pair.grammar, vocabulary), i));
}

// Stacks of 20,000 frames: nothing here may recurse along them.
TEST(Matcher, DeepNesting) {
  CompiledPair pair = compile_ebnf(R"(root ::= "[" root "]" | "x")");
  auto grammar = std::make_shared<TokenGrammar>(pair.grammar, small_vocabulary({}, 0));
  Matcher matcher(grammar);
  constexpr int kDepth = 20'000;
  for (int i = 0; i < kDepth; i++) ASSERT_TRUE(matcher.accept(3 + '['));
  ASSERT_TRUE(matcher.accept(3 + 'x'));
  for (int i = 0; i < kDepth; i++) ASSERT_TRUE(matcher.accept(3 + ']'));
  EXPECT_TRUE(matcher.is_complete());
}

// Too ambiguous to follow is an end without a token, never a wrong token or a hang.
TEST(Matcher, HostileAmbiguityIsCutShort) {
  std::string source = "root ::= ";
  for (int i = 0; i < 700; i++) source += fmt::format("{}r{}", i ? " | " : "", i);
  for (int i = 0; i < 700; i++)
    source += fmt::format("\nr{} ::= \"a\" r{} \"{}\" | \"a\" root \"b\" | \"x\"", i, (i * 7 + 1) % 700, i % 10);
  CompiledPair pair = compile_ebnf(source);
  auto grammar = std::make_shared<TokenGrammar>(pair.grammar, small_vocabulary({"aaaaaaaaaaaaxbbb0123"}, 30));
  Matcher matcher(grammar);
  for (int i = 0; i < 5; i++) {
    std::vector<TokenId> allowed = allowed_tokens(matcher.mask(), grammar->vocabulary().n_tokens());
    for (TokenId token : allowed) ASSERT_TRUE(matcher.fork().accept(token));
    if (allowed.empty()) return;
    ASSERT_TRUE(matcher.accept(allowed.back()));
  }
}

}  // namespace
}  // namespace minke::constrain::testing
