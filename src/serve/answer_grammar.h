// What an answer must look like, compiled for a vocabulary: a JSON schema, calls of tools, a language. Compiled grammars are
// kept, with the masks that they have learnt, because clients ask for the same ones again and again.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "constrain/match/token_grammar.h"
#include "serve/tool_marks.h"
#include "server/model/chat_request.h"

namespace minke::serve {

using SharedGrammar = std::shared_ptr<const constrain::TokenGrammar>;

class AnswerGrammars {
 public:
  explicit AnswerGrammars(std::shared_ptr<const constrain::Vocabulary> vocabulary) : vocabulary_(std::move(vocabulary)) {}

  // Null when any answer is right. `marks` may be null when there are no tools. Safe from several threads.
  Result<SharedGrammar> answer(const server::ChatRequest& request, const ToolMarks* marks);
  Result<SharedGrammar> language(const std::string& code);

 private:
  Result<std::shared_ptr<const constrain::Grammar>> compile(const server::ChatRequest& request, const ToolMarks* marks) const;
  SharedGrammar find(const std::string& key);
  SharedGrammar keep(std::string key, std::shared_ptr<const constrain::Grammar> grammar);

  std::shared_ptr<const constrain::Vocabulary> vocabulary_;
  std::mutex mutex_;                                       // of kept_
  std::list<std::pair<std::string, SharedGrammar>> kept_;  // the last used in front
};

// The tools that a request may call.
bool may_call_tools(const server::ChatRequest& request);

}  // namespace minke::serve
