#include "tasks/compare/same_answer.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "tasks/compare/clean.h"
#include "tasks/compare/value.h"

namespace minke {
namespace {

using namespace compare;

constexpr size_t kMaxBytes = 4096;

constexpr std::array kVerdicts = {std::pair<std::string_view, int>{"yes", 1},    std::pair<std::string_view, int>{"no", 2},
                                  std::pair<std::string_view, int>{"true", 3},   std::pair<std::string_view, int>{"false", 4},
                                  std::pair<std::string_view, int>{"예", 1},     std::pair<std::string_view, int>{"네", 1},
                                  std::pair<std::string_view, int>{"아니오", 2}, std::pair<std::string_view, int>{"아니요", 2},
                                  std::pair<std::string_view, int>{"참", 3},     std::pair<std::string_view, int>{"거짓", 4}};

std::optional<int> verdict(std::string_view words) {
  auto found = std::find_if(kVerdicts.begin(), kVerdicts.end(), [&](const auto& row) { return row.first == words; });
  return found == kVerdicts.end() ? std::nullopt : std::optional(found->second);
}

bool is_choice_letter(char c) { return (c >= 'A' && c <= 'J') || (c >= 'a' && c <= 'j'); }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

// (B), B) and [B]; as text, too.
std::optional<char> marked_choice(std::string_view cleaned) {
  std::string text;
  for (char c : cleaned) {
    if (c != kTextOpen && c != kTextClose && c != ' ') text += c;
  }
  const bool both = text.size() == 3 && ((text[0] == '(' && text[2] == ')') || (text[0] == '[' && text[2] == ']'));
  if (both && is_choice_letter(text[1])) return upper(text[1]);
  if (text.size() == 2 && text[1] == ')' && is_choice_letter(text[0])) return upper(text[0]);
  return std::nullopt;
}

// None where neither side is marked as a choice.
std::optional<bool> same_choice(std::string_view expected, std::string_view given) {
  auto a = marked_choice(expected), b = marked_choice(given);
  if (!a && !b) return std::nullopt;
  if (a && b) return *a == *b;
  std::string_view bare = trimmed(a ? given : expected);
  const std::string word = words_of(bare);
  if (word.size() != 1 || !is_choice_letter(word[0])) return a ? std::optional(false) : std::nullopt;
  // "(x)" beside "x" may be a variable: the same letter, then, in the same case.
  if (!a && bare != std::string_view(std::string(1, *b))) return std::nullopt;
  return upper(word[0]) == (a ? *a : *b);
}

// Case does not matter to a word; it does to letters that may be names of things: AB, ab.
bool same_words(std::string_view expected, std::string_view given) {
  const std::string a = words_of(expected), b = words_of(given);
  if (a.empty() || a != b) return false;
  size_t longest = 0, run = 0;
  for (char c : a) {
    run = (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80 ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest >= 3;
}

}  // namespace

bool same_answer(std::string_view expected, std::string_view given) {
  expected = trimmed(expected);
  given = trimmed(given);
  if (expected.empty() || given.empty()) return false;
  if (expected == given) return true;
  if (expected.size() > kMaxBytes || given.size() > kMaxBytes) return false;
  const auto wanted = clean(expected), got = clean(given);
  if (!wanted || !got || wanted->empty() || got->empty()) return false;
  if (*wanted == *got) return true;
  if (auto answer = verdict(words_of(*wanted))) return verdict(words_of(*got)) == answer;
  if (auto same = same_choice(*wanted, *got)) return *same;
  Algebra algebra;
  auto a = parse_value(*wanted, algebra, ShortUnits::kInTextOnly);
  Algebra other;
  auto b = parse_value(*got, other, ShortUnits::kInTextOnly);
  // A lone letter after a number is a variable, unless a plain number is expected: then "5 m" is metres.
  const bool wants_number = a && a->kind == Value::Kind::kExpression && a->expression.is_numeral;
  if (wants_number && b && b->kind == Value::Kind::kExpression && !b->expression.is_numeral) {
    Algebra third;
    b = parse_value(*got, third, ShortUnits::kAfterSpace);
  }
  if (a && b) {
    Algebra comparing;
    return same_value(*a, *b, comparing);
  }
  return !a && !b && same_words(*wanted, *got);
}

}  // namespace minke
