// Precedence, weakest first: conditional, or, and, not, comparison, + -, ~, * / // %, **, unary, then postfix and filters.
#include <algorithm>
#include <charconv>

#include "jinja/syntax/parser.h"

namespace minke::jinja {

namespace {

int highest(std::initializer_list<int> heights) { return std::max(heights); }

int highest_of(const std::vector<ExprPtr>& exprs) {
  int height = 0;
  for (const ExprPtr& expr : exprs) height = std::max(height, expr == nullptr ? 0 : expr->height);
  return height;
}

}  // namespace

Result<ExprPtr> Parser::parse_tuple_expression(bool with_conditional) {
  const int line = peek().line;
  std::vector<ExprPtr> items;
  bool is_tuple = false;
  auto at_end = [&] { return peek().kind == TokenKind::kOutputEnd || peek().kind == TokenKind::kBlockEnd || is_operator(")"); };
  while (!at_end()) {
    items.push_back(TRY(parse_expression(with_conditional)));
    if (!take_operator(",")) break;
    is_tuple = true;
  }
  if (items.empty()) return unexpected_token("an expression");
  if (!is_tuple) return std::move(items[0]);
  const int height = highest_of(items);
  return make(line, height, SequenceNode{true, std::move(items)});
}

Result<ExprPtr> Parser::parse_expression(bool with_conditional) {
  const Level level(depth_);
  TRY(check_depth());
  ++n_open_expressions_;
  ExprPtr expr = TRY(with_conditional ? parse_conditional() : parse_or());
  --n_open_expressions_;
  TRY(check_missing());
  return expr;
}

Result<ExprPtr> Parser::parse_conditional() {
  const int line = peek().line;
  const size_t n_missing = missing_.size();
  ExprPtr expr = TRY(parse_or());
  while (take_name("if")) {
    ExprPtr condition = TRY(parse_or());
    ExprPtr otherwise;
    if (take_name("else")) {
      const Level level(depth_);
      TRY(check_depth());
      otherwise = TRY(parse_conditional());
    }
    missing_.resize(n_missing);
    const int height = highest({expr->height, condition->height, height_of(otherwise)});
    expr = TRY(make(line, height, ConditionalNode{std::move(expr), std::move(condition), std::move(otherwise)}));
  }
  return expr;
}

Result<ExprPtr> Parser::parse_or() {
  const int line = peek().line;
  ExprPtr left = TRY(parse_and());
  while (take_name("or")) {
    ExprPtr right = TRY(parse_and());
    const int height = highest({left->height, right->height});
    left = TRY(make(line, height, LogicalNode{false, std::move(left), std::move(right)}));
  }
  return left;
}

Result<ExprPtr> Parser::parse_and() {
  const int line = peek().line;
  ExprPtr left = TRY(parse_not());
  while (take_name("and")) {
    ExprPtr right = TRY(parse_not());
    const int height = highest({left->height, right->height});
    left = TRY(make(line, height, LogicalNode{true, std::move(left), std::move(right)}));
  }
  return left;
}

Result<ExprPtr> Parser::parse_not() {
  if (!is_name("not")) return parse_compare();
  const Level level(depth_);
  TRY(check_depth());
  const int line = take().line;
  ExprPtr operand = TRY(parse_not());
  const int height = operand->height;
  return make(line, height, UnaryNode{UnaryOp::kNot, std::move(operand)});
}

Result<ExprPtr> Parser::parse_compare() {
  constexpr std::pair<std::string_view, CompareOp> kOps[] = {{"==", CompareOp::kEq}, {"!=", CompareOp::kNe},
                                                             {"<", CompareOp::kLt},  {"<=", CompareOp::kLe},
                                                             {">", CompareOp::kGt},  {">=", CompareOp::kGe}};
  const int line = peek().line;
  ExprPtr first = TRY(parse_sum());
  std::vector<std::pair<CompareOp, ExprPtr>> rest;
  int height = first->height;
  while (true) {
    const auto it = std::find_if(std::begin(kOps), std::end(kOps), [&](const auto& op) { return is_operator(op.first); });
    CompareOp op;
    if (it != std::end(kOps)) {
      take();
      op = it->second;
    } else if (take_name("in")) {
      op = CompareOp::kIn;
    } else if (is_name("not") && is_name("in", 1)) {
      take();
      take();
      op = CompareOp::kNotIn;
    } else {
      break;
    }
    rest.emplace_back(op, TRY(parse_sum()));
    height = std::max(height, rest.back().second->height);
  }
  if (rest.empty()) return first;
  return make(line, height, CompareNode{std::move(first), std::move(rest)});
}

Result<ExprPtr> Parser::parse_sum() {
  ExprPtr left = TRY(parse_concat());
  while (is_operator("+") || is_operator("-")) {
    const Token op = take();
    ExprPtr right = TRY(parse_concat());
    const int height = highest({left->height, right->height});
    const BinaryOp kind = op.text == "+" ? BinaryOp::kAdd : BinaryOp::kSub;
    left = TRY(make(op.line, height, BinaryNode{kind, std::move(left), std::move(right)}));
  }
  return left;
}

Result<ExprPtr> Parser::parse_concat() {
  const int line = peek().line;
  std::vector<ExprPtr> parts;
  parts.push_back(TRY(parse_product()));
  while (take_operator("~")) parts.push_back(TRY(parse_product()));
  if (parts.size() == 1) return std::move(parts[0]);
  const int height = highest_of(parts);
  return make(line, height, ConcatNode{std::move(parts)});
}

Result<ExprPtr> Parser::parse_product() {
  constexpr std::pair<std::string_view, BinaryOp> kOps[] = {
      {"*", BinaryOp::kMul}, {"/", BinaryOp::kDiv}, {"//", BinaryOp::kFloorDiv}, {"%", BinaryOp::kMod}};
  ExprPtr left = TRY(parse_power());
  while (true) {
    const auto it = std::find_if(std::begin(kOps), std::end(kOps), [&](const auto& op) { return is_operator(op.first); });
    if (it == std::end(kOps)) return left;
    const int line = take().line;
    ExprPtr right = TRY(parse_power());
    const int height = highest({left->height, right->height});
    left = TRY(make(line, height, BinaryNode{it->second, std::move(left), std::move(right)}));
  }
}

// From left to right, unlike Python: 2 ** 3 ** 2 is 64.
Result<ExprPtr> Parser::parse_power() {
  ExprPtr left = TRY(parse_unary());
  while (is_operator("**")) {
    const int line = take().line;
    ExprPtr right = TRY(parse_unary());
    const int height = highest({left->height, right->height});
    left = TRY(make(line, height, BinaryNode{BinaryOp::kPow, std::move(left), std::move(right)}));
  }
  return left;
}

Result<ExprPtr> Parser::parse_unary(bool with_filters) {
  const Level level(depth_);
  TRY(check_depth());
  ExprPtr expr;
  if (is_operator("-") || is_operator("+")) {
    const Token op = take();
    ExprPtr operand = TRY(parse_unary(false));
    const int height = operand->height;
    expr = TRY(make(op.line, height, UnaryNode{op.text == "-" ? UnaryOp::kMinus : UnaryOp::kPlus, std::move(operand)}));
  } else {
    expr = TRY(parse_primary());
  }
  expr = TRY(parse_postfix(std::move(expr)));
  if (!with_filters) return expr;
  return parse_filters_and_tests(std::move(expr));
}

Result<ExprPtr> Parser::parse_primary() {
  const Token& token = peek();
  switch (token.kind) {
    case TokenKind::kName:
      return parse_name_or_constant();
    case TokenKind::kInteger:
    case TokenKind::kFloat:
      return parse_number();
    case TokenKind::kString: {
      const int line = token.line;
      std::string text;  // literals side by side are one
      while (peek().kind == TokenKind::kString) text += take().text;
      return make(line, 0, ConstantNode{Value(make_constant_string(std::move(text)))});
    }
    default:
      break;
  }
  if (is_operator("(")) return parse_parenthesized();
  if (is_operator("[")) return parse_list();
  if (is_operator("{")) return parse_dict();
  return unexpected_token("an expression");
}

Result<ExprPtr> Parser::parse_name_or_constant() {
  const Token token = take();
  if (token.text == "true" || token.text == "True") return make(token.line, 0, ConstantNode{Value(true)});
  if (token.text == "false" || token.text == "False") return make(token.line, 0, ConstantNode{Value(false)});
  if (token.text == "none" || token.text == "None") return make(token.line, 0, ConstantNode{Value(NoneType{})});
  for (MacroNode* macro : open_macros_) {
    macro->uses_varargs |= token.text == "varargs";
    macro->uses_kwargs |= token.text == "kwargs";
    macro->uses_caller |= token.text == "caller";
  }
  return make(token.line, 0, NameNode{make_constant_string(token.text)});
}

Result<ExprPtr> Parser::parse_number() {
  const Token token = take();
  const char* const end = token.text.data() + token.text.size();
  if (token.kind == TokenKind::kFloat) {
    double value = 0;
    const auto status = std::from_chars(token.text.data(), end, value).ec;
    if (status != std::errc())
      value = std::strtod(token.text.c_str(), nullptr);  // too large or too small: inf or 0, as in Python
    return make(token.line, 0, ConstantNode{Value(value)});
  }
  const char mark = token.text.size() > 2 ? static_cast<char>(token.text[1] | 0x20) : '\0';
  const int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
  uint64_t value = 0;
  const auto status = std::from_chars(token.text.data() + (base == 10 ? 0 : 2), end, value, base).ec;
  if (status != std::errc()) return fail(token.line, "integer outside -2^63 .. 2^64-1");
  return make(token.line, 0, ConstantNode{Value(Int{value})});
}

Result<ExprPtr> Parser::parse_parenthesized() {
  const int line = take().line;
  if (take_operator(")")) return make(line, 0, SequenceNode{true, {}});
  ExprPtr expr = TRY(parse_tuple_expression());
  TRY(expect_operator(")"));
  return expr;
}

Result<ExprPtr> Parser::parse_list() {
  const int line = take().line;
  std::vector<ExprPtr> items;
  while (!is_operator("]")) {
    if (!items.empty()) TRY(expect_operator(","));
    if (is_operator("]")) break;
    items.push_back(TRY(parse_expression()));
  }
  TRY(expect_operator("]"));
  const int height = highest_of(items);
  return make(line, height, SequenceNode{false, std::move(items)});
}

Result<ExprPtr> Parser::parse_dict() {
  const int line = take().line;
  DictNode dict;
  int height = 0;
  while (!is_operator("}")) {
    if (!dict.entries.empty()) TRY(expect_operator(","));
    if (is_operator("}")) break;
    ExprPtr key = TRY(parse_expression());
    TRY(expect_operator(":"));
    ExprPtr value = TRY(parse_expression());
    height = highest({height, key->height, value->height});
    dict.entries.emplace_back(std::move(key), std::move(value));
  }
  TRY(expect_operator("}"));
  return make(line, height, std::move(dict));
}

}  // namespace minke::jinja
