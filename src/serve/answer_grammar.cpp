#include "serve/answer_grammar.h"

#include <nlohmann/json.hpp>

#include "constrain/guard/language_lock.h"
#include "constrain/json/schema.h"

namespace minke::serve {
namespace {

using constrain::Grammar;
using server::ChatRequest;
using server::FormatKind;
using server::ToolUse;

constexpr size_t kMaxKept = 16;
constexpr size_t kMaxMaskBytes = size_t{16} << 20;  // of each
constexpr std::string_view kSchemaName = "response_format.json_schema.schema";

bool is_required(const ChatRequest& request) {
  return request.tool_choice.use == ToolUse::kRequired || request.tool_choice.use == ToolUse::kNamed;
}

// Everything that the grammar depends on.
std::string key_of(const ChatRequest& request) {
  Json key = {{"format", static_cast<int>(request.format.kind)}, {"schema", request.format.schema_json}};
  if (may_call_tools(request)) {
    key["choice"] = {static_cast<int>(request.tool_choice.use), request.tool_choice.name, request.tool_choice.parallel};
    for (const server::Tool& tool : request.tools) key["tools"].push_back({tool.name, tool.parameters_json});
  }
  return dump_json(key);
}

Result<Json> schema_of(const ChatRequest& request) {
  if (request.format.kind == FormatKind::kJsonObject) return Json{{"type", "object"}, {"additionalProperties", true}};
  return parse_json(request.format.schema_json, kSchemaName);
}

}  // namespace

bool may_call_tools(const ChatRequest& request) { return !request.tools.empty() && request.tool_choice.use != ToolUse::kNone; }

Result<std::shared_ptr<const Grammar>> AnswerGrammars::compile(const ChatRequest& request, const ToolMarks* marks) const {
  const bool wants_json = request.format.kind != FormatKind::kText;
  if (!may_call_tools(request)) {
    if (request.format.kind == FormatKind::kJsonObject) return constrain::compile_json_object();
    const Json schema = TRY(schema_of(request));
    return constrain::compile_schema(schema, kSchemaName);
  }
  std::vector<Json> parameters;  // which the definitions point to
  parameters.reserve(request.tools.size());
  constrain::ToolCallOptions options;
  options.syntax = marks->grammar;
  options.is_parallel = request.tool_choice.parallel;
  const bool calls_only = is_required(request) || wants_json;
  options.choice = calls_only ? constrain::ToolChoice::kRequired : constrain::ToolChoice::kAuto;
  for (const server::Tool& tool : request.tools) {
    if (request.tool_choice.use == ToolUse::kNamed && tool.name != request.tool_choice.name) continue;
    constrain::ToolDefinition definition{tool.name};
    if (!tool.parameters_json.empty()) {
      parameters.push_back(TRY(parse_json(tool.parameters_json, "tool " + tool.name)));
      definition.parameters = &parameters.back();
    }
    options.tools.push_back(definition);
  }
  if (is_required(request) || !wants_json) return constrain::compile_tool_calls(options, *vocabulary_);
  // Calls, or the answer in its format.
  constrain::Expressions expressions;
  const constrain::RuleId calls = TRY(constrain::tool_answer(expressions, options, *vocabulary_));
  const Json schema = TRY(schema_of(request));
  const constrain::RuleId json = TRY(constrain::schema_answer(expressions, schema, kSchemaName));
  const constrain::RuleId root = expressions.declare("calls or the answer");
  expressions.define(root, expressions.choice({expressions.rule(calls), expressions.rule(json)}));
  return Grammar::compile(expressions, root);
}

SharedGrammar AnswerGrammars::find(const std::string& key) {
  std::lock_guard lock(mutex_);
  for (auto kept = kept_.begin(); kept != kept_.end(); ++kept) {
    if (kept->first != key) continue;
    kept_.splice(kept_.begin(), kept_, kept);
    return kept->second;
  }
  return nullptr;
}

SharedGrammar AnswerGrammars::keep(std::string key, std::shared_ptr<const Grammar> grammar) {
  auto made = std::make_shared<const constrain::TokenGrammar>(std::move(grammar), vocabulary_, kMaxMaskBytes);
  std::lock_guard lock(mutex_);
  kept_.emplace_front(std::move(key), made);
  if (kept_.size() > kMaxKept) kept_.pop_back();
  return made;
}

Result<SharedGrammar> AnswerGrammars::answer(const ChatRequest& request, const ToolMarks* marks) {
  if (request.format.kind == FormatKind::kText && !may_call_tools(request)) return SharedGrammar();
  std::string key = key_of(request);
  if (SharedGrammar found = find(key)) return found;
  auto grammar = TRY(compile(request, marks));
  return keep(std::move(key), std::move(grammar));
}

Result<SharedGrammar> AnswerGrammars::language(const std::string& code) {
  std::string key = "language " + code;
  if (SharedGrammar found = find(key)) return found;
  auto grammar = TRY(constrain::compile_language_lock(code));
  return keep(std::move(key), std::move(grammar));
}

}  // namespace minke::serve
