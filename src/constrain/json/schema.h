// JSON schemas (draft 2020-12) as grammars: what OpenAI's strict mode has and a little more.
//   all types             enum, const, anyOf, oneOf of alternatives that cannot both match, allOf of one, $ref inside the
//                         document with recursion, $defs, type with one or several names
//   object                properties, required, additionalProperties (false when absent); members come in the order of
//                         "properties", members that are not required may be left out
//   array                 items, prefixItems, minItems, maxItems
//   string                pattern or format, or minLength and maxLength (characters)
//   number, integer       minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf
// Without "type", the types are those that the other keywords speak of; without any, every value matches. A text that matches
// the grammar matches the schema; not every value of the schema has a text here (JsonText, decimal_range and format_pattern say
// where they are narrower). Every other keyword is refused, annotations excepted. Errors name the place as a JSON pointer.
#pragma once

#include <memory>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "constrain/grammar/grammar.h"
#include "constrain/json/json_text.h"

namespace minke::constrain {

// The values that match the schema, for grammars that have more around them. The schema must outlive the call only.
Result<NodeId> schema_value(JsonText& text, const Json& schema, std::string_view where, const GrammarLimits& limits = {});

struct JsonOptions {
  JsonSpace space = JsonSpace::kUsual;
  GrammarLimits limits = {};
};

// A whole answer that is one value of the schema, or any object (the response format json_object). Up to two spaces or new
// lines may come first, as answers after a thought begin with them.
Result<std::shared_ptr<const Grammar>> compile_schema(const Json& schema, std::string_view where,
                                                      const JsonOptions& options = {});
Result<std::shared_ptr<const Grammar>> compile_json_object(const JsonOptions& options = {});

// What compile_schema compiles; for tests and for grammars around it.
Result<RuleId> schema_answer(Expressions& expressions, const Json& schema, std::string_view where,
                             const JsonOptions& options = {});

}  // namespace minke::constrain
