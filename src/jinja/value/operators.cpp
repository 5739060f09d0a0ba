// Arithmetic, comparison and membership (docs.python.org/3/reference/expressions.html).
#include "jinja/value/operators.h"

#include <algorithm>
#include <cmath>

#include "base/markup.h"
#include "jinja/library/format.h"
#include "jinja/value/repr.h"
#include "jinja/value/text.h"

namespace minke::jinja {

namespace {

std::string_view symbol(BinaryOp op) {
  switch (op) {
    case BinaryOp::kAdd:
      return "+";
    case BinaryOp::kSub:
      return "-";
    case BinaryOp::kMul:
      return "*";
    case BinaryOp::kDiv:
      return "/";
    case BinaryOp::kFloorDiv:
      return "//";
    case BinaryOp::kMod:
      return "%";
    case BinaryOp::kPow:
      return "**";
  }
  return "";
}

tl::unexpected<Error> unsupported(BinaryOp op, const Value& left, const Value& right) {
  if (op == BinaryOp::kAdd && left.is_string()) return error("can only concatenate str (not \"{}\") to str", type_name(right));
  return error("unsupported operand types for {}: '{}' and '{}'", symbol(op), type_name(left), type_name(right));
}

Int floor_div(Int a, Int b) {
  const Int quotient = a / b;
  return quotient - ((a % b != 0) && ((a < 0) != (b < 0)));
}

Result<Int> multiply(Int a, Int b) {
  // Both are within 65 bits, so the product may leave 128: divide first.
  auto magnitude = [](Int i) { return i < 0 ? -i : i; };
  if (a != 0 && magnitude(b) > kMaxInt / magnitude(a)) return error("integer outside -2^63 .. 2^64-1");
  return a * b;
}

Result<Value> integer_power(Runtime& runtime, Int base, Int exponent) {
  if (exponent < 0) {
    if (base == 0) return error("0 cannot be raised to a negative power");
    return Value(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  if (base == 0 || base == 1) return Value(exponent == 0 ? Int{1} : base);
  if (base == -1) return Value(exponent % 2 == 0 ? Int{1} : Int{-1});
  Int power = 1;
  for (; exponent > 0; --exponent) power = TRY(multiply(power, base));  // ends after 64 factors
  return runtime.integer(power);
}

Result<Value> integer_op(Runtime& runtime, BinaryOp op, Int a, Int b) {
  switch (op) {
    case BinaryOp::kAdd:
      return runtime.integer(a + b);
    case BinaryOp::kSub:
      return runtime.integer(a - b);
    case BinaryOp::kMul:
      return runtime.integer(TRY(multiply(a, b)));
    case BinaryOp::kPow:
      return integer_power(runtime, a, b);
    default:
      break;
  }
  if (b == 0) return error("division by zero");
  if (op == BinaryOp::kDiv) return Value(static_cast<double>(a) / static_cast<double>(b));
  if (op == BinaryOp::kFloorDiv) return runtime.integer(floor_div(a, b));
  return runtime.integer(a - floor_div(a, b) * b);
}

Result<Value> float_power(double a, double b) {
  if (a == 0 && b < 0) return error("0.0 cannot be raised to a negative power");
  if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b)) {
    return error("a negative number has no real power of {}", float_repr(b));
  }
  const double power = std::pow(a, b);
  if (std::isinf(power) && std::isfinite(a) && std::isfinite(b)) return error("float power out of range");
  return Value(power);
}

Result<Value> float_op(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd:
      return Value(a + b);
    case BinaryOp::kSub:
      return Value(a - b);
    case BinaryOp::kMul:
      return Value(a * b);
    case BinaryOp::kPow:
      return float_power(a, b);
    default:
      break;
  }
  if (b == 0) return error("float division by zero");
  if (op == BinaryOp::kDiv) return Value(a / b);
  double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder != 0) {
    if ((b < 0) != (remainder < 0)) {
      remainder += b;
      quotient -= 1;
    }
  } else {
    remainder = std::copysign(0.0, b);
  }
  if (op == BinaryOp::kMod) return Value(remainder);
  if (quotient == 0) return Value(std::copysign(0.0, a / b));
  const double rounded = std::floor(quotient);
  return Value(quotient - rounded > 0.5 ? rounded + 1 : rounded);
}

