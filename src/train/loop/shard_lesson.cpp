#include "train/loop/shard_lesson.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "data/make_shard.h"
#include "train/loop/settings.h"

namespace minke {
namespace {

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

}  // namespace

ShardLesson::ShardLesson(const recipe::Recipe& recipe, const LessonTools& tools, DataLoader data)
    : recipe_(recipe),
      tools_(tools),
      flops_(recipe.lora ? TrainingFlops(tools.model.config(), tools.parameters.n_elements())
                         : TrainingFlops(tools.model.config())),
      data_(std::move(data)),
      cursor_(data_.cursor()) {}

Result<std::unique_ptr<Lesson>> ShardLesson::open(const recipe::Recipe& recipe, const LessonTools& tools) {
  const ModelConfig& c = tools.model.config();
  if (recipe.data.sequence_length > c.max_seq_len) {
    return error("sequence_length {}: longer than the model's context of {} (max_position_embeddings)",
                 recipe.data.sequence_length, c.max_seq_len);
  }
  const std::string digest = vocabulary_digest(tools.tokenizer);
  DataLoader data = TRY(DataLoader::open(data_options(recipe, DataRole::kTraining, c.vocab_size, digest)));
  std::unique_ptr<ShardLesson> lesson(new ShardLesson(recipe, tools, std::move(data)));
  if (!recipe.data.validation.empty() || recipe.data.validation_fraction > 0) {
    lesson->validation_data_.emplace(TRY(DataLoader::open(data_options(recipe, DataRole::kValidation, c.vocab_size, digest))));
  }
  return std::unique_ptr<Lesson>(std::move(lesson));
}

Result<std::optional<LossParts>> ShardLesson::accumulate(const TrainingBatch& batch, int64_t tokens,
                                                         const std::function<bool()>& wants_stop) {
  LossOptions options;
  options.balance_alpha = recipe_.moe.balance_alpha;
  options.n_rows = static_cast<int64_t>(batch.rows.size());
  options.mtp_lambda = mtp_lambda_at(recipe_, tokens);
  options.mtp_weight_factor = mean_mtp_factor(rows_of(batch, 0, batch.rows.size()));
  options.recompute = recipe_.model.recompute;
  tools_.parameters.zero_grads(tools_.context);
  tools_.pass.reset_expert_tokens();
  LossParts sum;
  for (size_t first = 0; first < batch.rows.size();) {
    if (wants_stop && wants_stop()) return std::optional<LossParts>{};
    const size_t n = std::min(static_cast<size_t>(recipe_.batch.micro_rows), batch.rows.size() - first);
    sum += TRY(tools_.pass.run(rows_of(batch, first, n), options, tools_.context));
    first += n;
  }
  return std::optional(sum);
}

Result<TrainingBatch> ShardLesson::next_batch(int64_t tokens) {
  const int64_t n_rows = rows_at(recipe_, tokens);
  TrainingBatch batch = TRY(data_.next(n_rows));
  // Where long prompts are cut, a few rows may have nothing to learn: no step is made of them.
  for (int64_t n_seen = 0; !batch.rows.empty() && batch.n_loss_tokens == 0;) {
    n_seen += n_tokens_of(batch);
    if (n_seen > data_.n_positions()) return error("{}: the training data has no target that counts", recipe_.name);
    batch = TRY(data_.next(n_rows));
  }
  if (batch.rows.empty()) return error("{}: the training data ended after {} tokens", recipe_.name, tokens);
  return batch;
}

Result<bool> ShardLesson::step(LessonStep& out, const Progress& progress, const TakeUpdate& take_update,
                               const std::function<bool()>& wants_stop) {
  const TrainingBatch batch = TRY(next_batch(progress.tokens));
  const std::optional<LossParts> parts = TRY(accumulate(batch, progress.tokens, wants_stop));
  if (!parts) return false;
  out.parts = *parts;
  out.n_tokens = n_tokens_of(batch);
  for (const TrainingRow& row : batch.rows) out.flops += flops_.of(row.piece_lengths);
  TRY(take_update(*parts));
  cursor_ = data_.cursor();
  return true;
}

Result<std::optional<double>> ShardLesson::validate() {
  if (!validation_data_) return std::optional<double>{};
  const DataCursor start = validation_data_->cursor();
  double loss = 0;
  int64_t n_targets = 0;
  for (int64_t i = 0; i < recipe_.log.validation_batches; i++) {
    const TrainingBatch batch = TRY(validation_data_->next(recipe_.batch.micro_rows));
    if (batch.rows.empty()) break;
    if (batch.n_loss_tokens == 0) continue;
    const LossParts parts = TRY(tools_.pass.evaluate(rows_of(batch, 0, batch.rows.size()), LossOptions{}, tools_.context));
    loss += parts.cross_entropy * static_cast<double>(batch.n_loss_tokens);
    n_targets += batch.n_loss_tokens;
  }
  TRY(validation_data_->seek(start));
  if (n_targets == 0) return error("{}: the validation data has no target that counts", recipe_.name);
  return std::optional(loss / static_cast<double>(n_targets));
}

std::string ShardLesson::position() const { return dump_json(cursor_.to_json()); }

Status ShardLesson::seek(const std::string& position, const std::string& where) {
  const Json json = TRY(parse_json(position, where));
  cursor_ = TRY(DataCursor::from_json(json, where));
  return data_.seek(cursor_);
}

}  // namespace minke
