#include "constrain/tools/tool_syntax.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/utf8.h"
#include "constrain/json/schema_compiler.h"

namespace minke::constrain {
namespace {

constexpr size_t kMaxNameBytes = 64;
constexpr std::string_view kDsml = "｜DSML｜";

struct SyntaxRow {
  ToolSyntax syntax;
  std::string_view name;
  std::string_view sign;  // in a chat template; the first row that fits counts
};
constexpr SyntaxRow kSyntaxes[] = {
    {ToolSyntax::kDeepSeekV32, "deepseek-v3.2", "function_calls>"},
    {ToolSyntax::kDeepSeekV3, "deepseek-v3", "```json"},
    {ToolSyntax::kDeepSeekV31, "deepseek-v3.1", "<｜tool▁sep｜>"},
    {ToolSyntax::kKimi, "kimi", "<|tool_call_argument_begin|>"},
    {ToolSyntax::kToolCallXml, "tool-call-xml", "<function="},
    {ToolSyntax::kToolCallJson, "tool-call-json", "<tool_call>"},
    {ToolSyntax::kLlama3, "llama-3", "<|start_header_id|>"},
};

class ToolGrammar {
 public:
  ToolGrammar(Expressions& expressions, const ToolCallOptions& options, const Vocabulary& vocabulary)
      : e_(expressions), text_(expressions), options_(options), vocabulary_(vocabulary) {}

  Result<NodeId> answer() {
    std::vector<NodeId> calls;
    std::set<std::string> names;
    for (const ToolDefinition& tool : options_.tools) {
      TRY(check_name(tool.name));
      if (!names.insert(tool.name).second) return error("tool {}: named twice", tool.name);
      calls.push_back(e_.new_rule("a call of " + tool.name, TRY(call(tool))));
    }
    if (calls.empty()) return error("no tools to call");
    NodeId block = calls_block(e_.choice(std::move(calls)));
    if (options_.choice == ToolChoice::kRequired) {
      return e_.sequence({e_.repeat(e_.chars({{'\n', '\n'}, {' ', ' '}}), 0, 2), block});
    }
    if (options_.syntax == ToolSyntax::kLlama3) {  // a call is all of an answer, known by its first character
      NodeId text = e_.sequence({e_.chars(CodePointSet{{'{', '{'}}.complement()), any_text()});
      return e_.choice({e_.optional(text), block});
    }
    return e_.sequence({text_before(opening()), e_.optional(block)});
  }

 private:
  Status check_name(const std::string& name) const {
    auto is_allowed = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    };
    bool is_good = !name.empty() && name.size() <= kMaxNameBytes && std::all_of(name.begin(), name.end(), is_allowed);
    if (is_good) return {};
    return error("tool \"{}\": expected 1 to {} letters, digits, _, - or .", utf8_lossy(name.substr(0, kMaxNameBytes)),
                 kMaxNameBytes);
  }

  NodeId any_text() { return e_.repeat(e_.chars(CodePointSet::all()), 0, kUnbounded); }

  // A mark as one control token, or as text with the DSML tokens in it.
  NodeId mark(std::string_view text) {
    if (auto token = vocabulary_.control_token(text)) return e_.token(*token);
    auto dsml = vocabulary_.control_token(kDsml);
    size_t at = text.find(kDsml);
    if (!dsml || at == std::string_view::npos) return e_.bytes(text);
    return e_.sequence({e_.bytes(text.substr(0, at)), e_.token(*dsml), e_.bytes(text.substr(at + kDsml.size()))});
  }

  bool has_control_token(std::string_view mark) const {
    return vocabulary_.control_token(mark) || (mark.find(kDsml) != std::string_view::npos && vocabulary_.control_token(kDsml));
  }

  // Text that the mark ends. Where the mark is plain text itself, text without it: no mark here begins twice in itself, so what
  // a reader finds first is the end.
  NodeId text_before(std::string_view mark) {
    if (has_control_token(mark)) return any_text();
    std::u32string letters;
    for (size_t i = 0; i < mark.size();) {
      Utf8Step step = utf8_decode(mark, i);
      letters += step.code_point;
      i += step.n_bytes;
    }
    // State i: the last i characters are the first i of the mark (Knuth, Morris and Pratt).
    auto n = static_cast<int32_t>(letters.size());
    Graph graph(n);
    for (int32_t state = 0; state < n; state++) {
      graph.is_final[static_cast<size_t>(state)] = true;
      CodePointSet others = CodePointSet::all();
      for (char32_t letter : std::set<char32_t>(letters.begin(), letters.end())) {
        int32_t to = matched_after(letters, state, letter);
        if (to == 0) continue;
        others = others.without({{letter, letter}});
        if (to < n) graph.edges.push_back({state, e_.chars({{letter, letter}}), to});
      }
      graph.edges.push_back({state, e_.chars(others), 0});
    }
    return e_.graph(std::move(graph));
  }