Result<Value> concatenate(Runtime& runtime, const Value& left, const Value& right) {
  if (left.is_string() && right.is_string()) {
    const bool a = left.string().is_markup, b = right.string().is_markup;
    TRY(runtime.reserve(left.text().size() + right.text().size()));
    std::string text(b && !a ? escape_markup(left.text()) : std::string(left.text()));
    if (a && !b) {
      text += escape_markup(right.text());
    } else {
      text += right.text();
    }
    return runtime.string(std::move(text), a || b);
  }
  if (!left.is(Kind::kSequence) || !right.is(Kind::kSequence)) return unsupported(BinaryOp::kAdd, left, right);
  const Sequence &a = left.sequence(), &b = right.sequence();
  const bool lists = a.style == SequenceStyle::kList && b.style == SequenceStyle::kList;
  if (!lists && !(a.is_tuple() && b.is_tuple())) return unsupported(BinaryOp::kAdd, left, right);
  TRY(runtime.reserve((a.items.size() + b.items.size()) * sizeof(Value)));
  std::vector<Value> items;
  items.reserve(a.items.size() + b.items.size());
  items.insert(items.end(), a.items.begin(), a.items.end());
  items.insert(items.end(), b.items.begin(), b.items.end());
  return runtime.sequence(lists ? SequenceStyle::kList : SequenceStyle::kTuple, std::move(items));
}

Result<Value> repeat(Runtime& runtime, const Value& value, Int count) {
  const size_t n = count < 0 ? 0 : static_cast<size_t>(count);
  if (value.is_string()) {
    TRY(runtime.reserve_product(n, value.text().size()));
    std::string text;
    if (!value.text().empty()) {
      text.reserve(n * value.text().size());
      for (size_t i = 0; i < n; ++i) text += value.text();
    }
    return runtime.string_like(value, std::move(text));
  }
  const Sequence& sequence = value.sequence();
  TRY(runtime.reserve_product(n, sequence.items.size() * sizeof(Value)));
  std::vector<Value> items;
  if (!sequence.items.empty()) {
    items.reserve(n * sequence.items.size());
    for (size_t i = 0; i < n; ++i) items.insert(items.end(), sequence.items.begin(), sequence.items.end());
  }
  return runtime.sequence(sequence.is_tuple() ? SequenceStyle::kTuple : SequenceStyle::kList, std::move(items));
}

bool is_repeatable(const Value& v) {
  return v.is_string() || (v.is(Kind::kSequence) && (v.sequence().style == SequenceStyle::kList || v.sequence().is_tuple()));
}

bool numbers_equal(const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return a.integer() == b.integer();
  return a.number() == b.number();
}

Result<bool> items_equal(Runtime& runtime, const std::vector<Value>& a, const std::vector<Value>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!TRY(equals(runtime, a[i], b[i]))) return false;
  }
  return true;
}

Result<bool> dicts_equal(Runtime& runtime, const Dict& a, const Dict& b) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, value] : a.entries) {
    const Value* other = b.find(key);
    TRY(runtime.touch(key.is_string() ? 0 : b.entries.size()));
    if (other == nullptr || !TRY(equals(runtime, value, *other))) return false;
  }
  return true;
}

}  // namespace

Status require_defined(const Value& value) {
  if (!value.is(Kind::kUndefined)) return {};
  const auto& reason = value.undefined();
  return error("{}", reason == nullptr ? "the value is undefined" : reason->message);
}

Result<Value> apply_unary(Runtime& runtime, UnaryOp op, const Value& operand) {
  if (op == UnaryOp::kNot) return Value(!truthy(operand));
  TRY(require_defined(operand));
  if (!operand.is_number())
    return error("bad operand type for unary {}: '{}'", op == UnaryOp::kMinus ? '-' : '+', type_name(operand));
  if (operand.is(Kind::kFloat)) return Value(op == UnaryOp::kMinus ? -operand.number() : operand.number());
  return runtime.integer(op == UnaryOp::kMinus ? -operand.integer() : operand.integer());
}

Result<Value> apply_binary(Runtime& runtime, BinaryOp op, const Value& left, const Value& right) {
  if (op == BinaryOp::kMod && left.is_string()) return format_percent(runtime, left, right);
  TRY(require_defined(left));
  TRY(require_defined(right));
  if (left.is_integral() && right.is_integral()) return integer_op(runtime, op, left.integer(), right.integer());
  if (left.is_number() && right.is_number()) return float_op(op, left.number(), right.number());
  if (op == BinaryOp::kAdd) return concatenate(runtime, left, right);
  if (op == BinaryOp::kMul && is_repeatable(left) && right.is_integral()) return repeat(runtime, left, right.integer());
  if (op == BinaryOp::kMul && is_repeatable(right) && left.is_integral()) return repeat(runtime, right, left.integer());
  return unsupported(op, left, right);
}

