// From tokens to the syntax tree, by the grammar of Jinja 3.1. One class in three files: statements (parser.cpp), operators
// and literals (parse_expression.cpp), and what follows them (parse_postfix.cpp).
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "jinja/syntax/ast.h"
#include "jinja/syntax/lexer.h"
#include "jinja/template.h"

namespace minke::jinja {

class Parser {
 public:
  Parser(std::vector<Token> tokens, const TemplateLimits& limits) : tokens_(std::move(tokens)), limits_(limits) {}

  Result<TemplateNode> parse_template();

 private:
  // A list of words that end a block: {"elif", "else", "endif"}.
  using EndWords = std::vector<std::string_view>;

  // Tokens.
  const Token& peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  Token take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool is_operator(std::string_view text, size_t ahead = 0) const;
  bool is_name(std::string_view text, size_t ahead = 0) const;
  bool take_operator(std::string_view text);
  bool take_name(std::string_view text);
  Status expect_operator(std::string_view text);
  Status expect_name(std::string_view text);
  Result<Token> expect_any_name(std::string_view what);
  Status expect_block_end();

  template <typename... Args>
  tl::unexpected<Error> fail(int line, fmt::format_string<Args...> format, Args&&... args) const {
    return error("template line {}: {}", line, fmt::format(format, std::forward<Args>(args)...));
  }
  tl::unexpected<Error> unexpected_token(std::string_view expected) const;

  // Nesting: of blocks, brackets and operators.
  class Level {
   public:
    explicit Level(int& depth) : depth_(++depth) {}
    ~Level() { --depth_; }
    Level(const Level&) = delete;

   private:
    int& depth_;
  };
  Status check_depth() const;

  // Statements.
  Result<Block> parse_block(const EndWords& end_words);
  Status parse_into(Block& block);
  Result<Statement> parse_statement();
  Result<Statement> parse_if();
  Result<Statement> parse_for();
  Result<Statement> parse_set();
  Result<Statement> parse_macro();
  Result<Statement> parse_call_block();
  Result<Statement> parse_filter_block();
  Result<Statement> parse_with();
  Result<Statement> parse_generation();
  Result<Statement> parse_print();
  Result<Statement> parse_loop_control();
  Result<MacroNode> parse_macro_body(MacroNode macro, std::string_view end_word);
  Status parse_parameters(MacroNode& macro);
  // The body of a statement that opens a scope, from the end of its tag to the end of its end tag.
  Result<Block> parse_scope_body(std::string_view end_word);
  Result<Target> parse_target(bool allows_attribute);
  Result<Target> parse_target_part();

  // Expressions. An expression list a, b without brackets is a tuple.
  Result<ExprPtr> parse_tuple_expression(bool with_conditional = true);
  Result<ExprPtr> parse_expression(bool with_conditional = true);
  Result<ExprPtr> parse_conditional();
  Result<ExprPtr> parse_or();
  Result<ExprPtr> parse_and();
  Result<ExprPtr> parse_not();
  Result<ExprPtr> parse_compare();
  Result<ExprPtr> parse_sum();
  Result<ExprPtr> parse_concat();
  Result<ExprPtr> parse_product();
  Result<ExprPtr> parse_power();
  Result<ExprPtr> parse_unary(bool with_filters = true);
  Result<ExprPtr> parse_primary();
  Result<ExprPtr> parse_name_or_constant();
  Result<ExprPtr> parse_number();
  Result<ExprPtr> parse_parenthesized();
  Result<ExprPtr> parse_list();
  Result<ExprPtr> parse_dict();
  Result<ExprPtr> parse_postfix(ExprPtr expr);
  Result<ExprPtr> parse_attribute(ExprPtr object);
  Result<ExprPtr> parse_subscript(ExprPtr object);
  Result<ExprPtr> parse_filters_and_tests(ExprPtr expr);
  Result<ExprPtr> parse_filter(ExprPtr input);
  Result<ExprPtr> parse_filter_chain();
  Result<ExprPtr> parse_test(ExprPtr input);
  Result<std::vector<ArgumentNode>> parse_arguments();
  Result<std::string> parse_dotted_name();

  // Makes a node; its height is one more than that of the highest of its children.
  template <typename Node>
  Result<ExprPtr> make(int line, int child_height, Node node) {
    if (child_height >= limits_.max_parse_depth * 2) return fail(line, "an expression of too many parts");
    return std::make_unique<Expr>(Expr{line, child_height + 1, std::move(node)});
  }
  static int height_of(const ExprPtr& expr) { return expr == nullptr ? 0 : expr->height; }
  static int height_of(const std::vector<ArgumentNode>& arguments);

  // Filters and tests that do not exist. They are an error at once, except in a branch: there only when it is reached, as in
  // Jinja, so that a template can ask for features.
  Status check_missing();

  std::vector<Token> tokens_;
  size_t at_ = 0;
  const TemplateLimits& limits_;
  int depth_ = 0;
  int n_open_loops_ = 0;
  int n_open_expressions_ = 0;
  bool in_branch_ = false;
  std::vector<std::pair<int, std::string>> missing_;  // line, message
  std::vector<MacroNode*> open_macros_;               // to note the use of varargs, kwargs and caller
};

}  // namespace minke::jinja