  static int32_t matched_after(const std::u32string& letters, int32_t state, char32_t letter) {
    std::u32string seen = letters.substr(0, static_cast<size_t>(state)) + letter;
    for (size_t n = std::min(seen.size(), letters.size()); n > 0; n--) {
      if (seen.compare(seen.size() - n, n, letters, 0, n) == 0) return static_cast<int32_t>(n);
    }
    return 0;
  }

  std::string_view opening() const {
    switch (options_.syntax) {
      case ToolSyntax::kDeepSeekV3:
      case ToolSyntax::kDeepSeekV31:
        return "<｜tool▁calls▁begin｜>";
      case ToolSyntax::kDeepSeekV32:
        return "<｜DSML｜function_calls>";
      case ToolSyntax::kToolCallJson:
      case ToolSyntax::kToolCallXml:
        return "<tool_call>";
      case ToolSyntax::kLlama3:
        return "{";
      case ToolSyntax::kKimi:
        return "<|tool_calls_section_begin|>";
    }
    return "";
  }

  NodeId calls_block(NodeId call) {
    auto list = [&](std::string_view separator) {
      if (!options_.is_parallel) return call;
      return e_.sequence({call, e_.repeat(e_.sequence({e_.bytes(separator), call}), 0, kUnbounded)});
    };
    switch (options_.syntax) {
      case ToolSyntax::kDeepSeekV3:
        return e_.sequence({mark(opening()), list("\n"), mark("<｜tool▁calls▁end｜>")});
      case ToolSyntax::kDeepSeekV31:
        return e_.sequence({mark(opening()), list(""), mark("<｜tool▁calls▁end｜>")});
      case ToolSyntax::kDeepSeekV32:
        return e_.sequence({mark(opening()), e_.bytes("\n"), list(""), mark("</｜DSML｜function_calls>")});
      case ToolSyntax::kToolCallJson:
      case ToolSyntax::kToolCallXml:
        return list("\n");
      case ToolSyntax::kLlama3:
        return call;
      case ToolSyntax::kKimi:
        return e_.sequence({mark(opening()), list(""), mark("<|tool_calls_section_end|>")});
    }
    return e_.empty();
  }

  Result<NodeId> call(const ToolDefinition& tool) {
    switch (options_.syntax) {
      case ToolSyntax::kDeepSeekV3:
        return e_.sequence({mark("<｜tool▁call▁begin｜>"), e_.bytes("function"), mark("<｜tool▁sep｜>"),
                            e_.bytes(tool.name + "\n```json\n"), TRY(arguments(tool)), e_.bytes("\n```"),
                            mark("<｜tool▁call▁end｜>")});
      case ToolSyntax::kDeepSeekV31:
        return e_.sequence({mark("<｜tool▁call▁begin｜>"), e_.bytes(tool.name), mark("<｜tool▁sep｜>"), TRY(arguments(tool)),
                            mark("<｜tool▁call▁end｜>")});
      case ToolSyntax::kDeepSeekV32:
        return e_.sequence(
            {mark("<｜DSML｜invoke name=\"" + tool.name + "\">\n"), TRY(parameters(tool)), mark("</｜DSML｜invoke>\n")});
      case ToolSyntax::kToolCallJson:
        return e_.sequence(
            {mark("<tool_call>"), e_.bytes("\n"), TRY(named_object(tool, "arguments")), e_.bytes("\n"), mark("</tool_call>")});
      case ToolSyntax::kToolCallXml:
        return e_.sequence({mark("<tool_call>"), e_.bytes("\n<function=" + tool.name + ">\n"), TRY(parameters(tool)),
                            e_.bytes("</function>\n"), mark("</tool_call>")});
      case ToolSyntax::kLlama3:
        return named_object(tool, "parameters");
      case ToolSyntax::kKimi:
        return e_.sequence({mark("<|tool_call_begin|>"), e_.bytes("functions." + tool.name + ":"),
                            e_.repeat(e_.chars({{'0', '9'}}), 1, 3), mark("<|tool_call_argument_begin|>"), TRY(arguments(tool)),
                            mark("<|tool_call_end|>")});
    }
    return e_.empty();
  }

