#include "train/loop/policy_lesson.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/json.h"
#include "base/rng.h"
#include "data/make_shard.h"
#include "train/loop/settings.h"

namespace minke {
namespace {

std::vector<Problem> problems_of(const TaskMix& mix, int64_t first, int64_t n) {
  std::vector<Problem> problems;
  for (int64_t i = first; i < first + n; i++) problems.push_back(mix.problem(i));
  return problems;
}

RolloutOptions rollout_options(const recipe::RlPart& rl) {
  RolloutOptions options;
  options.n_samples = rl.group_size;
  options.max_new_tokens = rl.max_new_tokens;
  options.temperature = rl.temperature;
  return options;
}

Grade grader_of(const TaskMix& mix) {
  return [&mix](const Problem& problem, std::string_view content) -> Result<double> { return mix.grade(problem, content); };
}

std::function<bool(int64_t)> stops_when(const std::function<bool()>& wants_stop) {
  return [&wants_stop](int64_t) { return wants_stop && wants_stop(); };
}

int64_t n_positions(const Rollout& rollout) { return static_cast<int64_t>(rollout.prompt.size() + rollout.answer.size()) - 1; }

// Adds a rollout as a row; its answer's tokens count, each with this weight.
void add_row(TrainingRows& rows, const Rollout& rollout, float weight) {
  std::vector<TokenId> tokens = rollout.prompt;
  tokens.insert(tokens.end(), rollout.answer.begin(), rollout.answer.end());
  rows.tokens.insert(rows.tokens.end(), tokens.begin(), tokens.end() - 1);
  rows.targets.insert(rows.targets.end(), tokens.begin() + 1, tokens.end());
  rows.weights.insert(rows.weights.end(), rollout.prompt.size() - 1, 0.0f);
  rows.weights.insert(rows.weights.end(), rollout.answer.size(), weight);
  rows.piece_lengths.push_back(n_positions(rollout));
  rows.row_lengths.push_back(n_positions(rollout));
}

// Cuts [0, n) into micro-batches of at most so many positions; one rollout may be longer.
template <typename Run>
Status for_micro_batches(const std::vector<Rollout>& rollouts, std::span<const size_t> chosen, int64_t most, Run run) {
  for (size_t first = 0; first < chosen.size();) {
    size_t end = first;
    int64_t n = 0;
    while (end < chosen.size() && (end == first || n + n_positions(rollouts[chosen[end]]) <= most)) {
      n += n_positions(rollouts[chosen[end++]]);
    }
    TRY(run(chosen.subspan(first, end - first)));
    first = end;
  }
  return {};
}

std::vector<size_t> all_of(size_t n) {
  std::vector<size_t> indices(n);
  std::iota(indices.begin(), indices.end(), size_t{0});
  return indices;
}

}  // namespace

PolicyLesson::PolicyLesson(const recipe::Recipe& recipe, const LessonTools& tools, TaskMix mix, TaskMix eval_mix,
                           RolloutMaker maker)
    : recipe_(recipe),
      tools_(tools),
      flops_(tools.model.config()),
      mix_(std::move(mix)),
      eval_mix_(std::move(eval_mix)),
      maker_(std::move(maker)) {}

Result<std::unique_ptr<Lesson>> PolicyLesson::open(const recipe::Recipe& recipe, const LessonTools& tools,
                                                   const std::string& reference) {
  const recipe::RlPart& rl = *recipe.rl;
  TaskMix mix(rl.tasks, ProblemSplit::kTrain, rl.seed), eval_mix(rl.tasks, ProblemSplit::kEval, rl.seed);
  RolloutMaker maker = TRY(RolloutMaker::create(tools.model, tools.tokenizer, tools.context));
  std::unique_ptr<PolicyLesson> lesson(new PolicyLesson(recipe, tools, std::move(mix), std::move(eval_mix), std::move(maker)));
  if (rl.loss.kl_coef > 0 || lesson->is_taught()) {
    const Tokenizer tokenizer = TRY(Tokenizer::from_directory(reference));
    if (vocabulary_digest(tokenizer) != vocabulary_digest(tools.tokenizer)) {
      return error("{}: has another vocabulary than the model that learns: their log-probs are not of the same tokens",
                   reference);
    }
    lesson->reference_ = TRY(Model::load(reference, {.mtp = false}));
    const int64_t n_rows = tools.model.config().vocab_size, n_reference_rows = lesson->reference_->config().vocab_size;
    if (n_rows != n_reference_rows) {
      return error("{}: has logits of {} tokens, the model that learns of {}: expected the same number (vocab_size)", reference,
                   n_reference_rows, n_rows);
    }
    lesson->reference_pass_.emplace(TRY(TrainingPass::create(*lesson->reference_)));
  }
  return std::unique_ptr<Lesson>(std::move(lesson));
}

double PolicyLesson::count(Sampled& sampled, const Rollout& rollout, Tongue tongue, LessonStep& out) const {
  const RewardOptions rewards = {recipe_.rl->rewards, recipe_.rl->max_new_tokens, recipe_.rl->length_margin};
  const Judged judged = {rollout.accuracy, rollout.text, script_of(tongue), static_cast<int64_t>(rollout.answer.size())};
  const std::vector<double> parts = reward_parts(judged, rewards);
  const double reward = total_reward(parts, rewards);
  const std::array<int64_t, 1> length = {n_positions(rollout)};
  out.flops += flops_.of(length) / 3;  // forward alone
  out.n_tokens += static_cast<int64_t>(rollout.answer.size());
  sampled.n_rollouts++;
  sampled.reward += reward;
  sampled.accuracy += rollout.accuracy;
  sampled.n_tokens += static_cast<double>(rollout.answer.size());
  sampled.n_whole += rollout.is_whole ? 1 : 0;
  sampled.parts.resize(parts.size());
  for (size_t p = 0; p < parts.size(); p++) sampled.parts[p] += parts[p];
  return reward;
}

// Asks until there are enough groups to learn from, or rl.max_rounds is reached: then with those that there are.
Result<bool> PolicyLesson::sample(Sampled& sampled, LessonStep& out, const Progress& progress,
                                  const std::function<bool()>& wants_stop) {
  const recipe::RlPart& rl = *recipe_.rl;
  const size_t group = static_cast<size_t>(rl.group_size), wanted = static_cast<size_t>(rl.prompts) * group;
  RolloutOptions options = rollout_options(rl);
  sampled.next_problem = next_problem_;
  std::vector<double> rewards;
  for (int64_t round = 0; round < rl.max_rounds && sampled.rollouts.size() < wanted; round++) {
    const std::vector<Problem> problems = problems_of(mix_, sampled.next_problem, rl.prompts);
    options.seed = mix_seed(mix_seed(rl.seed, static_cast<uint64_t>(progress.step)), static_cast<uint64_t>(round));
    std::optional<std::vector<Rollout>> made = TRY(maker_.make(problems, options, grader_of(mix_), stops_when(wants_stop)));
    if (!made) return false;
    sampled.next_problem += rl.prompts;
    sampled.n_groups += rl.prompts;
    for (size_t first = 0; first < made->size(); first += group) {
      std::vector<double> accuracies, group_rewards;
      for (size_t i = first; i < first + group; i++) {
        accuracies.push_back((*made)[i].accuracy);
        group_rewards.push_back(count(sampled, (*made)[i], problems[i / group].tongue, out));
      }
      const bool teaches = !rl.drop_uniform || has_better_and_worse(accuracies);
      if (!teaches) sampled.n_dropped++;
      if (!teaches || sampled.rollouts.size() == wanted) continue;
      std::move(made->begin() + static_cast<std::ptrdiff_t>(first), made->begin() + static_cast<std::ptrdiff_t>(first + group),
                std::back_inserter(sampled.rollouts));
      rewards.insert(rewards.end(), group_rewards.begin(), group_rewards.end());
    }
  }
  if (!is_taught()) sampled.advantages = group_advantages(rewards, rl.group_size, rl.advantage);
  return true;
}

Status PolicyLesson::ask_reference(Sampled& sampled) {
  const std::vector<size_t> all = all_of(sampled.rollouts.size());
  return for_micro_batches(sampled.rollouts, all, recipe_.rl->micro_tokens, [&](std::span<const size_t> part) -> Status {
    TrainingRows rows;
    for (size_t i : part) add_row(rows, sampled.rollouts[i], 1.0f);
    const TokenLogprobs logprobs = TRY(reference_pass_->logprobs(rows, recipe_.rl->temperature, tools_.context));
    auto at = logprobs.logprobs.begin();
    for (size_t i : part) {
      const auto n = static_cast<std::ptrdiff_t>(sampled.rollouts[i].answer.size());
      sampled.reference.emplace_back(at, at + n);
      at += n;
    }
    return {};
  });
}

Result<LossParts> PolicyLesson::accumulate(const Sampled& sampled, std::span<const size_t> chosen, const Progress& progress,
                                           LessonStep& out, PolicyStats& stats) {
  const recipe::RlPart& rl = *recipe_.rl;
  BatchCounts counts;
  counts.n_rollouts = static_cast<int64_t>(chosen.size());
  for (size_t i : chosen) counts.n_tokens += static_cast<int64_t>(sampled.rollouts[i].answer.size());
  LossOptions options;
  options.balance_alpha = recipe_.moe.balance_alpha;
  options.n_rows = counts.n_rollouts;
  options.mtp_lambda = mtp_lambda_at(recipe_, progress.step);
  options.recompute = recipe_.model.recompute;
  tools_.parameters.zero_grads(tools_.context);
  tools_.pass.reset_expert_tokens();
  LossParts sum;
  const Status done = for_micro_batches(sampled.rollouts, chosen, rl.micro_tokens, [&](std::span<const size_t> part) -> Status {
    TrainingRows rows;
    for (size_t i : part) add_row(rows, sampled.rollouts[i], static_cast<float>(1.0 / static_cast<double>(counts.n_tokens)));
    out.flops += flops_.of(rows.piece_lengths);
    if (is_taught()) {
      const std::vector<float> states = TRY(reference_pass_->states(rows, tools_.context));
      sum += TRY(tools_.pass.run(rows, Teaching{reference_.get(), states, rl.temperature}, options, tools_.context));
      return {};
    }
    std::vector<int64_t> lengths;
    std::vector<double> advantages;
    std::vector<float> behavior, reference;
    for (size_t i : part) {
      const Rollout& rollout = sampled.rollouts[i];
      lengths.push_back(static_cast<int64_t>(rollout.answer.size()));
      advantages.push_back(sampled.advantages[i]);
      behavior.insert(behavior.end(), rollout.logprobs.begin(), rollout.logprobs.end());
      if (reference_) reference.insert(reference.end(), sampled.reference[i].begin(), sampled.reference[i].end());
    }
    LogprobObjective objective;
    objective.temperature = rl.temperature;
    objective.loss = [&](std::span<float> d_logprobs, const TokenLogprobs& now) -> Result<double> {
      const PolicyTokens tokens = {lengths, advantages, now.logprobs, behavior, reference, now.entropies};
      const PolicyLoss loss = TRY(policy_loss(d_logprobs, tokens, counts, rl.loss));
      stats.add(loss.stats);
      return loss.loss;
    };
    sum += TRY(tools_.pass.run(rows, objective, options, tools_.context));
    return {};
  });
  TRY(done);
  return sum;
}

void PolicyLesson::add_figures(LessonStep& out, const Sampled& sampled, const PolicyStats& stats) const {
  const double n = static_cast<double>(sampled.n_rollouts);
  out.figures = {{"reward", sampled.reward / n},
                 {"accuracy", sampled.accuracy / n},
                 {"answer_tokens", sampled.n_tokens / n},
                 {"whole", sampled.n_whole / n}};
  for (size_t p = 0; p < sampled.parts.size(); p++) {
    if (recipe_.rl->rewards[p].kind == RewardKind::kAccuracy) continue;
    out.figures.push_back({"reward_" + std::string(reward_name(recipe_.rl->rewards[p].kind)), sampled.parts[p] / n});
  }
  if (is_taught()) return;  // the loss says the rest: how far it is from its teacher
  const std::vector<Figure> rest = {
      {"groups_dropped", static_cast<double>(sampled.n_dropped) / static_cast<double>(sampled.n_groups)},
      {"ratio", stats.mean_ratio()},
      {"clipped_low", stats.clipped_low()},
      {"clipped_high", stats.clipped_high()},
      {"behavior_kl", stats.mean_behavior_kl()},
      {"entropy", stats.mean_entropy()}};
  out.figures.insert(out.figures.end(), rest.begin(), rest.end());
  if (reference_) out.figures.push_back({"reference_kl", stats.mean_ref_kl()});
}

Result<bool> PolicyLesson::step(LessonStep& out, const Progress& progress, const TakeUpdate& take_update,
                                const std::function<bool()>& wants_stop) {
  const recipe::RlPart& rl = *recipe_.rl;
  Sampled sampled;
  if (!TRY(sample(sampled, out, progress, wants_stop))) return false;
  PolicyStats stats;
  if (!sampled.rollouts.empty()) {
    if (reference_ && !is_taught()) TRY(ask_reference(sampled));
    const std::vector<size_t> all = all_of(sampled.rollouts.size());
    const size_t n_groups = all.size() / static_cast<size_t>(rl.group_size);
    const size_t n_updates = std::min(static_cast<size_t>(rl.updates), n_groups);
    for (int64_t epoch = 0; epoch < rl.inner_epochs; epoch++) {
      for (size_t u = 0; u < n_updates; u++) {
        const size_t first = n_groups * u / n_updates, end = n_groups * (u + 1) / n_updates;
        const std::span<const size_t> chosen = std::span(all).subspan(first * static_cast<size_t>(rl.group_size),
                                                                      (end - first) * static_cast<size_t>(rl.group_size));
        out.parts = TRY(accumulate(sampled, chosen, progress, out, stats));
        TRY(take_update(out.parts));
      }
    }
  }
  add_figures(out, sampled, stats);
  next_problem_ = sampled.next_problem;
  return true;
}

Result<std::optional<double>> PolicyLesson::validate() {
  const recipe::RlPart& rl = *recipe_.rl;
  RolloutOptions options = rollout_options(rl);
  options.n_samples = 1;
  options.temperature = 0;
  const std::vector<Problem> problems = problems_of(eval_mix_, 0, rl.eval_problems);
  const std::optional<std::vector<Rollout>> made = TRY(maker_.make(problems, options, grader_of(eval_mix_), nullptr));
  double wrong = 0;
  for (const Rollout& rollout : *made) wrong += 1 - rollout.accuracy;
  return std::optional(wrong / static_cast<double>(made->size()));
}

std::string PolicyLesson::position() const { return dump_json(Json{{"next_problem", next_problem_}}); }

Status PolicyLesson::seek(const std::string& position, const std::string& where) {
  const Json json = TRY(parse_json(position, where));
  if (!json.is_object() || !json.contains("next_problem") || !json["next_problem"].is_number_unsigned()) {
    return error("{}: the position of reinforcement learning has no \"next_problem\"", where);
  }
  next_problem_ = json["next_problem"].get<int64_t>();
  return {};
}

}  // namespace minke
