// What follows a primary expression: attributes, subscripts, calls, filters and tests.
#include <algorithm>
#include <array>

#include "jinja/library/filters.h"
#include "jinja/library/predicates.h"
#include "jinja/syntax/parser.h"

namespace minke::jinja {

int Parser::height_of(const std::vector<ArgumentNode>& arguments) {
  int height = 0;
  for (const auto& argument : arguments) height = std::max(height, argument.value->height);
  return height;
}

Result<ExprPtr> Parser::parse_postfix(ExprPtr expr) {
  while (true) {
    if (is_operator(".")) {
      expr = TRY(parse_attribute(std::move(expr)));
    } else if (is_operator("[")) {
      expr = TRY(parse_subscript(std::move(expr)));
    } else if (is_operator("(")) {
      const int line = peek().line;
      auto arguments = TRY(parse_arguments());
      const int height = std::max({expr->height, height_of(arguments)});
      expr = TRY(make(line, height, CallNode{std::move(expr), std::move(arguments)}));
    } else {
      return expr;
    }
  }
}

Result<ExprPtr> Parser::parse_attribute(ExprPtr object) {
  take();
  const int height = object->height;
  const Token name = peek();
  if (name.kind == TokenKind::kInteger) {
    ExprPtr index = TRY(parse_number());
    return make(name.line, height, SubscriptNode{std::move(object), std::move(index)});
  }
  TRY(expect_any_name("a name or a number after '.'"));
  return make(name.line, height, AttributeNode{std::move(object), make_constant_string(name.text)});
}

Result<ExprPtr> Parser::parse_subscript(ExprPtr object) {
  const int line = take().line;
  std::vector<ExprPtr> parts(3);
  size_t n_colons = 0;
  while (!is_operator("]")) {
    if (take_operator(":")) {
      if (++n_colons > 2) return fail(line, "a slice has at most three parts");
    } else if (parts[n_colons] == nullptr) {
      parts[n_colons] = TRY(parse_expression());
      if (is_operator(",")) return fail(line, "several subscripts are not supported");
    } else {
      return unexpected_token("']'");
    }
  }
  TRY(expect_operator("]"));
  const int height = std::max({object->height, height_of(parts[0]), height_of(parts[1]), height_of(parts[2])});
  if (n_colons > 0)
    return make(line, height, SliceNode{std::move(object), std::move(parts[0]), std::move(parts[1]), std::move(parts[2])});
  if (parts[0] == nullptr) return fail(line, "expected subscript expression");
  return make(line, height, SubscriptNode{std::move(object), std::move(parts[0])});
}

Result<ExprPtr> Parser::parse_filters_and_tests(ExprPtr expr) {
  while (true) {
    if (is_operator("|")) {
      take();
      expr = TRY(parse_filter(std::move(expr)));
    } else if (is_name("is")) {
      expr = TRY(parse_test(std::move(expr)));
    } else if (is_operator("(")) {
      const int line = peek().line;
      auto arguments = TRY(parse_arguments());
      const int height = std::max({expr->height, height_of(arguments)});
      expr = TRY(make(line, height, CallNode{std::move(expr), std::move(arguments)}));
    } else {
      return expr;
    }
  }
}

Result<std::string> Parser::parse_dotted_name() {
  std::string name = TRY(expect_any_name("a name")).text;
  while (take_operator(".")) name += "." + TRY(expect_any_name("a name")).text;
  return name;
}

Result<ExprPtr> Parser::parse_filter(ExprPtr input) {
  const int line = peek().line;
  FilterNode node;
  node.name = TRY(parse_dotted_name());
  node.filter = find_filter(node.name);
  if (node.filter == nullptr) missing_.emplace_back(line, missing_filter_message(node.name));
  if (is_operator("(")) node.arguments = TRY(parse_arguments());
  const int height = std::max({height_of(input), height_of(node.arguments)});
  node.input = std::move(input);
  return make(line, height, std::move(node));
}

// name(args) | name ..., for filter blocks and set blocks: the innermost input is null.
Result<ExprPtr> Parser::parse_filter_chain() {
  ExprPtr chain = TRY(parse_filter(nullptr));
  while (take_operator("|")) chain = TRY(parse_filter(std::move(chain)));
  TRY(check_missing());
  return chain;
}

Result<ExprPtr> Parser::parse_test(ExprPtr input) {
  const int line = take().line;
  const bool negated = take_name("not");
  TestNode node;
  node.name = TRY(parse_dotted_name());
  node.test = find_test(node.name);
  if (node.test == nullptr) missing_.emplace_back(line, fmt::format("No test named '{}' found.", node.name));
  const TokenKind next = peek().kind;
  const bool starts_argument = next == TokenKind::kName || next == TokenKind::kString || next == TokenKind::kInteger ||
                               next == TokenKind::kFloat || is_operator("[") || is_operator("{");
  if (is_operator("(")) {
    node.arguments = TRY(parse_arguments());
  } else if (starts_argument && !is_name("else") && !is_name("or") && !is_name("and")) {
    if (is_name("is")) return fail(line, "you cannot chain multiple tests with is");
    ExprPtr argument = TRY(parse_primary());
    argument = TRY(parse_postfix(std::move(argument)));
    node.arguments.push_back({ArgumentNode::Style::kPositional, nullptr, std::move(argument)});
  }
  const int height = std::max({input->height, height_of(node.arguments)});
  node.input = std::move(input);
  ExprPtr test = TRY(make(line, height, std::move(node)));
  if (!negated) return test;
  return make(line, height + 1, UnaryNode{UnaryOp::kNot, std::move(test)});
}

Result<std::vector<ArgumentNode>> Parser::parse_arguments() {
  using Style = ArgumentNode::Style;
  const int line = take().line;
  std::vector<ArgumentNode> arguments;
  std::array<bool, 4> has{};  // styles so far
  while (!is_operator(")")) {
    if (!arguments.empty()) TRY(expect_operator(","));
    if (is_operator(")")) break;
    ArgumentNode argument{Style::kPositional, nullptr, nullptr};
    if (take_operator("**")) {
      argument.style = Style::kStarStar;
    } else if (take_operator("*")) {
      argument.style = Style::kStar;
    } else if (peek().kind == TokenKind::kName && is_operator("=", 1)) {
      argument.style = Style::kNamed;
      argument.name = make_constant_string(take().text);
      take();
    }
    const bool in_order = argument.style == Style::kPositional
                              ? !has[1] && !has[2] && !has[3]  // enumerators of Style: named, star, star star
                          : argument.style == Style::kStar ? !has[2] && !has[3]
                                                           : !has[3];
    if (!in_order) return fail(line, "invalid order of arguments");
    has[static_cast<size_t>(argument.style)] = true;
    argument.value = TRY(parse_expression());
    arguments.push_back(std::move(argument));
  }
  TRY(expect_operator(")"));
  return arguments;
}

}  // namespace minke::jinja
