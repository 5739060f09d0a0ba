// Walks a schema and writes expressions; see schema.h for what it knows.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "constrain/grammar/automaton.h"
#include "constrain/json/json_text.h"

namespace minke::constrain {

// Text of a schema in a message: one line, of bounded length.
std::string shown(std::string_view text);

class SchemaCompiler {
 public:
  SchemaCompiler(JsonText& text, const Json& root, std::string_view where, const GrammarLimits& limits)
      : text_(text), e_(text.expressions()), root_(root), where_(where), limits_(limits) {}

  Result<NodeId> run() { return value(root_, "#"); }

  // The members of an object for syntaxes that write each one by itself, strings without quotes and escapes.
  struct Parameter {
    std::string key;
    bool is_required = false;
    bool may_be_string = false;
    NodeId raw = -1;   // as a bare string; -1: any text
    NodeId json = -1;  // as JSON; -1: it is always a string
  };
  Result<std::vector<Parameter>> parameters();

 private:
  template <typename... Args>
  tl::unexpected<Error> fail(std::string_view path, fmt::format_string<Args...> format, Args&&... args) const {
    return error("{}: {}: {}", where_, shown(path), shown(fmt::format(format, std::forward<Args>(args)...)));
  }

  // One rule per schema; schemas that read alike share theirs, and a schema that refers to itself finds its own.
  Result<NodeId> value(const Json& schema, const std::string& path);
  Result<NodeId> body(const Json& schema, const std::string& path);
  Status check_keywords(const Json& schema, const std::string& path) const;
  // A keyword that says all: nothing but annotations and `others` may stand beside it.
  Status check_alone(const Json& schema, const std::string& path, const char* keyword,
                     const std::set<std::string>& others) const;
  Result<const Json*> resolve(const std::string& reference, const std::string& path) const;
  Result<NodeId> reference(const Json& schema, const std::string& path);
  Result<NodeId> alternatives(const Json& list, const std::string& path);
  Result<NodeId> enumeration(const Json& schema, const std::string& path);
  Result<std::vector<std::string>> types_of(const Json& schema, const std::string& path) const;
  Result<NodeId> typed(const std::string& type, const Json& schema, const std::string& path);

  Result<NodeId> string(const Json& schema, const std::string& path);
  // The regular expression of "pattern" or "format"; `spell` as in RegexOptions.
  Result<NodeId> pattern(const Json& schema, const std::string& path, const char* keyword,
                         std::function<NodeId(Expressions&, const CodePointSet&)> spell);
  Status read_parameter(const Json& schema, const std::string& path, Parameter& parameter);
  Result<NodeId> raw_string(const Json& schema, const std::string& path);
  Result<NodeId> number(const Json& schema, const std::string& path, bool is_integer);
  Result<NodeId> array(const Json& schema, const std::string& path);
  Result<NodeId> object(const Json& schema, const std::string& path);
  struct Member {
    std::string key;
    NodeId value = -1;
    bool is_required = false;
  };
  Result<std::vector<Member>> members_of(const Json& schema, const std::string& path, const Json* additional);
  // Members in order, with commas, optional ones left out or not, then any number of `extra` ones (-1: none).
  NodeId members_graph(const std::vector<Member>& members, NodeId extra);
  NodeId other_key(const std::vector<Member>& members);
  // A count from minItems and the like; `otherwise` when absent.
  Result<int64_t> count(const Json& schema, const std::string& path, const char* keyword, int64_t otherwise) const;

  JsonText& text_;
  Expressions& e_;
  const Json& root_;
  std::string where_;
  const GrammarLimits& limits_;
  std::map<const Json*, NodeId> rules_by_place_;
  std::map<std::string, NodeId> rules_by_text_;
  int64_t depth_ = 0;
};

// "/" and a key as a JSON pointer has it (RFC 6901).
std::string json_pointer_step(std::string_view key);

// Whether no value can match both: different types, or objects that differ in a required constant.
bool are_disjoint(const Json& a, const Json& b);

}  // namespace minke::constrain
