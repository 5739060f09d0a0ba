#include "tasks/compare/value.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/utf8.h"
#include "tasks/compare/clean.h"

namespace minke::compare {
namespace {

constexpr int kDeepestValue = 12;
constexpr size_t kMaxParts = 256;


int depth_change(char c) {
  if (c == '(' || c == '[' || c == '{' || c == kSetOpen) return 1;
  return c == ')' || c == ']' || c == '}' || c == kSetClose ? -1 : 0;
}

// Positions outside of all brackets, matrices and text where a character of `wanted` stands.
std::vector<size_t> outer_positions(std::string_view text, std::string_view wanted) {
  std::vector<size_t> out;
  int depth = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text.substr(at).starts_with("\\begin{")) ++depth;
    if (text.substr(at).starts_with("\\end{")) --depth;
    depth += depth_change(text[at]);
    if (text[at] == kTextOpen) ++depth;
    if (text[at] == kTextClose) --depth;
    if (depth == 0 && wanted.find(text[at]) != std::string_view::npos) out.push_back(at);
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> out;
  size_t begin = 0;
  for (size_t at : outer_positions(text, separators)) {
    out.push_back(trimmed(text.substr(begin, at - begin)));
    begin = at + 1;
  }
  out.push_back(trimmed(text.substr(begin)));
  return out;
}

// "1,234,567" outside brackets is one number.
std::string join_thousands(std::string_view text) {
  std::vector<size_t> commas = outer_positions(text, ",");
  std::string out;
  auto digits_from = [&](size_t at) {
    size_t end = at;
    while (end < text.size() && is_ascii_digit(text[end])) ++end;
    return end - at;
  };
  bool grouping = false;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == ',' && std::binary_search(commas.begin(), commas.end(), at) && digits_from(at + 1) == 3) {
      size_t begin = at;
      while (begin > 0 && is_ascii_digit(text[begin - 1])) --begin;
      const size_t n = at - begin;
      const bool starts =
          n >= 1 && n <= 3 && text[begin] != '0' && (begin == 0 || (text[begin - 1] != '.' && text[begin - 1] != ','));
      if (starts || (grouping && n == 3)) {
        grouping = true;
        continue;
      }
    }
    if (!is_ascii_digit(text[at])) grouping = false;
    out += text[at];
  }
  return out;
}

// "or", "and" and their Korean between answers become commas; also as \text{ or }.
std::string with_commas(std::string_view text) {
  std::string out(text);
  constexpr std::array<std::string_view, 8> kWords = {"\x11 or \x12", "\x11or\x12", "\x11 and \x12", "\x11\x61nd\x12",
                                                      " or ",         " and ",      " 또는 ",        " 그리고 "};
  for (std::string_view word : kWords) {
    for (size_t at = out.find(word); at != std::string::npos; at = out.find(word, at)) out.replace(at, word.size(), ", ");
  }
  for (size_t at = out.find(", , "); at != std::string::npos; at = out.find(", , ", at)) out.erase(at, 2);
  for (size_t at = out.find(",, "); at != std::string::npos; at = out.find(",, ", at)) out.erase(at, 1);
  return out;
}

class Reader {
 public:
  Reader(Algebra& algebra, ShortUnits short_units) : algebra_(algebra), short_units_(short_units) {}

  std::optional<Value> answer(std::string_view text) {
    const std::string joined = join_thousands(with_commas(text));
    std::vector<std::string_view> pieces = split(joined, ",;");
    if (pieces.size() == 1) return piece(pieces[0]);
    return list(pieces, Value{.kind = Value::Kind::kUnordered});
  }

 private:
  using Maybe = std::optional<Value>;

  // Fills `into` with the pieces; what a piece of a set says as several values (+-) joins the set.
  Maybe list(const std::vector<std::string_view>& pieces, Value into) {
    if (++depth_ > kDeepestValue || pieces.size() > kMaxParts) return std::nullopt;
    for (std::string_view text : pieces) {
      Maybe value = piece(text);
      if (!value) return std::nullopt;
      if (into.kind == Value::Kind::kUnordered && value->kind == Value::Kind::kUnordered && value->open == 0) {
        for (Value& part : value->parts) into.parts.push_back(std::move(part));
      } else {
        into.parts.push_back(std::move(*value));
      }
    }
    --depth_;
    return into;
  }

