#include "constrain/json/json_text.h"

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "constrain/text/regex.h"

namespace minke::constrain {
namespace {

constexpr int64_t kMaxIndent = 32;

NodeId regex(Expressions& expressions, const char* pattern) {
  auto node = parse_regex(expressions, pattern, pattern);
  CHECK(node.has_value(), "{}", node.error().message);
  return *node;
}

// The characters that a string has as they are.
CodePointSet plain_chars() { return CodePointSet{{0x20, kMaxCodePoint}}.without({{'"', '"'}, {'\\', '\\'}}); }

constexpr std::pair<char32_t, char> kShortEscapes[] = {{'"', '"'},  {'\\', '\\'}, {'\b', 'b'}, {'\f', 'f'},
                                                       {'\n', 'n'}, {'\r', 'r'},  {'\t', 't'}};

}  // namespace

JsonText::JsonText(Expressions& expressions, JsonSpace space) : expressions_(expressions), space_(expressions.empty()) {
  if (space == JsonSpace::kNone) return;
  Expressions& e = expressions_;
  NodeId line = e.sequence({e.bytes("\n"), e.repeat(e.chars({{'\t', '\t'}, {' ', ' '}}), 0, kMaxIndent)});
  space_ = e.new_rule("white space", e.optional(e.choice({e.bytes(" "), line})));
}

NodeId JsonText::chars(const CodePointSet& set) {
  Expressions& e = expressions_;
  CodePointSet escaped = set.without(plain_chars()), letters;
  for (auto [code_point, letter] : kShortEscapes) {
    if (!escaped.contains(code_point)) continue;
    letters.add(static_cast<char32_t>(letter), static_cast<char32_t>(letter));
    escaped = escaped.without({{code_point, code_point}});
  }
  std::vector<NodeId> ways = {e.chars(set.intersection(plain_chars()))};
  if (!letters.empty()) ways.push_back(e.sequence({e.bytes("\\"), e.chars(letters)}));
  for (char32_t high : {0, 1}) {  // what is left is below U+0020
    CodePointSet digits;
    for (char32_t low = 0; low < 16; low++) {
      auto digit = static_cast<char32_t>("0123456789abcdef"[low]);
      if (escaped.contains(high * 16 + low)) digits.add(digit, digit);
    }
    if (!digits.empty()) ways.push_back(e.sequence({e.bytes(high ? "\\u001" : "\\u000"), e.chars(digits)}));
  }
  return e.choice(std::move(ways));
}

NodeId JsonText::string(int64_t min, int64_t max) {
  auto [it, is_new] = strings_.try_emplace({min, max}, -1);
  if (!is_new) return it->second;
  Expressions& e = expressions_;
  if (any_char_ < 0) {
    // Surrogates in pairs only.
    NodeId escape = regex(e, R"(\\(?:["\\/bfnrt]|u(?:[0-9A-CEFa-cef][0-9A-Fa-f]{3}|[Dd][0-7][0-9A-Fa-f]{2}|)"
                             R"([Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2})))");
    any_char_ = e.choice({e.chars(plain_chars()), escape});
  }
  NodeId quote = e.bytes("\"");
  return it->second = e.new_rule("a string", e.sequence({quote, e.counted(any_char_, min, max), quote}));
}

NodeId JsonText::regex_rule(const char* name, const char* pattern) {
  return expressions_.new_rule(name, regex(expressions_, pattern));
}

NodeId JsonText::integer() {
  if (integer_ < 0) integer_ = regex_rule("an integer", "0|-?[1-9][0-9]{0,17}");
  return integer_;
}

NodeId JsonText::number() {
  if (number_ < 0) number_ = regex_rule("a number", R"(-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?(?:[eE][+-]?[0-9]{1,2})?)");
  return number_;
}

NodeId JsonText::value() {
  if (value_ >= 0) return value_;
  Expressions& e = expressions_;
  RuleId rule = e.declare("a value");
  value_ = e.rule(rule);
  e.define(rule, e.choice({object(), array(), string(), number(), e.bytes("true"), e.bytes("false"), e.bytes("null")}));
  return value_;
}

NodeId JsonText::object() {
  if (object_ >= 0) return object_;
  Expressions& e = expressions_;
  RuleId rule = e.declare("an object");
  object_ = e.rule(rule);
  NodeId any_member = e.sequence({string(), e.bytes(":"), space_, value()});
  NodeId members = e.sequence({any_member, e.repeat(comma_then(any_member), 0, kUnbounded)});
  e.define(rule, in_braces(e.optional(members)));
  return object_;
}

NodeId JsonText::array() {
  if (array_ >= 0) return array_;
  Expressions& e = expressions_;
  RuleId rule = e.declare("an array");
  array_ = e.rule(rule);
  NodeId items = e.sequence({value(), e.repeat(comma_then(value()), 0, kUnbounded)});
  e.define(rule, in_brackets(e.optional(items)));
  return array_;
}

NodeId JsonText::in_braces(NodeId members) {
  Expressions& e = expressions_;
  return e.sequence({e.bytes("{"), space_, members, space_, e.bytes("}")});
}

NodeId JsonText::in_brackets(NodeId items) {
  Expressions& e = expressions_;
  return e.sequence({e.bytes("["), space_, items, space_, e.bytes("]")});
}

NodeId JsonText::comma_then(NodeId next) { return expressions_.sequence({expressions_.bytes(","), space_, next}); }

NodeId JsonText::member(const std::string& key, NodeId value) {
  return expressions_.sequence({expressions_.bytes(dump_json(Json(key)) + ":"), space_, value});
}

}  // namespace minke::constrain
