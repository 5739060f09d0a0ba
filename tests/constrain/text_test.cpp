// Regular expressions and EBNF: what matches, and what is refused where.
#include "constrain/text/ebnf.h"
#include "constrain/text/regex.h"
#include "constrain_testing.h"

namespace minke::constrain::testing {
namespace {

struct TextCase {
  const char* pattern;
  std::vector<const char*> valid;
  std::vector<const char*> invalid;
};

TEST(Regex, WholeTexts) {
  const TextCase cases[] = {
      {"abc", {"abc"}, {"ab", "abcd", "xabc"}},
      {"a|bc|", {"a", "bc", ""}, {"b", "abc"}},
      {"^(?:a|b)+$", {"a", "abba"}, {"", "c"}},
      {"(?<year>\\d{4})-\\d{2}", {"2026-11"}, {"026-11", "2026-1"}},
      {"a{2}b{1,}c{0,2}d{3,3}", {"aabddd", "aabbbccddd"}, {"abddd", "aabcccddd"}},
      {"a*?b+?c??", {"b", "aabbc"}, {"a", "bcc"}},
      {"[^a-c\\]é-ü]", {"d", "한", "[", "😀"}, {"b", "]", "ö", "", "\xED\xA0\x80", "\xC0\x80"}},
      {"[\\w.-]+@[\\d\\s]", {"a_1.b-@ ", "x@7"}, {"x@a", "é@1"}},
      {"[-a]|[a-]|\\u{1F600}|\\uD83D\\uDE01|\\x41\\u0042", {"-", "a", "😀", "😁", "AB"}, {"b"}},
      {".", {"x", "한", "\xF4\x8F\xBF\xBF"}, {"\n", "\r", "\u2028", "\xF4\x90\x80\x80", "\xED\xA0\x80"}},
      {"\\.\\*\\/\\{\\t", {".*/{\t"}, {".*/{t"}},
      {"(a*)*b(|c)", {"b", "aab", "aabc"}, {"a"}},
      {"[가-힣]{2,3}", {"한국", "대한국"}, {"한", "abc"}},
      {"^$", {""}, {"a"}},
  };
  for (const TextCase& test : cases) {
    CompiledPair pair = compile_regex(test.pattern);
    for (const char* text : test.valid) EXPECT_TRUE(matches(pair, text)) << test.pattern << " " << text;
    for (const char* text : test.invalid) EXPECT_FALSE(matches(pair, text)) << test.pattern << " " << text;
  }
}

TEST(Regex, RefusalsTellThePosition) {
  const std::pair<const char*, const char*> cases[] = {
      {"a(b", "p: position 3: a ( without its )"},
      {"a)b", "position 1: a ) without its ("},
      {"a**", "position 2: * has nothing to repeat"},
      {"+a", "position 0: + has nothing to repeat"},
      {"a{2", "position 3: expected } after the bounds"},
      {"a{x}", "position 2: expected a number of repeats"},
      {"a{3,2}", "at least 3 and at most 2"},
      {"a{9999999}", "more than 1000000 repeats"},
      {"[a", "a character class without its ]"},
      {"[b-a]", "a range whose end is before its start"},
      {"[a-\\d]", "a range from or to a class"},
      {"\\", "a backslash with nothing behind it"},
      {"\\q", "\\q: this escape"},
      {"\\cJ", "\\c: this escape"},
      {"\\bx", "word boundaries"},
      {"(a)\\1", "back references"},
      {"\\p{L}", "Unicode properties"},
      {"(?=a)", "look-around"},
      {"(?<!a)", "look-around"},
      {"(?i)a", "flags"},
      {"a++", "possessive"},
      {"a^b", "position 1: ^ is supported at the start"},
      {"a$b", "$ is supported at the end"},
      {"x(^a|b)", "alone only"},
      {"\\uD800", "half a surrogate pair"},
      {"\\xZ1", "expected 2 hexadecimal digits"},
      {"\xFF", "not valid UTF-8"},
  };
  for (auto [pattern, message] : cases) {
    Expressions e;
    EXPECT_ERROR(parse_regex(e, pattern, "p"), message);
  }
  Expressions e;
  EXPECT_ERROR(parse_regex(e, std::string(1000, '('), "p"), "groups nested deeper than 128");
  EXPECT_ERROR(parse_regex(e, std::string(size_t{1} << 19, 'a'), "p"), "at most 262144 are allowed");
}

// Patterns whose automata are exponential, or large, end with an error in bounded time.
TEST(Regex, BlowUpIsRefused) {
  for (const char* pattern :
       {"(a|b)*a(a|b){25}", "((((a{50}){50}){50}){50})", "(.{1,200}){1,200}", "(|){1000000}", "(((|){1000}){1000}){1000}"}) {
    Expressions e;
    NodeId body = value_of(parse_regex(e, pattern, "p"));
    RuleId root = e.declare("p");
    e.define(root, body);
    auto grammar = Grammar::compile(e, root);
    ASSERT_FALSE(grammar.has_value()) << pattern;
    EXPECT_NE(grammar.error().message.find("more than"), std::string::npos) << grammar.error().message;
  }
}

TEST(Ebnf, Grammars) {
  CompiledPair pair = compile_ebnf(R"e(
# a comment
root ::= "\"" word ("," | # in the middle
         ";") word "\"" | digits{2,3} "\x41\n"
word ::= [a-z]+ | nested
nested ::= "(" word ")"
digits ::= [0-9]
)e");
  for (const char* text : {"\"a,b\"", "\"((x));(y)\"", "12A\n", "123A\n"}) EXPECT_TRUE(matches(pair, text)) << text;
  for (const char* text : {"\"a,\"", "\"(x;y)\"", "1A\n", ""}) EXPECT_FALSE(matches(pair, text)) << text;
}

TEST(Ebnf, Refusals) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "g: position 0: no rule is called root"},
      {"a ::= \"x\"", "no rule is called root"},
      {"root ::= b", "position 9: rule b is not defined"},
      {"root ::= \"a\"\nroot ::= \"b\"", "position 13: rule root is defined twice"},
      {"root ::= \"a", "a literal without its closing quote"},
      {"root ::= (\"a\"", "expected ), the end of the group at position 9"},
      {"root ::= \"a\" )", "expected a rule, or the end"},
      {"root = \"a\"", "position 0: expected a rule: name ::= ..."},
      {"root ::= $", "position 9: expected a literal"},
      {"root ::= \"\\d\"", "a class inside a literal"},
      {"root ::= [a", "a character class without its ]"},
  };
  for (auto [source, message] : cases) {
    Expressions e;
    EXPECT_ERROR(parse_ebnf(e, source, "g"), message);
  }
  for (auto [source, message] : std::vector<std::pair<const char*, const char*>>{
           {"root ::= root \"a\" | \"b\"", "rule root begins with itself"},
           {"root ::= a\na ::= b? a \"x\" | \"y\"\nb ::= \"z\"", "rule a begins with itself"},
           {"root ::= \"a\" root", "rule root matches no text at all"},
           {"root ::= (([a-z]{100}){100}){100}", "states"}}) {
    Expressions e;
    RuleId root = value_of(parse_ebnf(e, source, "g"));
    EXPECT_ERROR(Grammar::compile(e, root), message);
  }
  Expressions e;
  EXPECT_ERROR(parse_ebnf(e, "root ::= " + std::string(1000, '('), "g"), "groups nested deeper than 128");
}

}  // namespace
}  // namespace minke::constrain::testing