Result<bool> equals(Runtime& runtime, const Value& a, const Value& b) {
  TRY(runtime.step());
  if (a.is_number() && b.is_number()) return numbers_equal(a, b);
  if (a.kind() != b.kind()) return false;
  if (a.identity() != nullptr && a.identity() == b.identity()) return true;
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      if (a.text().size() != b.text().size()) return false;
      TRY(runtime.touch(a.text().size()));
      return a.text() == b.text();
    case Kind::kDict:
      return dicts_equal(runtime, a.dict(), b.dict());
    case Kind::kSequence: {
      const Sequence &x = a.sequence(), &y = b.sequence();
      if (x.style != y.style && !(x.is_tuple() && y.is_tuple())) return false;
      if (x.style == SequenceStyle::kGenerator || x.style == SequenceStyle::kValuesView) return false;
      return items_equal(runtime, x.items, y.items);
    }
    default:
      return false;  // other objects are equal to themselves only
  }
}

Result<bool> less(Runtime& runtime, const Value& a, const Value& b) {
  TRY(runtime.step());
  TRY(require_defined(a));
  TRY(require_defined(b));
  if (a.is_integral() && b.is_integral()) return a.integer() < b.integer();
  if (a.is_number() && b.is_number()) return a.number() < b.number();
  if (a.is_string() && b.is_string()) {
    TRY(runtime.touch(std::min(a.text().size(), b.text().size())));
    return a.text() < b.text();  // UTF-8 sorts as its code points do
  }
  if (a.is(Kind::kSequence) && b.is(Kind::kSequence)) {
    const Sequence &x = a.sequence(), &y = b.sequence();
    if ((x.style == SequenceStyle::kList && y.style == SequenceStyle::kList) || (x.is_tuple() && y.is_tuple())) {
      for (size_t i = 0; i < std::min(x.items.size(), y.items.size()); ++i) {
        if (!TRY(equals(runtime, x.items[i], y.items[i]))) return less(runtime, x.items[i], y.items[i]);
      }
      return x.items.size() < y.items.size();
    }
  }
  return error("'<' not supported between '{}' and '{}'", type_name(a), type_name(b));
}

Result<bool> contains(Runtime& runtime, const Value& container, const Value& item) {
  switch (container.kind()) {
    case Kind::kUndefined:
      return false;
    case Kind::kString:
      if (!item.is_string()) return error("'in <string>' requires string as left operand, not {}", type_name(item));
      TRY(runtime.touch(container.text().size()));
      return find_text(container.text(), item.text()) != std::string_view::npos;
    case Kind::kDict:
      if (item.is(Kind::kUndefined)) return false;
      if (!is_hashable(item)) return error("unhashable type: '{}'", type_name(item));
      TRY(runtime.touch(item.is_string() ? item.text().size() : container.dict().entries.size() * sizeof(Value)));
      return container.dict().find(item) != nullptr;
    case Kind::kSequence: {
      const auto items = TRY(iterate(runtime, container));
      for (const Value& candidate : items) {
        if (TRY(equals(runtime, candidate, item))) return true;
      }
      return false;
    }
    default:
      return error("argument of type '{}' is not iterable", type_name(container));
  }
}

Result<bool> apply_compare(Runtime& runtime, CompareOp op, const Value& left, const Value& right) {
  switch (op) {
    case CompareOp::kEq:
      return equals(runtime, left, right);
    case CompareOp::kNe:
      return !TRY(equals(runtime, left, right));
    case CompareOp::kLt:
      return less(runtime, left, right);
    case CompareOp::kGt:
      return less(runtime, right, left);
    case CompareOp::kIn:
      return contains(runtime, right, left);
    case CompareOp::kNotIn:
      return !TRY(contains(runtime, right, left));
    case CompareOp::kLe:
    case CompareOp::kGe:
      break;
  }
  const Value& low = op == CompareOp::kLe ? left : right;
  const Value& high = op == CompareOp::kLe ? right : left;
  if (TRY(less(runtime, low, high))) return true;
  return equals(runtime, low, high);
}

}  // namespace minke::jinja