  static std::string where(const ToolDefinition& tool) { return "tool " + tool.name; }

  Result<NodeId> arguments(const ToolDefinition& tool) {
    if (!tool.parameters) return text_.object();
    return SchemaCompiler(text_, *tool.parameters, where(tool), options_.limits).run();
  }

  // {"name": NAME, "arguments": ARGS}
  Result<NodeId> named_object(const ToolDefinition& tool, const char* key) {
    NodeId name = text_.member("name", e_.bytes(dump_json(Json(tool.name))));
    NodeId value = text_.member(key, TRY(arguments(tool)));
    return text_.in_braces(e_.sequence({name, text_.comma_then(value)}));
  }

  // Parameters one after the other, each between marks of its own: strings as they are, anything else as JSON.
  Result<NodeId> parameters(const ToolDefinition& tool) {
    if (!tool.parameters) return error("{}: has no schema, which this model's syntax of calls needs", where(tool));
    SchemaCompiler compiler(text_, *tool.parameters, where(tool), options_.limits);
    std::vector<NodeId> parts;
    for (const SchemaCompiler::Parameter& parameter : TRY(compiler.parameters())) {
      bool is_dsml = options_.syntax == ToolSyntax::kDeepSeekV32;
      std::string_view end = is_dsml ? "</｜DSML｜parameter>" : "\n</parameter>";
      std::vector<NodeId> ways;
      if (parameter.may_be_string) {
        NodeId raw = parameter.raw >= 0 ? parameter.raw : text_before(end);
        ways.push_back(is_dsml ? e_.sequence({e_.bytes("true\">"), raw}) : raw);
      }
      // Without the attribute "string" a reader goes by the schema: what may be a string is one.
      if (parameter.json >= 0 && (is_dsml || !parameter.may_be_string)) {
        ways.push_back(is_dsml ? e_.sequence({e_.bytes("false\">"), parameter.json}) : parameter.json);
      }
      NodeId begin = is_dsml ? mark("<｜DSML｜parameter name=\"" + parameter.key + "\" string=\"")
                             : e_.bytes("<parameter=" + parameter.key + ">\n");
      NodeId node = e_.sequence({begin, e_.choice(std::move(ways)), mark(end), e_.bytes("\n")});
      parts.push_back(parameter.is_required ? node : e_.optional(node));
    }
    return e_.sequence(std::move(parts));
  }

  Expressions& e_;
  JsonText text_;
  const ToolCallOptions& options_;
  const Vocabulary& vocabulary_;
};

}  // namespace

std::string_view tool_syntax_name(ToolSyntax syntax) {
  for (const SyntaxRow& row : kSyntaxes) {
    if (row.syntax == syntax) return row.name;
  }
  return "";
}

std::optional<ToolSyntax> tool_syntax_of(std::string_view chat_template) {
  bool has_deepseek_marks = chat_template.find("tool▁call▁begin") != std::string_view::npos;
  for (const SyntaxRow& row : kSyntaxes) {
    if (chat_template.find(row.sign) == std::string_view::npos) continue;
    // Signs that other templates have too.
    if (row.syntax == ToolSyntax::kDeepSeekV32 && chat_template.find(kDsml) == std::string_view::npos) continue;
    if (row.syntax == ToolSyntax::kDeepSeekV3 && !has_deepseek_marks) continue;
    if (row.syntax == ToolSyntax::kLlama3 && chat_template.find("\"parameters\"") == std::string_view::npos) continue;
    return row.syntax;
  }
  return std::nullopt;
}

Result<RuleId> tool_answer(Expressions& expressions, const ToolCallOptions& options, const Vocabulary& vocabulary) {
  NodeId node = TRY(ToolGrammar(expressions, options, vocabulary).answer());
  RuleId root = expressions.declare("the answer");
  expressions.define(root, node);
  return root;
}

Result<std::shared_ptr<const Grammar>> compile_tool_calls(const ToolCallOptions& options, const Vocabulary& vocabulary) {
  Expressions expressions;
  RuleId root = TRY(tool_answer(expressions, options, vocabulary));
  return TRY_IN("tools", Grammar::compile(expressions, root, options.limits));
}

}  // namespace minke::constrain
