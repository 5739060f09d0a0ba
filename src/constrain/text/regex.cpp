#include "constrain/text/regex.h"

#include "base/utf8.h"
#include "constrain/text/text_reader.h"

namespace minke::constrain {
namespace {

class RegexParser {
 public:
  RegexParser(Expressions& expressions, TextReader reader, const RegexOptions& options)
      : expressions_(expressions), reader_(reader), options_(options) {}

  Result<NodeId> parse() {
    std::vector<Branch> branches = TRY(parse_branches());
    if (!reader_.at_end()) return reader_.fail("a ) without its (");
    std::vector<NodeId> alternatives;
    for (const Branch& branch : branches) {
      bool is_search = options_.match == RegexOptions::Match::kSearch;
      std::vector<NodeId> parts;
      if (is_search && !branch.is_start) parts.push_back(anything());
      parts.push_back(branch.node);
      if (is_search && !branch.is_end) parts.push_back(anything());
      alternatives.push_back(expressions_.sequence(std::move(parts)));
    }
    return expressions_.choice(std::move(alternatives));
  }

 private:
  struct Branch {
    NodeId node = 0;
    bool is_start = false, is_end = false;  // anchored with ^ and $
  };

  NodeId chars(const CodePointSet& set) { return options_.spell ? options_.spell(expressions_, set) : expressions_.chars(set); }
  NodeId anything() { return expressions_.repeat(chars(CodePointSet::all()), 0, kUnbounded); }
  bool at_branch_end() const { return reader_.at_end() || reader_.peek() == '|' || reader_.peek() == ')'; }

  Result<std::vector<Branch>> parse_branches() {
    if (++depth_ > options_.limits.max_depth) return reader_.fail("groups nested deeper than {}", options_.limits.max_depth);
    std::vector<Branch> branches;
    do {
      std::vector<Branch> more = TRY(parse_branch());
      branches.insert(branches.end(), more.begin(), more.end());
    } while (reader_.take_if("|"));
    depth_--;
    return branches;
  }

  // More than one when all of the branch is a group whose own branches have anchors.
  Result<std::vector<Branch>> parse_branch() {
    Branch branch;
    std::vector<NodeId> parts;
    branch.is_start = reader_.take_if("^");
    while (!at_branch_end()) {
      if (reader_.take_if("$")) {
        branch.is_end = true;
        if (!at_branch_end()) return reader_.fail("$ is supported at the end of an alternative only");
        break;
      }
      if (reader_.peek() == '^') return reader_.fail("^ is supported at the start of an alternative only");
      if (!reader_.take_if("(")) {
        NodeId atom = TRY(parse_atom());
        parts.push_back(TRY(parse_quantifier(atom)));
        continue;
      }
      std::vector<Branch> inner = TRY(parse_group());
      bool has_anchors = false;
      std::vector<NodeId> alternatives;
      for (const Branch& each : inner) {
        has_anchors |= each.is_start || each.is_end;
        alternatives.push_back(each.node);
      }
      if (!has_anchors) {
        parts.push_back(TRY(parse_quantifier(expressions_.choice(std::move(alternatives)))));
        continue;
      }
      bool is_alone = parts.empty() && (at_branch_end() || reader_.peek() == '$');
      if (!is_alone) return reader_.fail("a group with ^ or $ inside is supported alone only");
      bool is_end = reader_.take_if("$");
      if (!at_branch_end()) return reader_.fail("$ is supported at the end of an alternative only");
      for (Branch& each : inner) {
        each.is_start |= branch.is_start;
        each.is_end |= is_end;
      }
      return inner;
    }
    branch.node = expressions_.sequence(std::move(parts));
    return std::vector<Branch>{branch};
  }

  // After "(".
  Result<std::vector<Branch>> parse_group() {
    if (reader_.take_if("?") && !reader_.take_if(":")) {
      bool is_named = reader_.take_if("<") && reader_.peek() != '=' && reader_.peek() != '!';
      if (!is_named) return reader_.fail("look-around and flags cannot be compiled");
      while (!reader_.take_if(">")) {
        if (reader_.at_end()) return reader_.fail("a group's name without its >");
        reader_.take();
      }
    }
    std::vector<Branch> branches = TRY(parse_branches());
    if (!reader_.take_if(")")) return reader_.fail("a ( without its )");
    return branches;
  }

  Result<NodeId> parse_atom() {
    switch (reader_.peek()) {
      case '\\':
        reader_.take();
        return chars(TRY(reader_.take_escape()));
      case '[':
        reader_.take();
        return chars(TRY(reader_.take_class()));
      case '.':
        reader_.take();
        return chars(CodePointSet{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}.complement());
      case '*':
      case '+':
      case '?':
      case '{':
      case '}':
      case ']':
        return reader_.fail("{} has nothing to repeat or close; write \\{} for the character itself",
                            static_cast<char>(reader_.peek()), static_cast<char>(reader_.peek()));
      default: {
        char32_t c = reader_.take();
        return chars({{c, c}});
      }
    }
  }

  Result<NodeId> parse_quantifier(NodeId atom) {
    TextReader::Bounds bounds{1, 1};
    if (reader_.take_if("*")) {
      bounds = {0, kUnbounded};
    } else if (reader_.take_if("+")) {
      bounds = {1, kUnbounded};
    } else if (reader_.take_if("?")) {
      bounds = {0, 1};
    } else if (reader_.take_if("{")) {
      bounds = TRY(reader_.take_bounds());
    } else {
      return atom;
    }
    reader_.take_if("?");  // lazy or greedy: the same texts match
    if (reader_.peek() == '+') return reader_.fail("possessive repeats cannot be compiled");
    return expressions_.repeat(atom, bounds.min, bounds.max);
  }

  Expressions& expressions_;
  TextReader reader_;
  const RegexOptions& options_;
  int64_t depth_ = 0;
};

}  // namespace

Result<NodeId> parse_regex(Expressions& expressions, std::string_view pattern, std::string_view where,
                           const RegexOptions& options) {
  if (static_cast<int64_t>(pattern.size()) > options.limits.max_source_bytes) {
    return error("{}: {} bytes, at most {} are allowed", where, pattern.size(), options.limits.max_source_bytes);
  }
  if (!utf8_valid(pattern)) return error("{}: not valid UTF-8", where);
  return RegexParser(expressions, TextReader(pattern, where), options).parse();
}

}  // namespace minke::constrain
