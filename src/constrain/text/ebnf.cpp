#include "constrain/text/ebnf.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "constrain/text/text_reader.h"

namespace minke::constrain {
namespace {

// A rule of at most so many expressions that reaches no circle is copied to where it is used: a token that runs over its ends
// is then known in advance.
constexpr int64_t kMaxInlineNodes = 64;
constexpr size_t kMaxRuleNameBytes = 128;

class EbnfParser {
 public:
  EbnfParser(Expressions& expressions, TextReader reader, const GrammarLimits& limits)
      : expressions_(expressions), reader_(reader), limits_(limits) {}

  Result<RuleId> parse() {
    skip_space();
    while (!reader_.at_end()) TRY(parse_rule());
    for (const auto& [name, used] : rules_) {
      if (!used.is_defined) return error_at(used.position, "rule {} is not defined", name);
    }
    auto root = rules_.find("root");
    if (root == rules_.end()) return reader_.fail("no rule is called root");
    mark_inline();
    return root->second.id;
  }

 private:
  struct Named {
    RuleId id;
    size_t position;  // where it was first seen
    bool is_defined = false;
  };

  template <typename... Args>
  tl::unexpected<Error> error_at(size_t position, fmt::format_string<Args...> format, Args&&... args) {
    reader_.set_position(position);
    return reader_.fail(format, std::forward<Args>(args)...);
  }

  void skip_space() {
    while (!reader_.at_end()) {
      char32_t c = reader_.peek();
      if (c == '#') {
        while (!reader_.at_end() && reader_.peek() != '\n') reader_.take();
      } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        reader_.take();
      } else {
        return;
      }
    }
  }

  std::string take_name() {
    std::string name;
    for (;;) {
      char32_t c = reader_.peek();
      bool is_letter = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
      bool is_other = (c >= '0' && c <= '9') || c == '-';
      bool is_part = is_letter || (is_other && !name.empty());
      if (!is_part || name.size() == kMaxRuleNameBytes) return name;  // the rest of a longer one is an error of its own
      name += static_cast<char>(reader_.take());
    }
  }

  // Whether a rule's head is next; the place does not change.
  bool at_rule() {
    size_t position = reader_.position();
    bool found = false;
    if (!take_name().empty()) {
      skip_space();
      found = reader_.take_if("::=");
    }
    reader_.set_position(position);
    return found;
  }

  Named& named(const std::string& name, size_t position) {
    auto it = rules_.find(name);
    if (it == rules_.end()) it = rules_.emplace(name, Named{expressions_.declare("rule " + name), position}).first;
    return it->second;
  }

  Status parse_rule() {
    size_t position = reader_.position();
    if (!at_rule()) return reader_.fail("expected a rule: name ::= ...");
    std::string name = take_name();
    skip_space();
    reader_.take_if("::=");
    Named& rule = named(name, position);
    if (rule.is_defined) return error_at(position, "rule {} is defined twice", name);
    rule.is_defined = true;
    RuleId id = rule.id;
    NodeId body = TRY(parse_choice());
    if (!reader_.at_end() && !at_rule()) return reader_.fail("expected a rule, or the end of the grammar");
    expressions_.define(id, body);
    return {};
  }

  Result<NodeId> parse_choice() {
    if (++depth_ > limits_.max_depth) return reader_.fail("groups nested deeper than {}", limits_.max_depth);
    std::vector<NodeId> alternatives;
    do {
      alternatives.push_back(TRY(parse_sequence()));
    } while (reader_.take_if("|"));
    depth_--;
    return expressions_.choice(std::move(alternatives));
  }

  Result<NodeId> parse_sequence() {
    std::vector<NodeId> parts;
    for (;;) {
      skip_space();
      char32_t c = reader_.peek();
      if (reader_.at_end() || c == '|' || c == ')' || at_rule()) return expressions_.sequence(std::move(parts));
      NodeId item = TRY(parse_item());
      parts.push_back(TRY(parse_repeats(item)));
    }
  }

