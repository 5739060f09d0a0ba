#include "constrain/json/schema.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "constrain/json/schema_compiler.h"

namespace minke::constrain {
namespace {

RuleId answer(Expressions& expressions, NodeId value) {
  NodeId lead = expressions.repeat(expressions.chars({{'\n', '\n'}, {' ', ' '}}), 0, 2);
  RuleId root = expressions.declare("the answer");
  expressions.define(root, expressions.sequence({lead, value}));
  return root;
}

}  // namespace

Result<NodeId> schema_value(JsonText& text, const Json& schema, std::string_view where, const GrammarLimits& limits) {
  auto n_bytes = static_cast<int64_t>(dump_json(schema).size());
  if (n_bytes > limits.max_source_bytes) {
    return error("{}: {} bytes, at most {} are allowed", where, n_bytes, limits.max_source_bytes);
  }
  return SchemaCompiler(text, schema, where, limits).run();
}

Result<RuleId> schema_answer(Expressions& expressions, const Json& schema, std::string_view where, const JsonOptions& options) {
  JsonText text(expressions, options.space);
  NodeId value = TRY(schema_value(text, schema, where, options.limits));
  return answer(expressions, value);
}

Result<std::shared_ptr<const Grammar>> compile_schema(const Json& schema, std::string_view where, const JsonOptions& options) {
  Expressions expressions;
  RuleId root = TRY(schema_answer(expressions, schema, where, options));
  return TRY_IN(where, Grammar::compile(expressions, root, options.limits));
}

Result<std::shared_ptr<const Grammar>> compile_json_object(const JsonOptions& options) {
  Expressions expressions;
  JsonText text(expressions, options.space);
  RuleId root = answer(expressions, text.object());
  return Grammar::compile(expressions, root, options.limits);
}

}  // namespace minke::constrain
