#include "train/rl/rollout.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/rng.h"

namespace minke {
namespace {

constexpr std::string_view kThoughtOpens = "<think>", kThoughtCloses = "</think>";
constexpr int64_t kCacheBytes = int64_t{1} << 30;
constexpr int64_t kMaxRunning = 512;

std::string_view without_end_blanks(std::string_view text) { return text.substr(0, text.find_last_not_of(" \t\r\n") + 1); }

// Behind the thought; of a text without tags all of it.
std::string_view content_of(std::string_view text) {
  const size_t close = text.rfind(kThoughtCloses);
  if (close != std::string_view::npos) return text.substr(close + kThoughtCloses.size());
  return text.find(kThoughtOpens) == std::string_view::npos ? text : std::string_view();
}

bool has_whole_up_projections(const Model& model) {
  const std::vector<LayerWeights>& layers = model.weights().layers;
  return std::all_of(layers.begin(), layers.end(), [](const LayerWeights& layer) {
    return layer.attention.up.kv_b_proj.data != nullptr && !layer.attention.up.kv_b_proj.is_packed;
  });
}

// Room for all at once, or what the memory of the cache allows; at least for one prompt's samples.
EngineOptions engine_options(const ModelConfig& config, MlaCache mla, int64_t n_sequences, int64_t n_samples,
                             int64_t sequence_tokens) {
  const int64_t pages = (sequence_tokens + kPageSize - 1) / kPageSize,
                bytes = KvCache::bytes_per_token(config, DType::kF32, mla);
  const int64_t affordable = std::max<int64_t>(n_samples, kCacheBytes / (bytes * pages * kPageSize));
  const int64_t n_running = std::max(n_samples, std::min({n_sequences, affordable, kMaxRunning}));
  return {.cache_tokens = n_running * pages * kPageSize, .max_running = n_running, .mla = mla};
}

}  // namespace

RolloutMaker::RolloutMaker(Model& model, const Tokenizer& tokenizer, const Context& context, ChatEncoder encoder)
    : model_(&model), tokenizer_(&tokenizer), context_(context), encoder_(std::move(encoder)) {}

Result<RolloutMaker> RolloutMaker::create(Model& model, const Tokenizer& tokenizer, const Context& context) {
  if (tokenizer.chat_template() == nullptr) return error("the tokenizer has no chat template to ask a problem with");
  if (!tokenizer.eos()) return error("the tokenizer names no eos token to end an answer with");
  RolloutMaker maker(model, tokenizer, context, TRY(ChatEncoder::create(tokenizer, "")));
  if (model.config().attention == AttentionKind::kMla && !has_whole_up_projections(model)) maker.mla_ = MlaCache::kLatent;
  maker.stop_tokens_ = {*tokenizer.eos()};
  for (int64_t id : model.config().eos_token_ids) maker.stop_tokens_.push_back(static_cast<TokenId>(id));
  return maker;
}

Status RolloutMaker::judge(Rollout& rollout, const Problem& problem, bool is_open, const Grade& grade) const {
  std::vector<TokenId> said = rollout.answer;
  if (rollout.is_whole) said.pop_back();
  rollout.text = (is_open ? std::string(kThoughtOpens) : "") + TRY(tokenizer_->decode(said));
  const std::string_view content = content_of(rollout.text);
  if (rollout.is_whole && !content.empty()) rollout.accuracy = TRY(grade(problem, content));
  return {};
}

Result<std::optional<std::vector<Rollout>>> RolloutMaker::make(std::span<const Problem> problems, const RolloutOptions& options,
                                                               const Grade& grade,
                                                               const std::function<bool(int64_t n_done)>& wants_stop) {
  std::vector<EngineRequest> requests;
  std::vector<bool> is_open;  // the prompt ends with the tag that opens the thought
  int64_t longest = 0;
  for (size_t i = 0; i < problems.size(); i++) {
    const Json row = {{"prompt", {{{"role", "user"}, {"content", problems[i].question}}}}};
    EncodedDocument prompt = TRY_IN(problems[i].id, encoder_.encode_prompt(row));
    is_open.push_back(without_end_blanks(prompt.text).ends_with(kThoughtOpens));
    longest = std::max(longest, static_cast<int64_t>(prompt.tokens.size()));
    EngineRequest request;
    request.prompt = std::move(prompt.tokens);
    request.sampling.temperature = options.temperature;
    request.sampling.top_p = 1;
    request.sampling.seed = mix_seed(options.seed, i);
    request.max_new_tokens = options.max_new_tokens;
    request.stop_tokens = stop_tokens_;
    request.n_samples = static_cast<int>(options.n_samples);
    requests.push_back(std::move(request));
  }
  const int64_t n = options.n_samples;
  std::vector<Rollout> rollouts(problems.size() * static_cast<size_t>(n));
  const EngineOptions engine_of =
      engine_options(model_->config(), mla_, static_cast<int64_t>(rollouts.size()), n, longest + options.max_new_tokens);
  std::unique_ptr<Engine> engine = TRY(Engine::create(*model_, context_, engine_of, tokenizer_->vocab_size()));
  for (size_t i = 0; i < requests.size(); i++) {
    for (int64_t s = 0; s < n; s++) rollouts[i * static_cast<size_t>(n) + static_cast<size_t>(s)].prompt = requests[i].prompt;
    TRY_IN(problems[i].id, engine->submit(std::move(requests[i])));
  }
  int64_t n_done = 0;
  while (!engine->is_idle()) {
    if (wants_stop && wants_stop(n_done)) return std::optional<std::vector<Rollout>>{};
    TRY(engine->step([&](const EngineToken& token) {
      Rollout& rollout = rollouts[static_cast<size_t>(token.request * n + token.sample)];
      rollout.answer.push_back(token.token);
      rollout.logprobs.push_back(token.logprob);
      rollout.is_whole = token.finish == FinishReason::kStopToken;
      if (token.finish) n_done++;
      return true;
    }));
  }
  for (size_t i = 0; i < rollouts.size(); i++) {
    const size_t problem = i / static_cast<size_t>(n);
    TRY_IN(problems[problem].id, judge(rollouts[i], problems[problem], is_open[problem], grade));
  }
  return std::optional(std::move(rollouts));
}

}  // namespace minke
