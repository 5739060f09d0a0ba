#include "chat/language_model.h"

#include <algorithm>

#include "base/file.h"
#include "tokenizer/load.h"

namespace minke {
namespace {

constexpr size_t kMaxTemplateBytes = size_t{1} << 20;

Status open_template(LanguageModel& lm, const std::string& template_file) {
  std::string text;
  if (!template_file.empty()) {
    text = TRY(read_file(template_file, kMaxTemplateBytes));
  } else if (const std::string* own = lm.tokenizer->chat_template(); own != nullptr) {
    text = *own;
  } else {
    return {};
  }
  lm.format = TRY(ChatFormat::create(*lm.tokenizer, lm.thought, std::move(text), "chat template"));
  return {};
}

void collect_stop_tokens(LanguageModel& lm) {
  const ModelConfig& config = lm.model->config();
  const auto add = [&](int64_t id) {
    const auto token = static_cast<TokenId>(id);
    const bool known = std::find(lm.stop_tokens.begin(), lm.stop_tokens.end(), token) != lm.stop_tokens.end();
    if (id >= 0 && id < config.vocab_size && lm.tokenizer->has_token(token) && !known) lm.stop_tokens.push_back(token);
  };
  for (int64_t id : lm.generation.eos_token_ids) add(id);
  for (int64_t id : config.eos_token_ids) add(id);
  for (TokenId id : lm.tokenizer->eos_ids()) add(id);
}

}  // namespace

SamplingOptions LanguageModel::sampling() const {
  SamplingOptions out;
  if (!generation.do_sample.value_or(false)) return out;
  out.temperature = generation.temperature.value_or(out.temperature);
  out.top_p = generation.top_p.value_or(out.top_p);
  out.top_k = generation.top_k.value_or(out.top_k);
  out.repetition_penalty = generation.repetition_penalty.value_or(out.repetition_penalty);
  return out;
}

Result<LanguageModel> load_language_model(const std::string& path, const LoadOptions& options,
                                          const std::string& template_file) {
  LanguageModel lm;
  lm.path = path;
  lm.model = TRY(Model::load(path, options));
  lm.tokenizer = TRY(load_tokenizer_for(path));
  lm.generation = TRY(read_generation_config(lm.model->files().generation_config));
  lm.thought.open = lm.tokenizer->token_to_id("<think>").value_or(-1);
  lm.thought.close = lm.tokenizer->token_to_id("</think>").value_or(-1);
  TRY(open_template(lm, template_file));
  collect_stop_tokens(lm);
  return lm;
}

}  // namespace minke
