// The first byte says what the others are: a JSON schema, a regular expression, EBNF, or tools as a list of schemas. What
// compiles within small limits is then walked for a few tokens: no crash, no leak, no hang, and every allowed token is
// accepted.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/json.h"
#include "constrain/json/schema.h"
#include "constrain/match/matcher.h"
#include "constrain/text/ebnf.h"
#include "constrain/text/regex.h"
#include "constrain/tools/tool_syntax.h"

namespace {

using namespace minke::constrain;  // NOLINT: a program of one file
using minke::TokenId;

std::shared_ptr<const Vocabulary> vocabulary() {
  static const std::shared_ptr<const Vocabulary> shared = [] {
    std::vector<VocabularyToken> tokens(1);
    for (int byte = 0; byte < 256; byte++) tokens.push_back({std::string(1, static_cast<char>(byte)), true});
    for (const char* text : {"{\"", "\":", "\",\"", "\"}", "]}", "한", "aa", "ab", "\n  ", "12", "0.5"})
      tokens.push_back({text, true});
    return *Vocabulary::create(std::move(tokens), {0});
  }();
  return shared;
}

minke::Result<std::shared_ptr<const Grammar>> compile(uint8_t kind, std::string_view source, const GrammarLimits& limits) {
  Expressions expressions;
  RuleId root = -1;
  if (kind % 4 == 0) {
    minke::Json schema = TRY(minke::parse_json(source, "schema"));
    root = TRY(schema_answer(expressions, schema, "schema", {.limits = limits}));
  } else if (kind % 4 == 1) {
    RegexOptions options{
        .match = kind & 4 ? RegexOptions::Match::kSearch : RegexOptions::Match::kWhole, .spell = {}, .limits = limits};
    root = expressions.declare("pattern");
    expressions.define(root, TRY(parse_regex(expressions, source, "pattern", options)));
  } else if (kind % 4 == 2) {
    root = TRY(parse_ebnf(expressions, source, "grammar", limits));
  } else {
    minke::Json schema = TRY(minke::parse_json(source, "schema"));
    ToolCallOptions options{.syntax = static_cast<ToolSyntax>(kind / 4 % 7), .tools = {{"f", &schema}}, .limits = limits};
    root = TRY(tool_answer(expressions, options, *vocabulary()));
  }
  return Grammar::compile(expressions, root, limits);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  GrammarLimits limits{.max_source_bytes = 4096, .max_states = 5000, .max_work = 200'000, .max_depth = 32};
  auto grammar = compile(data[0], {reinterpret_cast<const char*>(data + 1), size - 1}, limits);
  if (!grammar) {
    if (grammar.error().message.find('\n') != std::string::npos) std::abort();
    return 0;
  }
  Matcher matcher(std::make_shared<TokenGrammar>(*grammar, vocabulary()));
  for (size_t step = 0; step < 12; step++) {
    std::vector<TokenId> allowed;
    std::span<const uint64_t> mask = matcher.mask();
    for (TokenId id = 0; id < vocabulary()->n_tokens(); id++) {
      if (mask[static_cast<size_t>(id) / 64] >> (id % 64) & 1) allowed.push_back(id);
    }
    if (allowed.empty()) return 0;
    TokenId token = allowed[data[step % size] % allowed.size()];
    if (!matcher.accept(token)) std::abort();
    if (step % 5 == 4) matcher.rollback(1);
  }
  return 0;
}
