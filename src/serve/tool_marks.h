// Where tool calls begin and end among a model's tokens, by the syntax that its chat template shows.
#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/token_id.h"
#include "constrain/match/vocabulary.h"
#include "constrain/tools/tool_syntax.h"
#include "server/model/reply_assembler.h"

namespace minke::serve {

struct ToolMarks {
  constrain::ToolSyntax grammar = constrain::ToolSyntax::kToolCallJson;
  server::ToolSyntax text = server::ToolSyntax::kJsonObject;
  std::vector<std::pair<TokenId, server::PieceKind>> tokens;
  // Llama 3: a call has no marks, it is an answer that begins with a brace.
  bool is_whole_answer = false;
};

// None when the template shows no syntax, or one whose marks are not tokens of this vocabulary: then calls could not be told
// from text.
std::optional<ToolMarks> find_tool_marks(std::string_view chat_template, const constrain::Vocabulary& vocabulary);

}  // namespace minke::serve
