#include "serve/tool_marks.h"

namespace minke::serve {
namespace {

using Grammar = constrain::ToolSyntax;
using Text = server::ToolSyntax;
using server::PieceKind;

struct MarkRow {
  std::string_view text;
  PieceKind kind;
};
struct SyntaxRow {
  Grammar grammar;
  Text text;
  std::vector<MarkRow> marks;
};

std::vector<MarkRow> deepseek_marks() {
  return {{"<｜tool▁calls▁begin｜>", PieceKind::kToolsBegin},
          {"<｜tool▁call▁begin｜>", PieceKind::kToolBegin},
          {"<｜tool▁sep｜>", PieceKind::kToolSeparator},
          {"<｜tool▁call▁end｜>", PieceKind::kToolEnd},
          {"<｜tool▁calls▁end｜>", PieceKind::kToolsEnd}};
}

std::vector<SyntaxRow> syntax_rows() {
  return {{Grammar::kDeepSeekV3, Text::kFencedJson, deepseek_marks()},
          {Grammar::kDeepSeekV31, Text::kNameThenJson, deepseek_marks()},
          {Grammar::kToolCallJson,
           Text::kJsonObject,
           {{"<tool_call>", PieceKind::kToolBegin}, {"</tool_call>", PieceKind::kToolEnd}}},
          {Grammar::kKimi,
           Text::kNameThenJson,
           {{"<|tool_calls_section_begin|>", PieceKind::kToolsBegin},
            {"<|tool_call_begin|>", PieceKind::kToolBegin},
            {"<|tool_call_argument_begin|>", PieceKind::kToolSeparator},
            {"<|tool_call_end|>", PieceKind::kToolEnd},
            {"<|tool_calls_section_end|>", PieceKind::kToolsEnd}}},
          {Grammar::kLlama3, Text::kJsonObject, {}}};
}

}  // namespace

std::optional<ToolMarks> find_tool_marks(std::string_view chat_template, const constrain::Vocabulary& vocabulary) {
  const auto syntax = constrain::tool_syntax_of(chat_template);
  if (!syntax) return std::nullopt;
  for (const SyntaxRow& row : syntax_rows()) {
    if (row.grammar != *syntax) continue;
    ToolMarks out{row.grammar, row.text, {}, row.marks.empty()};
    for (const MarkRow& mark : row.marks) {
      const auto token = vocabulary.control_token(mark.text);
      if (!token) return std::nullopt;
      out.tokens.emplace_back(*token, mark.kind);
    }
    return out;
  }
  return std::nullopt;
}

}  // namespace minke::serve