  Maybe piece(std::string_view text) {
    text = trimmed(text);
    if (text.empty() || algebra_.failed()) return std::nullopt;
    if (auto in = outer_positions(text, std::string_view(&kElement, 1)); in.size() == 1) {
      Maybe value = piece(text.substr(in[0] + 1));
      if (value) value->name = trimmed(text.substr(0, in[0]));
      return value;
    }
    constexpr std::array kRelations = {'=', '<', '>', kLessEqual, kGreaterEqual};
    auto relations = outer_positions(text, std::string_view(kRelations.data(), kRelations.size()));
    if (!relations.empty()) return relation(text, relations);
    if (auto unions = split(text, std::string_view(&kCupSign, 1)); unions.size() > 1) {
      return list(unions, Value{.kind = Value::Kind::kUnion});
    }
    if (text.starts_with("\\begin{")) return matrix(text);
    if (auto ratio = split(text, ":"); ratio.size() > 1) {
      return list(ratio, Value{.kind = Value::Kind::kOrdered, .open = ':', .close = ':'});
    }
    if (depth_change(text.front()) == 1 && depth_change(text.back()) == -1) {
      Maybe value = bracket(text);
      if (value || text.front() == kSetOpen) return value;
    }
    return quantity(text);
  }

  Maybe bracket(std::string_view text) {
    std::string_view inside = text.substr(1, text.size() - 2);
    int depth = 0;  // the first bracket must close at the end: not (1,2)+(3,4)
    for (size_t at = 0; at + 1 < text.size(); ++at) {
      depth += depth_change(text[at]);
      if (depth == 0) return std::nullopt;
    }
    std::vector<std::string_view> pieces = split(inside, ",");
    const bool set = text.front() == kSetOpen && text.back() == kSetClose;
    if (text.front() == '{' || (pieces.size() < 2 && !set)) return std::nullopt;
    const auto kind = set ? Value::Kind::kUnordered : Value::Kind::kOrdered;
    return list(pieces, Value{.kind = kind, .open = text.front(), .close = text.back()});
  }

  Maybe matrix(std::string_view text) {
    for (std::string_view name : {"pmatrix", "bmatrix", "matrix", "Bmatrix"}) {
      const std::string begin = fmt_environment("\\begin{", name), end = fmt_environment("\\end{", name);
      if (!text.starts_with(begin) || !text.ends_with(end) || text.size() < begin.size() + end.size()) continue;
      return matrix_rows(text.substr(begin.size(), text.size() - begin.size() - end.size()));
    }
    return std::nullopt;
  }

  static std::string fmt_environment(std::string_view command, std::string_view name) {
    return std::string(command) + std::string(name) + "}";
  }

