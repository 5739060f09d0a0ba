#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "base/rng.h"
#include "engine/generator.h"
#include "format/folder.h"
#include "train/loop/settings.h"
#include "train/loop/training_run.h"

namespace minke {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int64_t n_tokens_of(const TrainingBatch& batch) {
  int64_t n = 0;
  for (const TrainingRow& row : batch.rows) n += static_cast<int64_t>(row.tokens.size());
  return n;
}

// Rows [first, first + n) of a batch, each target with its share in the mean over the batch.
TrainingRows rows_of(const TrainingBatch& batch, size_t first, size_t n) {
  TrainingRows out;
  const float share = batch.n_loss_tokens > 0 ? static_cast<float>(1.0 / static_cast<double>(batch.n_loss_tokens)) : 0.0f;
  for (size_t i = first; i < first + n; i++) {
    const TrainingRow& row = batch.rows[i];
    out.tokens.insert(out.tokens.end(), row.tokens.begin(), row.tokens.end());
    out.targets.insert(out.targets.end(), row.targets.begin(), row.targets.end());
    for (uint8_t counts : row.mask) out.weights.push_back(counts != 0 ? share : 0.0f);
    out.piece_lengths.insert(out.piece_lengths.end(), row.piece_lengths.begin(), row.piece_lengths.end());
    out.row_lengths.push_back(static_cast<int64_t>(row.tokens.size()));
  }
  return out;
}

// Weights that have gone out of range do not come back.
constexpr int kMaxLostSteps = 32;

void add(LossParts& sum, const LossParts& parts) {
  sum.cross_entropy += parts.cross_entropy;
  sum.balance += parts.balance;
  sum.mtp += parts.mtp;
  sum.total += parts.total;
}

}  // namespace

Result<std::optional<LossParts>> TrainingRun::accumulate(const TrainingBatch& batch, const RunHooks& hooks) {
  LossOptions options;
  options.balance_alpha = recipe_.moe.balance_alpha;
  options.n_rows = static_cast<int64_t>(batch.rows.size());
  options.mtp_lambda = mtp_lambda_at(recipe_, state_.tokens);
  options.mtp_weight_factor = mean_mtp_factor(rows_of(batch, 0, batch.rows.size()));
  options.recompute = recipe_.model.recompute;
  parameters_->zero_grads(context_);
  pass_->reset_expert_tokens();
  LossParts sum;
  for (size_t first = 0; first < batch.rows.size();) {
    if (hooks.wants_stop && hooks.wants_stop()) return std::optional<LossParts>{};
    const size_t n = std::min(static_cast<size_t>(recipe_.batch.micro_rows), batch.rows.size() - first);
    add(sum, TRY(pass_->run(rows_of(batch, first, n), options, context_)));
    first += n;
  }
  return std::optional(sum);
}

// Takes the step, or says why not.
std::string TrainingRun::update(const LossParts& parts, double norm, double lr) {
  const double median = guard_.median();
  const StepVerdict verdict = guard_.judge(parts.total, norm);
  n_lost_steps_ = verdict == StepVerdict::kSkipNotFinite ? n_lost_steps_ + 1 : 0;
  if (verdict != StepVerdict::kTake) return spike_reason(verdict, parts.total, norm, median);
  optimizer_->step(lr, clip_scale(norm, recipe_.optimizer.clip_norm), context_);
  update_router_biases(model_->mutable_weights(), pass_->expert_tokens(), bias_update_speed_at(recipe_, state_.tokens));
  return "";
}

Result<std::optional<StepRecord>> TrainingRun::step(const RunHooks& hooks) {
  const auto start = std::chrono::steady_clock::now();
  TrainingBatch batch = TRY(data_->next(rows_at(recipe_, state_.tokens)));
  // Where long prompts are cut, a few rows may have nothing to learn: no step is made of them.
  for (int64_t n_seen = 0; !batch.rows.empty() && batch.n_loss_tokens == 0;) {
    n_seen += n_tokens_of(batch);
    if (n_seen > data_->n_positions()) return error("{}: the training data has no target that counts", recipe_.name);
    batch = TRY(data_->next(rows_at(recipe_, state_.tokens)));
  }
  if (batch.rows.empty()) return error("{}: the training data ended after {} tokens", recipe_.name, state_.tokens);
  const std::optional<LossParts> parts = TRY(accumulate(batch, hooks));
  if (!parts) return std::optional<StepRecord>{};
  StepRecord record;
  const int64_t n_tokens = n_tokens_of(batch);
  record.grad_norm = grad_norm(parameters_->parameters(), context_);
  record.lr = value_at(rate_schedule(recipe_), static_cast<double>(state_.tokens + n_tokens));
  record.skipped = update(*parts, record.grad_norm, record.lr);
  if (n_lost_steps_ == kMaxLostSteps) {
    return error(
        "{}: {} steps in a row were not finite, the last one with loss {}; go on from an earlier checkpoint with a lower lr",
        recipe_.name, kMaxLostSteps, parts->total);
  }
  double flops = 0;
  for (const TrainingRow& row : batch.rows) flops += step_flops_->of(row.piece_lengths);
  state_.step++;
  state_.tokens += n_tokens;
  state_.validation_loss.reset();
  state_.flops += flops;
  cursor_ = data_->cursor();
  record.step = state_.step;
  record.tokens = state_.tokens;
  record.total_tokens = recipe_.schedule.total_tokens;
  record.flops = state_.flops;
  record.loss = parts->total;
  record.cross_entropy = parts->cross_entropy;
  record.balance_loss = parts->balance;
  record.mtp_loss = parts->mtp;
  record.step_s = seconds_since(start);
  record.tokens_per_s = static_cast<double>(n_tokens) / record.step_s;
  record.mfu = setup_.peak_flops > 0 ? flops / record.step_s / setup_.peak_flops : 0;
  TRY(after_step(record, hooks));
  return std::optional(record);
}

Status TrainingRun::after_step(StepRecord& record, const RunHooks& hooks) {
  const recipe::LogPart& log = recipe_.log;
  const auto is_due = [&](int64_t every) { return every > 0 && (state_.step % every == 0 || is_finished()); };
  if (validation_data_ && is_due(log.validate_every_steps)) {
    state_.validation_loss = TRY(validate());
    state_.best_validation_loss =
        std::min(*state_.validation_loss, state_.best_validation_loss.value_or(*state_.validation_loss));
    record.validation_loss = state_.validation_loss;
  }
  if (is_due(log.sample_every_steps)) record.samples = TRY(samples());
  if (hooks.on_step) TRY(hooks.on_step(record));
  if (is_due(recipe_.checkpoint.every_steps)) TRY(save());
  return {};
}

// The mean cross entropy of the first batches of the validation data, always the same ones.
Result<double> TrainingRun::validate() {
  const DataCursor start = validation_data_->cursor();
  double loss = 0;
  int64_t n_targets = 0;
  for (int64_t i = 0; i < recipe_.log.validation_batches; i++) {
    const TrainingBatch batch = TRY(validation_data_->next(recipe_.batch.micro_rows));
    if (batch.rows.empty()) break;
    if (batch.n_loss_tokens == 0) continue;
    const LossParts parts = TRY(pass_->evaluate(rows_of(batch, 0, batch.rows.size()), LossOptions{}, context_));
    loss += parts.cross_entropy * static_cast<double>(batch.n_loss_tokens);
    n_targets += batch.n_loss_tokens;
  }
  TRY(validation_data_->seek(start));
  if (n_targets == 0) return error("{}: the validation data has no target that counts", recipe_.name);
  return loss / static_cast<double>(n_targets);
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
