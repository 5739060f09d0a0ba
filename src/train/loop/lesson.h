// What a run learns from, step by step: shards of tokens with their cross entropy, or the model's own answers with their
// rewards. The run owns model, optimizer, checkpoints and schedule (training_run.h); a lesson makes the gradients.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/context.h"
#include "base/error.h"
#include "model/training/training_pass.h"
#include "tokenizer/tokenizer.h"
#include "train/parameters.h"
#include "train/report/step_record.h"

namespace minke {

// What a lesson works on; all of it outlives the lesson.
struct LessonTools {
  Model& model;
  ParameterStore& parameters;
  TrainingPass& pass;
  const Tokenizer& tokenizer;
  Context context;
};

// Where the run stands before the step.
struct Progress {
  int64_t step = 0, tokens = 0;
};

struct LessonStep {
  int64_t n_tokens = 0;  // that the step went through
  double flops = 0;      // of the model
  LossParts parts;       // of the last update
  std::vector<Figure> figures;
};

class Lesson {
 public:
  virtual ~Lesson() = default;

  // Zeroes and makes gradients and calls take_update, once or more, which moves the parameters (or says why not, in the step's
  // record). `out.n_tokens` counts what is known before the first update. False: wants_stop said so before the first update;
  // then nothing has changed.
  using TakeUpdate = std::function<Status(const LossParts& parts)>;
  virtual Result<bool> step(LessonStep& out, const Progress& progress, const TakeUpdate& take_update,
                            const std::function<bool()>& wants_stop) = 0;
  // A figure that falls as the model gets better, always over the same data; nothing when there is no such data.
  virtual Result<std::optional<double>> validate() = 0;
  // JSON: what the next step begins with. For checkpoints.
  virtual std::string position() const = 0;
  virtual Status seek(const std::string& position, const std::string& where) = 0;
};

}  // namespace minke