  Maybe matrix_rows(std::string_view text) {
    Value out{.kind = Value::Kind::kMatrix};
    std::vector<std::string_view> cells;
    while (!trimmed(text).empty()) {
      size_t end = text.find("\\\\");
      std::vector<std::string_view> row = split(text.substr(0, end), "&");
      if (out.n_columns != 0 && row.size() != out.n_columns) return std::nullopt;
      out.n_columns = row.size();
      cells.insert(cells.end(), row.begin(), row.end());
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 2);
    }
    return list(cells, std::move(out));
  }

  static std::optional<std::string> variable_name(std::string_view side) {
    side = trimmed(side);
    if (side.size() == 1 && is_ascii_letter(side[0])) return std::string(side);
    const bool function = side.size() == 4 && is_ascii_letter(side[0]) && side[1] == '(' && is_ascii_letter(side[2]) && side[3] == ')';
    const bool indexed = side.size() == 3 && is_ascii_letter(side[0]) && side[1] == '_';
    return function || indexed ? std::optional(std::string(side)) : std::nullopt;
  }

  Maybe relation(std::string_view text, const std::vector<size_t>& at) {
    if (++depth_ > kDeepestValue) return std::nullopt;
    Maybe out;
    if (at.size() == 1 && text[at[0]] == '=') {
      out = equation(text.substr(0, at[0]), text.substr(at[0] + 1));
    } else if (at.size() == 1) {
      out = half_line(text.substr(0, at[0]), text[at[0]], text.substr(at[0] + 1));
    } else if (at.size() == 2) {
      out = between(text, at[0], at[1]);
    }
    --depth_;
    return out;
  }

  Maybe equation(std::string_view left, std::string_view right) {
    Value out{.kind = Value::Kind::kEquation};
    if (auto name = variable_name(left)) {
      Maybe solution = piece(right);
      if (!solution) return std::nullopt;
      out.name = *name;
      out.parts.push_back(std::move(*solution));
    }
    Algebra attempt = algebra_.attempt();
    auto a = parse_expression(left, attempt), b = parse_expression(right, attempt);
    if (a && b) out.expression.value = attempt.add(a->value, attempt.negated(b->value));
    algebra_.charge(attempt);
    if (a && b) {
      if (attempt.failed()) return std::nullopt;
    } else if (out.parts.empty()) {
      return std::nullopt;
    } else {
      // x = 5 cm, x = (1, 2): no equation of numbers, but the value of x.
      Value solution = std::move(out.parts[0]);
      solution.name = out.name;
      return solution;
    }
    return out;
  }

  static bool is_less(char c) { return c == '<' || c == kLessEqual; }
  static bool is_closed(char c) { return c == kLessEqual || c == kGreaterEqual; }

  Maybe interval(Value low, bool low_closed, Value high, bool high_closed, std::string name) {
    Value out{.kind = Value::Kind::kOrdered};
    out.name = std::move(name);
    out.open = low_closed ? '[' : '(';
    out.close = high_closed ? ']' : ')';
    out.parts.push_back(std::move(low));
    out.parts.push_back(std::move(high));
    return out;
  }

  // x > 3, and 3 < x.
  Maybe half_line(std::string_view left, char relation, std::string_view right) {
    auto name = variable_name(left);
    const bool variable_first = name.has_value();
    if (!name) name = variable_name(right);
    if (!name) return std::nullopt;
    Maybe bound = piece(variable_first ? right : left);
    if (!bound) return std::nullopt;
    Value infinity{.kind = Value::Kind::kInfinity};
    infinity.negative = is_less(relation) == variable_first;
    if (infinity.negative) return interval(infinity, false, *bound, is_closed(relation), *name);
    return interval(*bound, is_closed(relation), infinity, false, *name);
  }

  Maybe between(std::string_view text, size_t first, size_t second) {
    const char a = text[first], b = text[second];
    auto name = variable_name(text.substr(first + 1, second - first - 1));
    if (!name || a == '=' || b == '=' || is_less(a) != is_less(b)) return std::nullopt;
    Maybe left = piece(text.substr(0, first)), right = piece(text.substr(second + 1));
    if (!left || !right) return std::nullopt;
    if (is_less(a)) return interval(*left, is_closed(a), *right, is_closed(b), *name);
    return interval(*right, is_closed(b), *left, is_closed(a), *name);
  }

  // A number or expression with its unit, or both values of a +-.
  Maybe quantity(std::string_view text) {
    Measured measured = split_unit(text, short_units_);
    const std::string_view number = measured.number;
    if (number.ends_with(kInfinitySign)) {
      std::string_view sign = trimmed(number.substr(0, number.size() - 1));
      if (!sign.empty() && sign != "+" && sign != "-") return std::nullopt;
      Value out{.kind = Value::Kind::kInfinity};
      out.negative = sign == "-";
      return out;
    }
    if (number.find(kPlusMinus) == std::string_view::npos) return measured_expression(number, measured);
    Value out{.kind = Value::Kind::kUnordered};
    for (bool upper : {true, false}) {
      std::string one(number);
      for (char& c : one) {
        if (c == kPlusMinus) c = upper ? '+' : '-';
        if (c == kMinusPlus) c = upper ? '-' : '+';
      }
      Maybe value = measured_expression(one, measured);
      if (!value) return std::nullopt;
      out.parts.push_back(std::move(*value));
    }
    return out;
  }

  Maybe measured_expression(std::string_view text, const Measured& measured) {
    auto expression = parse_expression(text, algebra_);
    if (!expression) return std::nullopt;
    Value out{.kind = Value::Kind::kExpression, .expression = std::move(*expression)};
    out.unit = measured.unit;
    if (measured.scale != 1) out.expression.value = algebra_.multiply(out.expression.value, algebra_.number(measured.scale));
    return out;
  }

  Algebra& algebra_;
  ShortUnits short_units_;
  int depth_ = 0;
};

