#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/rng.h"
#include "engine/generator.h"
#include "train/loop/settings.h"
#include "train/loop/training_run.h"

namespace minke {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Weights that have gone out of range do not come back.
constexpr int kMaxLostSteps = 32;

}  // namespace

// Takes the update, or says why not.
Status TrainingRun::update(StepRecord& record, const LossParts& parts, double lr) {
  record.grad_norm = grad_norm(parameters_->parameters(), context_);
  const double median = guard_.median();
  const StepVerdict verdict = guard_.judge(parts.total, record.grad_norm);
  n_lost_steps_ = verdict == StepVerdict::kSkipNotFinite ? n_lost_steps_ + 1 : 0;
  if (n_lost_steps_ == kMaxLostSteps) {
    return error(
        "{}: {} steps in a row were not finite, the last one with loss {}; go on from an earlier checkpoint with a lower lr",
        recipe_.name, kMaxLostSteps, parts.total);
  }
  if (verdict != StepVerdict::kTake) {
    record.skipped = spike_reason(verdict, parts.total, record.grad_norm, median);
    return {};
  }
  optimizer_->step(lr, clip_scale(record.grad_norm, recipe_.optimizer.clip_norm), context_);
  update_router_biases(model_->mutable_weights(), pass_->expert_tokens(), bias_update_speed_at(recipe_, position()));
  return {};
}

Result<std::optional<StepRecord>> TrainingRun::step(const RunHooks& hooks) {
  const auto start = std::chrono::steady_clock::now();
  StepRecord record;
  LessonStep step;
  auto take_update = [&](const LossParts& parts) {
    record.lr = value_at(rate_schedule(recipe_), static_cast<double>(position() + (recipe_.rl ? 1 : step.n_tokens)));
    return update(record, parts, record.lr);
  };
  if (!TRY(lesson_->step(step, {state_.step, state_.tokens}, take_update, hooks.wants_stop)))
    return std::optional<StepRecord>{};
  state_.step++;
  state_.tokens += step.n_tokens;
  state_.validation_loss.reset();
  state_.flops += step.flops;
  record.step = state_.step;
  record.tokens = state_.tokens;
  record.position = position();
  record.total = recipe_.schedule.total;
  record.flops = state_.flops;
  record.loss = step.parts.total;
  record.cross_entropy = step.parts.cross_entropy;
  record.balance_loss = step.parts.balance;
  record.mtp_loss = step.parts.mtp;
  record.figures = std::move(step.figures);
  record.step_s = seconds_since(start);
  record.tokens_per_s = static_cast<double>(step.n_tokens) / record.step_s;
  record.mfu = setup_.peak_flops > 0 ? step.flops / record.step_s / setup_.peak_flops : 0;
  TRY(after_step(record, hooks));
  return std::optional(std::move(record));
}

Status TrainingRun::after_step(StepRecord& record, const RunHooks& hooks) {
  const recipe::LogPart& log = recipe_.log;
  const auto is_due = [&](int64_t every) { return every > 0 && (state_.step % every == 0 || is_finished()); };
  if (is_due(log.validate_every_steps)) record.validation_loss = state_.validation_loss = TRY(lesson_->validate());
  if (state_.validation_loss) {
    state_.best_validation_loss =
        std::min(*state_.validation_loss, state_.best_validation_loss.value_or(*state_.validation_loss));
  }
  if (is_due(log.sample_every_steps)) record.samples = TRY(samples());
  if (hooks.on_step) TRY(hooks.on_step(record));
  if (is_due(recipe_.checkpoint.every_steps)) TRY(save());
  return {};
}

// What the model goes on with now, in its naive f32 form; the seed is the step's, so that a resumed run says the same.
Result<std::vector<TextSample>> TrainingRun::samples() {
  std::vector<TextSample> out;
  const ModelConfig& c = model_->config();
  for (size_t i = 0; i < recipe_.log.sample_prompts.size(); i++) {
    GenerateRequest request;
    request.prompt = TRY(tokenizer_->encode(recipe_.log.sample_prompts[i]));
    request.max_new_tokens = recipe_.log.sample_tokens;
    request.sampling.temperature = 0.8;
    request.sampling.seed = mix_seed(mix_seed(recipe_.seed, static_cast<uint64_t>(state_.step)), i);
    for (int64_t id : c.eos_token_ids) request.stop_tokens.push_back(static_cast<TokenId>(id));
    GeneratorOptions options;
    options.context_tokens = std::min(c.max_seq_len, static_cast<int64_t>(request.prompt.size()) + request.max_new_tokens);
    options.mla = MlaForm::kNaive;
    Generator generator(*model_, context_, options, tokenizer_->vocab_size());
    std::vector<TokenId> answer;
    TRY(generator.generate(request, [&](const GeneratedToken& token) {
      if (!token.is_mark) answer.push_back(token.sampled.token);
      return Control::kContinue;
    }));
    out.push_back({recipe_.log.sample_prompts[i], TRY(tokenizer_->decode(answer))});
  }
  return out;
}

}  // namespace minke
