#include "jinja/library/predicates.h"

#include "jinja/library/filters.h"
#include "jinja/value/operators.h"
#include "jinja/value/repr.h"
#include "jinja/value/text.h"

namespace minke::jinja {

namespace {

using Check = bool (*)(const Value&);

template <Check check>
Result<Value> simple(Runtime&, const Value& self, const Arguments&) {
  return Value(check(self));
}

template <CompareOp op>
Result<Value> compared(Runtime& runtime, const Value& self, const Arguments& args) {
  return Value(TRY(apply_compare(runtime, op, self, args.at(0))));
}

Result<Value> remainder(Runtime& runtime, const Value& self, const Value& divisor) {
  return apply_binary(runtime, BinaryOp::kMod, self, divisor);
}

template <int expected>
Result<Value> parity(Runtime& runtime, const Value& self, const Arguments&) {
  const Value rest = TRY(remainder(runtime, self, Value(Int{2})));
  return Value(TRY(equals(runtime, rest, Value(Int{expected}))));
}

Result<Value> divisible_by(Runtime& runtime, const Value& self, const Arguments& args) {
  const Value rest = TRY(remainder(runtime, self, args.at(0)));
  return Value(TRY(equals(runtime, rest, Value(Int{0}))));
}

// Python's identity; numbers and strings have none that a template could rely on, so equal ones count as the same.
Result<Value> same_as(Runtime& runtime, const Value& self, const Arguments& args) {
  if (self.kind() != args.at(0).kind()) return Value(false);
  if (self.is_string() || self.identity() == nullptr) return Value(TRY(equals(runtime, self, args.at(0))));
  return Value(self.identity() == args.at(0).identity());
}

template <std::string (*Convert)(std::string_view)>
Result<Value> is_unchanged(Runtime& runtime, const Value& self, const Arguments&) {
  const std::string text = TRY(to_text(runtime, self));
  bool has_letter = false;
  for (char32_t c : code_points(text)) has_letter = has_letter || is_upper(c) || is_lower(c) || is_title(c);
  return Value(has_letter && Convert(text) == text);
}

bool is_sequence(const Value& v) {
  return v.is(Kind::kUndefined) || v.is_string() || v.is(Kind::kDict) || (v.is(Kind::kSequence) && v.sequence().indexable());
}
bool is_iterable(const Value& v) { return is_sequence(v) || v.is(Kind::kSequence) || v.is(Kind::kLoop); }
bool is_callable(const Value& v) {
  return v.is(Kind::kUndefined) || v.is(Kind::kFunction) || v.is(Kind::kMacro) || v.is(Kind::kLoop);
}

bool is_defined(const Value& v) { return !v.is(Kind::kUndefined); }
bool is_undefined(const Value& v) { return v.is(Kind::kUndefined); }
bool is_none(const Value& v) { return v.is(Kind::kNone); }
bool is_boolean(const Value& v) { return v.is(Kind::kBool); }
bool is_true(const Value& v) { return v.is(Kind::kBool) && v.boolean(); }
bool is_false(const Value& v) { return v.is(Kind::kBool) && !v.boolean(); }
bool is_integer(const Value& v) { return v.is(Kind::kInt); }
bool is_float(const Value& v) { return v.is(Kind::kFloat); }
bool is_number(const Value& v) { return v.is_number(); }
bool is_string(const Value& v) { return v.is_string(); }
bool is_mapping(const Value& v) { return v.is(Kind::kDict); }
bool is_escaped(const Value& v) { return v.is_string() && v.string().is_markup; }
bool names_filter(const Value& v) { return v.is_string() && find_filter(v.text()) != nullptr; }
bool names_test(const Value& v) { return v.is_string() && find_test(v.text()) != nullptr; }

constexpr FunctionRow kTests[] = {
    {"!=", compared<CompareOp::kNe>, {"/other"}, 1},
    {"<", compared<CompareOp::kLt>, {"/other"}, 1},
    {"<=", compared<CompareOp::kLe>, {"/other"}, 1},
    {"==", compared<CompareOp::kEq>, {"/other"}, 1},
    {">", compared<CompareOp::kGt>, {"/other"}, 1},
    {">=", compared<CompareOp::kGe>, {"/other"}, 1},
    {"boolean", simple<is_boolean>},
    {"callable", simple<is_callable>},
    {"defined", simple<is_defined>},
    {"divisibleby", divisible_by, {"num"}, 1},
    {"eq", compared<CompareOp::kEq>, {"/other"}, 1},
    {"equalto", compared<CompareOp::kEq>, {"/other"}, 1},
    {"escaped", simple<is_escaped>},
    {"even", parity<0>},
    {"false", simple<is_false>},
    {"filter", simple<names_filter>},
    {"float", simple<is_float>},
    {"ge", compared<CompareOp::kGe>, {"/other"}, 1},
    {"greaterthan", compared<CompareOp::kGt>, {"/other"}, 1},
    {"gt", compared<CompareOp::kGt>, {"/other"}, 1},
    {"in", compared<CompareOp::kIn>, {"seq"}, 1},
    {"integer", simple<is_integer>},
    {"iterable", simple<is_iterable>},
    {"le", compared<CompareOp::kLe>, {"/other"}, 1},
    {"lessthan", compared<CompareOp::kLt>, {"/other"}, 1},
    {"lower", is_unchanged<to_lower>},
    {"lt", compared<CompareOp::kLt>, {"/other"}, 1},
    {"mapping", simple<is_mapping>},
    {"ne", compared<CompareOp::kNe>, {"/other"}, 1},
    {"none", simple<is_none>},
    {"number", simple<is_number>},
    {"odd", parity<1>},
    {"sameas", same_as, {"other"}, 1},
    {"sequence", simple<is_sequence>},
    {"string", simple<is_string>},
    {"test", simple<names_test>},
    {"true", simple<is_true>},
    {"undefined", simple<is_undefined>},
    {"upper", is_unchanged<to_upper>},
};

}  // namespace

const FunctionRow* find_test(std::string_view name) { return find_row(kTests, name); }

}  // namespace minke::jinja