bool same_expression(const Formula& expected, const Formula& given, Algebra& algebra) {
  if (expected.is_numeral) {
    if (!given.is_numeral) return false;
    const bool whole = is_rational(expected.value) && rational_of(expected.value).get_den() == 1;
    if (whole && !expected.has_fraction && given.has_fraction) return false;
  }
  return algebra.equal(expected.value, given.value);
}

bool same_unordered(const std::vector<Value>& expected, const std::vector<Value>& given, Algebra& algebra) {
  std::vector<bool> used(given.size(), false);
  for (const Value& wanted : expected) {
    size_t i = 0;
    while (i < given.size() && (used[i] || !same_value(wanted, given[i], algebra))) ++i;
    if (i == given.size()) return false;
    used[i] = true;
  }
  return true;
}

bool same_ordered(const std::vector<Value>& expected, const std::vector<Value>& given, Algebra& algebra) {
  for (size_t i = 0; i < expected.size(); ++i) {
    if (!same_value(expected[i], given[i], algebra)) return false;
  }
  return true;
}

bool same_equation(const Value& expected, const Value& given, Algebra& algebra) {
  if (algebra.proportional(expected.expression.value, given.expression.value)) {
    // x = 3*5 is no answer where x = 15 is.
    if (expected.parts.empty() || given.parts.empty() || expected.name != given.name) return true;
    return same_value(expected.parts[0], given.parts[0], algebra);
  }
  return false;
}

}  // namespace

std::optional<Value> parse_value(std::string_view cleaned, Algebra& algebra, ShortUnits short_units) {
  auto value = Reader(algebra, short_units).answer(cleaned);
  return algebra.failed() ? std::nullopt : value;
}

bool same_value(const Value& expected, const Value& given, Algebra& algebra) {
  using Kind = Value::Kind;
  if (expected.kind == Kind::kEquation && given.kind == Kind::kEquation) return same_equation(expected, given, algebra);
  if (expected.kind == Kind::kEquation) {
    const bool named = given.name.empty() || given.name == expected.name;
    return named && !expected.parts.empty() && same_value(expected.parts[0], given, algebra);
  }
  if (given.kind == Kind::kEquation) {
    const bool named = expected.name.empty() || expected.name == given.name;
    return named && !given.parts.empty() && same_value(expected, given.parts[0], algebra);
  }
  if (expected.kind != given.kind || expected.parts.size() != given.parts.size()) return false;
  if (!expected.unit.empty() && !given.unit.empty() && expected.unit != given.unit) return false;
  if (!expected.name.empty() && !given.name.empty() && expected.name != given.name) return false;
  switch (expected.kind) {
    case Kind::kExpression:
      return same_expression(expected.expression, given.expression, algebra);
    case Kind::kInfinity:
      return expected.negative == given.negative;
    case Kind::kOrdered:
      return expected.open == given.open && expected.close == given.close && same_ordered(expected.parts, given.parts, algebra);
    case Kind::kMatrix:
      return expected.n_columns == given.n_columns && same_ordered(expected.parts, given.parts, algebra);
    default:
      return same_unordered(expected.parts, given.parts, algebra);
  }
}

}  // namespace minke::compare
