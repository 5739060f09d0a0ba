// How models of each family write calls of tools, as grammars. Opening and closing marks are control tokens where the
// vocabulary has them; spelled as text they would be other tokens, which models read differently.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "constrain/grammar/grammar.h"
#include "constrain/match/vocabulary.h"

namespace minke::constrain {

enum class ToolSyntax {
  kDeepSeekV3,  // V3, R1:
                // <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME\n```json\nARGS\n```<｜tool▁call▁end｜>...
  kDeepSeekV31,   // V3.1: the same marks, NAME<｜tool▁sep｜>ARGS
  kDeepSeekV32,   // V3.2: <｜DSML｜function_calls> with a parameter per line, strings as they are
  kToolCallJson,  // Qwen 2.5 and 3, Hermes: <tool_call>\n{"name": NAME, "arguments": ARGS}\n</tool_call>
  kToolCallXml,   // Qwen 3.5: <tool_call>\n<function=NAME>\n<parameter=KEY>\nVALUE\n</parameter>\n...
  kLlama3,        // Llama 3.1 and later: {"name": NAME, "parameters": ARGS} as all of the answer
  kKimi,          // Kimi K2: <|tool_calls_section_begin|><|tool_call_begin|>functions.NAME:0<|tool_call_argument_begin|>ARGS...
};

std::string_view tool_syntax_name(ToolSyntax syntax);
// The syntax that a chat template shows to the model, none when it shows none that is known.
std::optional<ToolSyntax> tool_syntax_of(std::string_view chat_template);

struct ToolDefinition {
  std::string name;                  // letters, digits, _ - . up to 64, as the APIs have it
  const Json* parameters = nullptr;  // a schema of an object; null: any object
};

enum class ToolChoice { kAuto, kRequired };  // text, calls or both; calls only. One tool by name: that tool alone, required

struct ToolCallOptions {
  ToolSyntax syntax = ToolSyntax::kDeepSeekV3;
  std::vector<ToolDefinition> tools = {};
  ToolChoice choice = ToolChoice::kAuto;
  bool is_parallel = true;  // false: one call at most
  GrammarLimits limits = {};
};

// A whole answer. Errors name the tool and the place in its schema.
Result<RuleId> tool_answer(Expressions& expressions, const ToolCallOptions& options, const Vocabulary& vocabulary);
Result<std::shared_ptr<const Grammar>> compile_tool_calls(const ToolCallOptions& options, const Vocabulary& vocabulary);

}  // namespace minke::constrain
