// Learning from shards: pretraining and fine-tuning on tokens that are given.
#pragma once

#include <memory>

#include "data/loader.h"
#include "train/loop/flops.h"
#include "train/loop/lesson.h"
#include "train/recipe/recipe.h"

namespace minke {

class ShardLesson : public Lesson {
 public:
  static Result<std::unique_ptr<Lesson>> open(const recipe::Recipe& recipe, const LessonTools& tools);

  Result<bool> step(LessonStep& out, const Progress& progress, const TakeUpdate& take_update,
                    const std::function<bool()>& wants_stop) override;
  // The mean cross entropy of the first batches of the validation data.
  Result<std::optional<double>> validate() override;
  std::string position() const override;
  Status seek(const std::string& position, const std::string& where) override;

 private:
  ShardLesson(const recipe::Recipe& recipe, const LessonTools& tools, DataLoader data);
  Result<TrainingBatch> next_batch(int64_t tokens);
  // Losses and gradients of a batch; nothing when it was stopped.
  Result<std::optional<LossParts>> accumulate(const TrainingBatch& batch, int64_t tokens,
                                              const std::function<bool()>& wants_stop);

  recipe::Recipe recipe_;
  LessonTools tools_;
  TrainingFlops flops_;
  DataLoader data_;
  std::optional<DataLoader> validation_data_;
  DataCursor cursor_;  // after the last whole step
};

}  // namespace minke