  Result<NodeId> parse_item() {
    size_t position = reader_.position();
    if (reader_.take_if("\"")) return parse_literal();
    if (reader_.take_if("[")) return expressions_.chars(TRY(reader_.take_class()));
    if (reader_.take_if(".")) return expressions_.chars(CodePointSet::all());
    if (reader_.take_if("(")) {
      NodeId inner = TRY(parse_choice());
      if (!reader_.take_if(")")) return reader_.fail("expected ), the end of the group at position {}", position);
      return inner;
    }
    std::string name = take_name();
    if (name.empty()) return reader_.fail("expected a literal, a class, a group or the name of a rule");
    return expressions_.rule(named(name, position).id);
  }

  // After the opening quote.
  Result<NodeId> parse_literal() {
    std::string text;
    while (!reader_.take_if("\"")) {
      if (reader_.at_end()) return reader_.fail("a literal without its closing quote");
      char32_t c = reader_.take();
      if (c == '\\') {
        CodePointSet set = TRY(reader_.take_escape());
        bool is_one = set.ranges().size() == 1 && set.ranges()[0].first == set.ranges()[0].last;
        if (!is_one) return reader_.fail("a class inside a literal");
        c = set.ranges()[0].first;
      }
      utf8_append(text, c);
    }
    return expressions_.bytes(text);
  }

  Result<NodeId> parse_repeats(NodeId item) {
    for (;;) {
      if (reader_.take_if("*")) {
        item = expressions_.repeat(item, 0, kUnbounded);
      } else if (reader_.take_if("+")) {
        item = expressions_.repeat(item, 1, kUnbounded);
      } else if (reader_.take_if("?")) {
        item = expressions_.repeat(item, 0, 1);
      } else if (reader_.take_if("{")) {
        TextReader::Bounds bounds = TRY(reader_.take_bounds());
        item = expressions_.repeat(item, bounds.min, bounds.max);
      } else {
        return item;
      }
    }
  }

  // The expressions of a rule with those of all rules that it uses, kMaxInlineNodes + 1 for more or for a circle.
  int64_t inline_size(RuleId rule, std::vector<int64_t>& sizes, int64_t depth) {
    int64_t& size = sizes[static_cast<size_t>(rule)];
    if (size > 0) return size;
    size = kMaxInlineNodes + 1;  // for a circle through here
    int64_t total = node_size(expressions_.rule_at(rule).body, sizes, depth);
    return sizes[static_cast<size_t>(rule)] = std::min(total, kMaxInlineNodes + 1);
  }

  int64_t node_size(NodeId id, std::vector<int64_t>& sizes, int64_t depth) {
    if (depth > kMaxInlineNodes) return kMaxInlineNodes + 1;
    const Node& node = expressions_.node(id);
    if (node.kind == Node::Kind::kRule) return inline_size(node.value, sizes, depth + 1);
    int64_t total = 1 + static_cast<int64_t>(node.bytes.size());
    for (NodeId child : node.children) {
      total += node_size(child, sizes, depth + 1);
      if (total > kMaxInlineNodes) break;
    }
    int64_t times = node.kind == Node::Kind::kRepeat ? std::max<int64_t>(1, std::max(node.min, node.max)) : 1;
    return total > kMaxInlineNodes || times > kMaxInlineNodes ? kMaxInlineNodes + 1 : total * times;
  }

  void mark_inline() {
    std::vector<int64_t> sizes(static_cast<size_t>(expressions_.n_rules()), 0);
    for (const auto& [name, rule] : rules_) {
      if (inline_size(rule.id, sizes, 0) <= kMaxInlineNodes) expressions_.set_inline(rule.id);
    }
  }

  Expressions& expressions_;
  TextReader reader_;
  const GrammarLimits& limits_;
  std::map<std::string, Named> rules_;
  int64_t depth_ = 0;
};

}  // namespace

Result<RuleId> parse_ebnf(Expressions& expressions, std::string_view source, std::string_view where,
                          const GrammarLimits& limits) {
  if (static_cast<int64_t>(source.size()) > limits.max_source_bytes) {
    return error("{}: {} bytes, at most {} are allowed", where, source.size(), limits.max_source_bytes);
  }
  if (!utf8_valid(source)) return error("{}: not valid UTF-8", where);
  return EbnfParser(expressions, TextReader(source, where), limits).parse();
}

}  // namespace minke::constrain
