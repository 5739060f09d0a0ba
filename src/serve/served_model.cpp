#include "serve/served_model.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>

namespace minke::serve {
namespace {

using server::PieceKind;

struct FillRow {
  const char *prefix, *suffix, *middle;
};
// Both families write prefix, suffix, then what is wanted: DeepSeek's hole stands where Qwen names the suffix.
constexpr FillRow kFillRows[] = {
    {"<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"},
    {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"},
    {"<fim_prefix>", "<fim_suffix>", "<fim_middle>"},
};

std::optional<FillTokens> find_fill_tokens(const constrain::Vocabulary& vocabulary) {
  for (const FillRow& row : kFillRows) {
    const auto prefix = vocabulary.control_token(row.prefix), suffix = vocabulary.control_token(row.suffix),
               middle = vocabulary.control_token(row.middle);
    if (prefix && suffix && middle) return FillTokens{*prefix, *suffix, *middle};
  }
  return std::nullopt;
}

// Parameters of all experts, and of those that work on one token.
void count_parameters(const ModelConfig& config, server::ModelInfo& info) {
  ModelWeights weights;
  double routed = 0;
  for (const WeightRow& row : weight_rows(config, weights, false)) {
    if (row.is_shared || row.layer >= config.n_layers) continue;
    int64_t n = 1;
    for (int64_t dim : row.shape) n *= dim;
    info.n_parameters += n;
    if (row.expert >= 0) routed += static_cast<double>(n);
  }
  info.n_active = info.n_parameters;
  if (config.moe.n_routed_experts == 0) return;
  const double used = static_cast<double>(config.moe.n_experts_per_token) / static_cast<double>(config.moe.n_routed_experts);
  info.n_active -= static_cast<int64_t>(routed * (1 - used));
}

// The dtype of most bytes, and all bytes.
void describe_tensors(const TensorMap& tensors, server::ModelInfo& info) {
  std::map<DType, int64_t> bytes;
  for (const TensorMap::Entry& entry : tensors.entries()) {
    const auto n = static_cast<int64_t>(entry.view.n_bytes());
    bytes[entry.view.dtype] += n;
    info.n_bytes += n;
  }
  const auto most =
      std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most != bytes.end()) info.dtype = dtype_name(most->first);
}

int64_t changed_at(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 ? static_cast<int64_t>(facts.st_mtime) : 0;
}

std::shared_ptr<const std::vector<uint64_t>> mask_without(size_t n_words, const std::vector<TokenId>& tokens) {
  if (tokens.empty()) return nullptr;
  auto mask = std::make_shared<std::vector<uint64_t>>(n_words, ~uint64_t{0});
  for (TokenId token : tokens) (*mask)[static_cast<size_t>(token) / 64] &= ~(uint64_t{1} << (token % 64));
  return mask;
}

}  // namespace

Result<std::unique_ptr<ServedModel>> ServedModel::load(const ServedModelOptions& options, const LoadOptions& load) {
  std::unique_ptr<ServedModel> served(new ServedModel());
  served->lm = TRY(load_language_model(options.path, load, options.template_file));
  const LanguageModel& lm = served->lm;
  if (options.context_tokens > lm.model->config().max_seq_len) {
    return error("--ctx {}: the context of {} is {} tokens", options.context_tokens, options.id,
                 lm.model->config().max_seq_len);
  }
  if (lm.stop_tokens.empty()) return error("{}: names no token that ends an answer", options.path);
  served->vocabulary = TRY(constrain::Vocabulary::from_tokenizer(served->tokenizer(), lm.stop_tokens));
  served->grammars = std::make_unique<AnswerGrammars>(served->vocabulary);
  if (lm.format) served->tools = find_tool_marks(lm.format->template_text(), *served->vocabulary);
  served->fill = find_fill_tokens(*served->vocabulary);
  served->classify_tokens();
  served->describe(options);
  return served;
}

void ServedModel::classify_tokens() {
  kinds_.assign(static_cast<size_t>(vocabulary->n_tokens()), PieceKind::kText);
  const auto set = [&](TokenId token, PieceKind kind) { kinds_[static_cast<size_t>(token)] = kind; };
  std::vector<TokenId> forbidden;
  if (lm.thought.open >= 0 && lm.thought.close >= 0) {
    set(lm.thought.open, PieceKind::kThoughtBegin);
    set(lm.thought.close, PieceKind::kThoughtEnd);
    forbidden = {lm.thought.open, lm.thought.close};
  }
  mask_with_tools_ = mask_without(vocabulary->n_mask_words(), forbidden);
  if (tools) {
    for (const auto& [token, kind] : tools->tokens) {
      set(token, kind);
      forbidden.push_back(token);
    }
  }
  mask_without_tools_ = mask_without(vocabulary->n_mask_words(), forbidden);
}

void ServedModel::describe(const ServedModelOptions& options) {
  const ModelConfig& config = lm.model->config();
  info.id = options.id;
  info.path = options.path;
  info.bundled = options.bundled;
  info.architecture = config.architecture;
  info.context = options.context_tokens > 0 ? options.context_tokens : std::min(config.max_seq_len, kDefaultContext);
  info.created = changed_at(lm.model->files().weights);
  info.can_think = can_think();
  info.can_use_tools = tools.has_value();
  info.can_fill_in = fill.has_value();
  info.can_embed = true;
  info.has_template = lm.format.has_value();
  count_parameters(config, info);
  describe_tensors(lm.model->files().tensors, info);
}

}  // namespace minke::serve
