// Oniguruma patterns on PCRE2, and the pre-tokenizers made of them.
#include "tokenizer/text/pattern.h"

#include "tokenizer/files/pre_table.h"
#include "tokenizer/text/onig_syntax.h"
#include "tokenizer/text/pre_tokenizer.h"
#include "tokenizer_testing.h"

namespace minke::testing {
namespace {

using Strings = std::vector<std::string>;

Strings pieces_of(const std::vector<PreTokenizerStep>& steps, const std::string& text) {
  PreTokenizer pre_tokenizer = value_of(PreTokenizer::compile(steps));
  PatternScratch scratch;
  Pieces pieces{text, {{0, text.size()}}};
  value_of(pre_tokenizer.apply(pieces, true, scratch));
  Strings out;
  for (Span span : pieces.spans) out.push_back(pieces.text.substr(span.begin, span.end - span.begin));
  return out;
}

Strings split(TextPattern pattern, const std::string& text, SplitBehavior behavior = SplitBehavior::kIsolated,
              bool invert = false) {
  PreTokenizerStep step;
  step.pattern = std::move(pattern);
  step.behavior = behavior;
  step.invert = invert;
  return pieces_of({step}, text);
}

Strings split_regex(const std::string& regex, const std::string& text) { return split({true, regex}, text); }

Strings split_named(const char* name, const std::string& text) {
  const PreTokenizerRow* row = find_pre_tokenizer(name);
  if (row == nullptr) throw std::runtime_error(std::string("no row ") + name);
  return pieces_of(pre_tokenizer_steps(*row), text);
}

TEST(OnigSyntax, WhereTheTwoLanguagesDiffer) {
  // U+180E is no white space in Unicode, but is in PCRE2's \s.
  EXPECT_EQ(split_regex("\\s+", "a\u180Eb c"), (Strings{"a\u180Eb", " ", "c"}));
  EXPECT_EQ(split_regex("[^\\S\\n]+", "a \u3000\nb"), (Strings{"a", " \u3000", "\nb"}));
  // A combining mark is a word character.
  EXPECT_EQ(split_regex("\\w+", "e\u0301_1-"), (Strings{"e\u0301_1", "-"}));
  // A script name means Script: U+3001 is Common, though used with Han.
  EXPECT_EQ(split_regex("\\p{Han}+", "漢、字"), (Strings{"漢", "、", "字"}));
  EXPECT_EQ(split_regex("[\\p{L}&&[^\\p{Han}]]+", "ab漢c"), (Strings{"ab", "漢", "c"}));
  EXPECT_EQ(split_regex("[a-z&&[^m-p]&&[^x]]+", "almxyz"), (Strings{"al", "mx", "yz"}));
  EXPECT_EQ(split_regex("[a[0-9]]+", "a1b2"), (Strings{"a1", "b", "2"}));
  // Ruby repeats an interval that is followed by +; elsewhere that would be possessive.
  EXPECT_EQ(split_regex("\\p{N}{1,3}+", "12345"), (Strings{"12345"}));
  EXPECT_EQ(split_regex("ab{1}?c", "ac abc"), (Strings{"ac", " ", "abc"}));
  EXPECT_EQ(split_regex("xa{,2}y", "xy xaay xaaay"), (Strings{"xy", " ", "xaay", " xaaay"}));
  // ^ and $ are at every line, and (?m) lets the dot match a newline.
  EXPECT_EQ(split_regex("a$", "a\nab"), (Strings{"a", "\nab"}));
  EXPECT_EQ(split_regex("^a", "ba\na"), (Strings{"ba\n", "a"}));
  EXPECT_EQ(split_regex("b.c", "b\nc"), (Strings{"b\nc"}));
  EXPECT_EQ(split_regex("(?m:b.c)x", "b\ncx.b\nc"), (Strings{"b\ncx", ".b\nc"}));
  EXPECT_EQ(split_regex("\\h+",
                        "a\x0b"
                        "fg"),
            (Strings{"a", "\x0b", "f", "g"}));
  EXPECT_EQ(split_regex("\\v", "a\n\x0b"), (Strings{"a\n", "\x0b"}));
  EXPECT_EQ(split_regex("(?i:'s)", "it'S 'ſ"), (Strings{"it", "'S", " ", "'ſ"}));
  EXPECT_EQ(split_regex("(?i)a|b", "AxB"), (Strings{"A", "x", "B"}));
  EXPECT_EQ(split_regex("(a)(b)", "ab\\1"), (Strings{"ab", "\\1"}));
  EXPECT_EQ(split_regex("\\u0041\\x{1F600}\\x42", "A😀B"), (Strings{"A😀B"}));
  EXPECT_EQ(split_regex("[\\s-]", "a- b"), (Strings{"a", "-", " ", "b"}));
  EXPECT_EQ(split_regex("{a}", "{a}"), (Strings{"{a}"}));
  EXPECT_EQ(split_regex("\\p{^L}+|\\P{Letter}", "a1b"), (Strings{"a", "1", "b"}));
}

TEST(OnigSyntax, RefusesWhatItCannotKeep) {
  for (const char* regex : {"(a)\\1", "\\bword", "a\\Gb", "[[:alpha:]]", "[^a&&b]", "[a[^b]]", "(?x:a )", "a(?i)b|c", "(?<n>a)",
                            "\\pL", "\\K", "\\X", "\\R", "\\xFF", "(?#c)a", "[a&&]", "{2}+"}) {
    auto result = pcre2_from_oniguruma(regex);
    ASSERT_FALSE(result.has_value()) << regex << " became " << *result;
    EXPECT_EQ(result.error().message.rfind("regex: ", 0), 0u) << result.error().message;
  }
  // These only PCRE2 itself can refuse.
  for (const char* regex : {"\\p{Alpha}", "\\p{Punct}", "\\p{In_Greek}", "(", "a)", "[a", "*", "[z-a]", "a**"}) {
    EXPECT_FALSE(Pattern::compile({true, regex}).has_value()) << regex;
  }
  std::string deep(2000, '[');
  EXPECT_FALSE(Pattern::compile({true, deep + std::string(2000, ']')}).has_value());
  EXPECT_FALSE(Pattern::compile({true, std::string(2000, '(') + "a" + std::string(2000, ')')}).has_value());
  EXPECT_FALSE(Pattern::compile({true, std::string(100000, 'a')}).has_value());
  EXPECT_FALSE(Pattern::compile({false, ""}).has_value());
}

TEST(Pattern, CatastrophicBacktrackingIsAnError) {
  PreTokenizerStep step;
  step.pattern = {true, "(?:a+)+[bc]"};
  PreTokenizer pre_tokenizer = value_of(PreTokenizer::compile({step}));
  PatternScratch scratch;
  Pieces pieces{std::string(40, 'a'), {{0, 40}}};
  EXPECT_ERROR(pre_tokenizer.apply(pieces, true, scratch), "match limit exceeded");
}

// The example of the reference's documentation.
TEST(Split, Behaviors) {
  const std::string text = "the-final--countdown";
  TextPattern dash{false, "-"};
  EXPECT_EQ(split(dash, text, SplitBehavior::kRemoved), (Strings{"the", "final", "countdown"}));
  EXPECT_EQ(split(dash, text, SplitBehavior::kIsolated), (Strings{"the", "-", "final", "-", "-", "countdown"}));
  EXPECT_EQ(split(dash, text, SplitBehavior::kMergedWithPrevious), (Strings{"the-", "final-", "-", "countdown"}));
  EXPECT_EQ(split(dash, text, SplitBehavior::kMergedWithNext), (Strings{"the", "-final", "-", "-countdown"}));
  EXPECT_EQ(split(dash, text, SplitBehavior::kContiguous), (Strings{"the", "-", "final", "--", "countdown"}));
  EXPECT_EQ(split({true, "[a-z]+"}, text, SplitBehavior::kRemoved, true), (Strings{"the", "final", "countdown"}));
  EXPECT_EQ(split({true, "x*"}, "axb"), (Strings{"a", "x", "b"}));  // empty matches make no pieces
}

TEST(PreTokenizer, OtherSteps) {
  PreTokenizerStep digits, punctuation, words, spaces, meta;
  digits.kind = PreTokenizerStep::Kind::kDigits;
  EXPECT_EQ(pieces_of({digits}, "Call 123 now"), (Strings{"Call ", "123", " now"}));
  digits.individual_digits = true;
  EXPECT_EQ(pieces_of({digits}, "a12"), (Strings{"a", "1", "2"}));
  punctuation.kind = PreTokenizerStep::Kind::kPunctuation;
  EXPECT_EQ(pieces_of({punctuation}, "Hey, 가!。"), (Strings{"Hey", ",", " 가", "!", "。"}));
  words.kind = PreTokenizerStep::Kind::kWhitespace;
  EXPECT_EQ(pieces_of({words}, "Hey man!? ok"), (Strings{"Hey", "man", "!?", "ok"}));
  spaces.kind = PreTokenizerStep::Kind::kWhitespaceSplit;
  EXPECT_EQ(pieces_of({spaces}, " a\u3000 b!"), (Strings{"a", "b!"}));
  meta.kind = PreTokenizerStep::Kind::kMetaspace;
  meta.replacement = "▁";
  EXPECT_EQ(pieces_of({meta}, "Hey  you"), (Strings{"▁Hey", "▁", "▁you"}));
  meta.split = false;
  meta.prepend = PrependScheme::kNever;
  EXPECT_EQ(pieces_of({meta}, "Hey you"), (Strings{"Hey▁you"}));
  meta.prepend = PrependScheme::kFirst;
  EXPECT_EQ(pieces_of({spaces, meta}, "a b"), (Strings{"▁a", "b"}));
  meta.prepend = PrependScheme::kAlways;
  EXPECT_EQ(pieces_of({spaces, meta}, "a b"), (Strings{"▁a", "▁b"}));
  PreTokenizerStep bytes;
  bytes.kind = PreTokenizerStep::Kind::kByteLevel;
  bytes.add_prefix_space = bytes.use_regex = true;
  EXPECT_EQ(pieces_of({bytes}, "I'm 12 ok  x"), (Strings{" I", "'m", " 12", " ok", " ", " x"}));
}

TEST(PreTable, PatternsOfModels) {
  EXPECT_EQ(split_named("llama-bpe", "Führer 12345 it's\n\n x"),
            (Strings{"Führer", " ", "123", "45", " it", "'s", "\n\n", " x"}));
  EXPECT_EQ(split_named("qwen2", "123 a"), (Strings{"1", "2", "3", " a"}));
  // GPT-4o, also of Kanana 2: capital letters begin a new piece, contractions stay with their word, / ends punctuation.
  EXPECT_EQ(split_named("kanana2", "HelloWorld THEIRs don't 안녕하세요 a//\nb 1234"),
            (Strings{"Hello", "World", " THEIRs", " don't", " 안녕하세요", " a", "//\n", "b", " ", "123", "4"}));
  EXPECT_EQ(split_named("kimi-k2", "Hello漢字かなABCdef's 12345 。\n"),
            (Strings{"Hello", "漢字", "かなABCdef's", " ", "123", "45", " 。\n"}));
  EXPECT_EQ(split_named("kimi-k2", "don't 한국어々x"), (Strings{"don't", " 한국어", "々", "x"}));
  EXPECT_EQ(split_named("deepseek-v3", "a.append(12345)漢字 x"),
            (Strings{"a", ".append", "(", "123", "45", ")", "漢字", " x"}));
  EXPECT_EQ(split_named("deepseek-llm", "Ab, 12\r\nx  "), (Strings{"Ab", ",", " ", "1", "2", "\r", "\n", "x", "  "}));
  EXPECT_EQ(split_named("deepseek-coder", "x = y+1  "), (Strings{"x", " =", " y", "+", "1", "  "}));
  EXPECT_EQ(split_named("gpt-2", "it's  2!"), (Strings{"it", "'s", " ", " 2", "!"}));
  EXPECT_EQ(find_pre_tokenizer("nonsense"), nullptr);
}

TEST(PreTable, EveryRowCompilesAndIsFoundAgain) {
  for (const PreTokenizerRow& row : pre_tokenizer_table()) {
    TokenizerSpec spec;
    spec.pre_tokenizer = pre_tokenizer_steps(row);
    spec.normalizer = normalizer_steps(row);
    spec.ignore_merges = row.ignore_merges;
    EXPECT_TRUE(PreTokenizer::compile(spec.pre_tokenizer).has_value()) << row.names.front();
    EXPECT_EQ(matching_pre_tokenizer(spec), &row) << row.names.front();
    spec.pre_tokenizer.back().add_prefix_space = true;
    EXPECT_EQ(matching_pre_tokenizer(spec), nullptr);
  }
}

// Very long runs neither crash nor take quadratic time, whatever the pattern does with its stack.
TEST(PreTable, LongRuns) {
  constexpr size_t kRun = size_t{1} << 20;
  std::string spaces(kRun, ' '), letters(kRun, 'a'), capitals(kRun, 'A'), newlines(kRun, '\n'), bangs(kRun, '!'), hangul,
      marks = "a";
  for (size_t i = 0; i < kRun / 3; i++) hangul += "가";
  for (size_t i = 0; i < kRun / 2; i++) marks += "\u0301";
  for (const PreTokenizerRow& row : pre_tokenizer_table()) {
    for (const std::string& text : {spaces, spaces + "x", spaces + "한", spaces + "1", letters, capitals, newlines + "x", bangs,
                                    hangul, marks, spaces + "\n" + spaces + "x"}) {
      size_t total = 0;
      for (const std::string& piece : split_named(row.names.front().data(), text)) total += piece.size();
      EXPECT_EQ(total, text.size()) << row.names.front();
    }
  }
}

TEST(PreTable, TrailingSpace) {
  EXPECT_EQ(split_regex("\\s+$", " a  b  "), (Strings{" a  b", "  "}));
  EXPECT_EQ(split_regex("\\s+$", "a \n\n b\n"), (Strings{"a", " \n", "\n b", "\n"}));
  EXPECT_EQ(split_regex("\\s+$", "a\u3000\u3000"), (Strings{"a", "\u3000\u3000"}));
}

}  // namespace
}  // namespace minke::testing
