#include "train/rl/rollout.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/rng.h"

namespace minke {
namespace {

constexpr std::string_view kThoughtOpens = "<think>";
constexpr int64_t kCacheBytes = int64_t{1} << 30;
constexpr int64_t kMaxRunning = 512;

std::string_view without_end_blanks(std::string_view text) { return text.substr(0, text.find_last_not_of(" \t\r\n") + 1); }

Script script_of(Tongue tongue) { return tongue == Tongue::kKorean ? Script::kHangul : Script::kLatin; }

// Room for all at once, or what the memory of the cache allows; at least for one prompt's samples.
EngineOptions engine_options(const ModelConfig& config, int64_t n_sequences, int64_t n_samples, int64_t sequence_tokens) {
  const int64_t pages = (sequence_tokens + kPageSize - 1) / kPageSize,
                bytes = KvCache::bytes_per_token(config, DType::kF32, MlaCache::kHeads);
  const int64_t affordable = std::max<int64_t>(n_samples, kCacheBytes / (bytes * pages * kPageSize));
  const int64_t n_running = std::max(n_samples, std::min({n_sequences, affordable, kMaxRunning}));
  return {.cache_tokens = n_running * pages * kPageSize, .max_running = n_running, .mla = MlaCache::kHeads};
}

}  // namespace

RolloutMaker::RolloutMaker(Model& model, const Tokenizer& tokenizer, const Context& context, ChatEncoder encoder)
    : model_(&model), tokenizer_(&tokenizer), context_(context), encoder_(std::move(encoder)) {}

Result<RolloutMaker> RolloutMaker::create(Model& model, const Tokenizer& tokenizer, const Context& context) {
  if (tokenizer.chat_template() == nullptr) return error("the tokenizer has no chat template to ask a problem with");
  if (!tokenizer.eos()) return error("the tokenizer names no eos token to end an answer with");
  RolloutMaker maker(model, tokenizer, context, TRY(ChatEncoder::create(tokenizer, "")));
  maker.stop_tokens_ = {*tokenizer.eos()};
  for (int64_t id : model.config().eos_token_ids) maker.stop_tokens_.push_back(static_cast<TokenId>(id));
  return maker;
}

Status RolloutMaker::judge(Rollout& rollout, const TaskMix& mix, const Problem& problem, bool is_open,
                           const RolloutOptions& options) const {
  std::vector<TokenId> said = rollout.answer;
  if (rollout.is_whole) said.pop_back();
  rollout.text = (is_open ? std::string(kThoughtOpens) : "") + TRY(tokenizer_->decode(said));
  if (rollout.is_whole) rollout.accuracy = mix.grade(problem, split_thought(rollout.text).answer);
  const Judged judged = {rollout.accuracy, rollout.text, script_of(problem.tongue),
                         static_cast<int64_t>(rollout.answer.size())};
  rollout.parts = reward_parts(judged, options.rewards);
  rollout.reward = total_reward(rollout.parts, options.rewards);
  return {};
}

Result<std::optional<std::vector<Rollout>>> RolloutMaker::make(const TaskMix& mix, std::span<const Problem> problems,
                                                               const RolloutOptions& options,
                                                               const std::function<bool()>& wants_stop) {
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
      engine_options(model_->config(), static_cast<int64_t>(rollouts.size()), n, longest + options.max_new_tokens);
  std::unique_ptr<Engine> engine = TRY(Engine::create(*model_, context_, engine_of, tokenizer_->vocab_size()));
  for (size_t i = 0; i < requests.size(); i++) {
    for (int64_t s = 0; s < n; s++) rollouts[i * static_cast<size_t>(n) + static_cast<size_t>(s)].prompt = requests[i].prompt;
    TRY_IN(problems[i].id, engine->submit(std::move(requests[i])));
  }
  while (!engine->is_idle()) {
    if (wants_stop && wants_stop()) return std::optional<std::vector<Rollout>>{};
    TRY(engine->step([&](const EngineToken& token) {
      Rollout& rollout = rollouts[static_cast<size_t>(token.request * n + token.sample)];
      rollout.answer.push_back(token.token);
      rollout.logprobs.push_back(token.logprob);
      rollout.is_whole = token.finish == FinishReason::kStopToken;
      return true;
    }));
  }
  for (size_t i = 0; i < rollouts.size(); i++) {
    const size_t problem = i / static_cast<size_t>(n);
    TRY_IN(problems[problem].id, judge(rollouts[i], mix, problems[problem], is_open[problem], options));
  }
  return std::optional(std::move(rollouts));
}

}  // namespace minke
