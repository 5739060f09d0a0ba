// A loaded model as it is served: what its tokens mean, what it can do, and the grammars compiled for it. Nothing here changes
// while requests run.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chat/language_model.h"
#include "constrain/match/vocabulary.h"
#include "serve/answer_grammar.h"
#include "serve/tool_marks.h"
#include "server/model/backend.h"
#include "server/model/reply_assembler.h"

namespace minke::serve {

// The tokens of filling in the middle: before the prefix, the suffix and what is to be filled in.
struct FillTokens {
  TokenId prefix = -1, suffix = -1, middle = -1;
};

struct ServedModelOptions {
  std::string id;
  std::string path;
  bool bundled = false;
  int64_t context_tokens = 0;  // 0: the model's own, at most kDefaultContext
  std::string template_file = {};
};

constexpr int64_t kDefaultContext = 32768;

class ServedModel {
 public:
  static Result<std::unique_ptr<ServedModel>> load(const ServedModelOptions& options, const LoadOptions& load);

  LanguageModel lm;
  server::ModelInfo info;
  std::shared_ptr<const constrain::Vocabulary> vocabulary;
  std::optional<ToolMarks> tools;
  std::optional<FillTokens> fill;
  std::unique_ptr<AnswerGrammars> grammars;

  const Tokenizer& tokenizer() const { return *lm.tokenizer; }
  bool can_think() const { return lm.format && lm.format->can_think(); }
  // kText for all but the marks of thoughts and of tool calls.
  server::PieceKind kind_of(TokenId token) const { return kinds_[static_cast<size_t>(token)]; }
  // What an answer may have when nothing else is asked of it: no marks of thoughts, and of tools only when there are some.
  // Null: the model has no such marks.
  std::shared_ptr<const std::vector<uint64_t>> answer_mask(bool has_tools) const {
    return has_tools ? mask_with_tools_ : mask_without_tools_;
  }

 private:
  ServedModel() = default;
  void describe(const ServedModelOptions& options);
  void classify_tokens();
  std::vector<server::PieceKind> kinds_;  // [vocabulary size]
  std::shared_ptr<const std::vector<uint64_t>> mask_with_tools_, mask_without_tools_;
};

}  // namespace minke::serve
