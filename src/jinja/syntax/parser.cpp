#include "jinja/syntax/parser.h"

namespace minke::jinja {

namespace {

std::string shown(const Token& token) {
  switch (token.kind) {
    case TokenKind::kText:
      return "text";
    case TokenKind::kEnd:
      return "the end of the template";
    case TokenKind::kString:
      return "a string";
    default:
      return fmt::format("'{}'", token.text);
  }
}

bool assigns(const Target& target, std::string_view name) {
  if (target.name != nullptr) return target.name->text == name;
  return std::any_of(target.parts.begin(), target.parts.end(), [&](const Target& part) { return assigns(part, name); });
}

// Tags that need other files or another environment than that of chat templates.
constexpr std::string_view kRefusedTags[] = {"autoescape", "block",   "do",    "extends", "from",
                                             "import",     "include", "trans", "debug"};

}  // namespace

bool Parser::is_operator(std::string_view text, size_t ahead) const {
  return peek(ahead).kind == TokenKind::kOperator && peek(ahead).text == text;
}

bool Parser::is_name(std::string_view text, size_t ahead) const {
  return peek(ahead).kind == TokenKind::kName && peek(ahead).text == text;
}

bool Parser::take_operator(std::string_view text) {
  if (!is_operator(text)) return false;
  take();
  return true;
}

bool Parser::take_name(std::string_view text) {
  if (!is_name(text)) return false;
  take();
  return true;
}

tl::unexpected<Error> Parser::unexpected_token(std::string_view expected) const {
  return fail(peek().line, "expected {}, got {}", expected, shown(peek()));
}

Status Parser::expect_operator(std::string_view text) {
  if (!take_operator(text)) return unexpected_token(fmt::format("'{}'", text));
  return {};
}

Status Parser::expect_name(std::string_view text) {
  if (!take_name(text)) return unexpected_token(fmt::format("'{}'", text));
  return {};
}

Result<Token> Parser::expect_any_name(std::string_view what) {
  const bool is_identifier = peek().kind == TokenKind::kName && !(peek().text[0] >= '0' && peek().text[0] <= '9');
  if (!is_identifier) return unexpected_token(what);
  return take();
}

Status Parser::expect_block_end() {
  if (peek().kind != TokenKind::kBlockEnd) return unexpected_token("'%}'");
  take();
  return {};
}

Status Parser::check_depth() const {
  if (depth_ <= limits_.max_parse_depth) return {};
  return fail(peek().line, "nested more than {} deep", limits_.max_parse_depth);
}

Status Parser::check_missing() {
  if (n_open_expressions_ > 0 || missing_.empty()) return {};
  if (!in_branch_) return fail(missing_[0].first, "{}", missing_[0].second);
  missing_.clear();
  return {};
}

Result<TemplateNode> Parser::parse_template() {
  TemplateNode root;
  root.body = TRY(parse_block({}));
  if (peek().kind != TokenKind::kEnd) return fail(peek().line, "unknown tag '{}'", peek().text);
  return root;
}

// Statements up to a tag that starts with one of the end words, which is the next token then; or to the end.
Result<Block> Parser::parse_block(const EndWords& end_words) {
  const Level level(depth_);
  TRY(check_depth());
  Block block;
  const int first_line = peek().line;
  while (peek().kind != TokenKind::kEnd) {
    if (peek().kind == TokenKind::kBlockBegin) {
      for (std::string_view word : end_words) {
        if (!is_name(word, 1)) continue;
        take();
        return block;
      }
    }
    TRY(parse_into(block));
  }
  if (!end_words.empty()) return fail(first_line, "the block that starts here is not closed with '{}'", end_words.back());
  return block;
}

Status Parser::parse_into(Block& block) {
  const Token token = take();
  if (token.kind == TokenKind::kText) {
    block.push_back({token.line, TextNode{token.text}});
  } else if (token.kind == TokenKind::kOutputBegin) {
    ExprPtr value = TRY(parse_tuple_expression());
    if (peek().kind != TokenKind::kOutputEnd) return unexpected_token("'}}'");
    take();
    block.push_back({token.line, OutputNode{std::move(value)}});
  } else {
    block.push_back(TRY(parse_statement()));
  }
  return {};
}

Result<Statement> Parser::parse_statement() {
  using Rule = Result<Statement> (Parser::*)();
  constexpr std::pair<std::string_view, Rule> kRules[] = {
      {"if", &Parser::parse_if},
      {"for", &Parser::parse_for},
      {"set", &Parser::parse_set},
      {"macro", &Parser::parse_macro},
      {"call", &Parser::parse_call_block},
      {"filter", &Parser::parse_filter_block},
      {"with", &Parser::parse_with},
      {"break", &Parser::parse_loop_control},
      {"continue", &Parser::parse_loop_control},
      {"generation", &Parser::parse_generation},
      {"print", &Parser::parse_print},
  };
  const Token tag = peek();
  if (tag.kind != TokenKind::kName) return unexpected_token("a tag name");
  for (const auto& [word, rule] : kRules) {
    if (tag.text == word) {
      Statement statement = TRY((this->*rule)());
      statement.line = tag.line;
      return statement;
    }
  }
  const bool refused = std::find(std::begin(kRefusedTags), std::end(kRefusedTags), tag.text) != std::end(kRefusedTags);
  return fail(tag.line, "{} tag '{}'", refused ? "unsupported" : "unknown", tag.text);
}

Result<Statement> Parser::parse_if() {
  const bool was_in_branch = std::exchange(in_branch_, true);
  IfNode node;
  do {
    take();  // if, elif
    ExprPtr condition = TRY(parse_tuple_expression(false));
    TRY(expect_block_end());
    Block body = TRY(parse_block({"elif", "else", "endif"}));
    node.branches.emplace_back(std::move(condition), std::move(body));
  } while (is_name("elif"));
  if (take_name("else")) {
    TRY(expect_block_end());
    node.otherwise = TRY(parse_block({"endif"}));
  }
  TRY(expect_name("endif"));
  TRY(expect_block_end());
  in_branch_ = was_in_branch;
  return Statement{0, std::move(node)};
}

Result<Statement> Parser::parse_for() {
  take();
  ForNode node;
  node.target = TRY(parse_target(false));
  if (assigns(node.target, "loop")) return fail(peek().line, "can't assign to the special variable 'loop' in a for loop");
  TRY(expect_name("in"));
  node.iterable = TRY(parse_tuple_expression(false));
  if (take_name("if")) node.condition = TRY(parse_expression());
  node.is_recursive = take_name("recursive");
  TRY(expect_block_end());
  const bool was_in_branch = std::exchange(in_branch_, false);
  ++n_open_loops_;
  node.body = TRY(parse_block({"else", "endfor"}));
  --n_open_loops_;
  if (take_name("else")) {
    TRY(expect_block_end());
    node.otherwise = TRY(parse_block({"endfor"}));
  }
  TRY(expect_name("endfor"));
  TRY(expect_block_end());
  in_branch_ = was_in_branch;
  return Statement{0, std::move(node)};
}

Result<Block> Parser::parse_scope_body(std::string_view end_word) {
  TRY(expect_block_end());
  const bool was_in_branch = std::exchange(in_branch_, false);
  Block body = TRY(parse_block({end_word}));
  take();
  TRY(expect_block_end());
  in_branch_ = was_in_branch;
  return body;
}

Result<Statement> Parser::parse_set() {
  take();
  Target target = TRY(parse_target(true));
  if (take_operator("=")) {
    ExprPtr value = TRY(parse_tuple_expression());
    TRY(expect_block_end());
    return Statement{0, SetNode{std::move(target), std::move(value)}};
  }
  SetBlockNode node{std::move(target), nullptr, {}};
  if (take_operator("|")) node.filter = TRY(parse_filter_chain());
  node.body = TRY(parse_scope_body("endset"));
  return Statement{0, std::move(node)};
}

// One target: a name, namespace.attribute, or targets in brackets.
Result<Target> Parser::parse_target_part() {
  const Level level(depth_);
  TRY(check_depth());
  Target target;
  for (const auto& [open, close] : {std::pair("(", ")"), std::pair("[", "]")}) {
    if (!take_operator(open)) continue;
    target = TRY(parse_target(false));
    TRY(expect_operator(close));
    return target;
  }
  const Token name = TRY(expect_any_name("a name to assign to"));
  for (std::string_view constant : {"true", "True", "false", "False", "none", "None"}) {
    if (name.text == constant) return fail(name.line, "can't assign to '{}'", name.text);
  }
  target.name = make_constant_string(name.text);
  return target;
}

Result<Target> Parser::parse_target(bool allows_attribute) {
  Target first = TRY(parse_target_part());
  if (allows_attribute && first.name != nullptr && take_operator(".")) {
    first.attribute = make_constant_string(TRY(expect_any_name("an attribute name")).text);
    return first;
  }
  if (!is_operator(",")) return first;
  Target tuple;
  tuple.parts.push_back(std::move(first));
  while (take_operator(",")) {
    if (peek().kind != TokenKind::kName && !is_operator("(") && !is_operator("[")) break;
    if (is_name("in")) break;
    tuple.parts.push_back(TRY(parse_target_part()));
  }
  return tuple;
}

Status Parser::parse_parameters(MacroNode& macro) {
  TRY(expect_operator("("));
  while (!is_operator(")")) {
    if (!macro.parameters.empty()) TRY(expect_operator(","));
    if (is_operator(")")) break;
    const Token name = TRY(expect_any_name("a parameter name"));
    ExprPtr value;
    if (take_operator("=")) {
      value = TRY(parse_expression());
    } else if (!macro.defaults.empty() && macro.defaults.back() != nullptr) {
      return fail(name.line, "non-default argument follows default argument");
    }
    macro.parameters.push_back(make_constant_string(name.text));
    macro.defaults.push_back(std::move(value));
  }
  return expect_operator(")");
}

Result<MacroNode> Parser::parse_macro_body(MacroNode macro, std::string_view end_word) {
  // Names in the body are noted in the macro while it is open; it must not move meanwhile.
  open_macros_.push_back(&macro);
  const int n_outer_loops = std::exchange(n_open_loops_, 0);
  auto body = parse_scope_body(end_word);
  n_open_loops_ = n_outer_loops;
  open_macros_.pop_back();
  macro.body = TRY(std::move(body));
  return macro;
}

Result<Statement> Parser::parse_macro() {
  const int line = take().line;
  MacroNode macro;
  macro.line = line;
  macro.name = make_constant_string(TRY(expect_any_name("a macro name")).text);
  TRY(parse_parameters(macro));
  return Statement{0, TRY(parse_macro_body(std::move(macro), "endmacro"))};
}

Result<Statement> Parser::parse_call_block() {
  const int line = take().line;
  MacroNode caller;
  caller.line = line;
  caller.name = make_constant_string("caller");
  if (is_operator("(")) TRY(parse_parameters(caller));
  ExprPtr call = TRY(parse_expression());
  if (!std::holds_alternative<CallNode>(call->node)) return fail(line, "expected call");
  MacroNode finished = TRY(parse_macro_body(std::move(caller), "endcall"));
  return Statement{0, CallBlockNode{std::move(call), std::move(finished)}};
}

Result<Statement> Parser::parse_filter_block() {
  take();
  FilterBlockNode node;
  node.filter = TRY(parse_filter_chain());
  node.body = TRY(parse_scope_body("endfilter"));
  return Statement{0, std::move(node)};
}

Result<Statement> Parser::parse_with() {
  take();
  WithNode node;
  while (peek().kind != TokenKind::kBlockEnd) {
    if (!node.assignments.empty()) TRY(expect_operator(","));
    Target target = TRY(parse_target_part());
    TRY(expect_operator("="));
    ExprPtr value = TRY(parse_expression());
    node.assignments.emplace_back(std::move(target), std::move(value));
  }
  node.body = TRY(parse_scope_body("endwith"));
  return Statement{0, std::move(node)};
}

Result<Statement> Parser::parse_generation() {
  take();
  const int n_outer_loops = std::exchange(n_open_loops_, 0);
  Block body = TRY(parse_scope_body("endgeneration"));
  n_open_loops_ = n_outer_loops;
  return Statement{0, ScopeNode{std::move(body)}};
}

Result<Statement> Parser::parse_print() {
  take();
  ConcatNode printed;
  int height = 0;
  while (peek().kind != TokenKind::kBlockEnd) {
    if (!printed.parts.empty()) TRY(expect_operator(","));
    printed.parts.push_back(TRY(parse_expression()));
    height = std::max(height, printed.parts.back()->height);
  }
  TRY(expect_block_end());
  return Statement{0, OutputNode{TRY(make(peek().line, height, std::move(printed)))}};
}

Result<Statement> Parser::parse_loop_control() {
  const Token word = take();
  if (n_open_loops_ == 0) return fail(word.line, "'{}' outside loop", word.text);
  TRY(expect_block_end());
  if (word.text == "break") return Statement{0, BreakNode{}};
  return Statement{0, ContinueNode{}};
}

}  // namespace minke::jinja
