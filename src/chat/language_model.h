// A model with all that belongs to talking with it: tokenizer, chat template, the tokens that end answers and mark thoughts,
// and how its makers sample from it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chat/chat_format.h"
#include "engine/sampler.h"
#include "engine/thought_tracker.h"
#include "model/generation_config.h"
#include "model/model.h"
#include "tokenizer/tokenizer.h"

namespace minke {

struct LanguageModel {
  std::string path;
  std::unique_ptr<Model> model;
  std::optional<Tokenizer> tokenizer;
  std::optional<ChatFormat> format;  // none: it only goes on with texts
  GenerationConfig generation;
  std::vector<TokenId> stop_tokens;
  ThoughtTokens thought;

  // generation_config.json where it says that it samples, else minke's defaults.
  SamplingOptions sampling() const;
};

// template_file: a Jinja file in place of the model's own template; empty: that.
Result<LanguageModel> load_language_model(const std::string& path, const LoadOptions& options,
                                          const std::string& template_file = "");

}  // namespace minke
