// What the tests of the training loop share.
#pragma once

#include <string>

#include "base/file.h"
#include "support/support.h"
#include "train/loop/training_run.h"

namespace minke::testing {

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("no \"" + from + "\" in the text");
  return text.replace(at, from.size(), to);
}

// A file of the last checkpoint of a run's folder.
inline std::string checkpoint_bytes(const std::string& run, const std::string& name) {
  return value_of(read_file(value_of(list_checkpoints(run)).back().path + "/" + name, size_t{1} << 26));
}

// To the end, or until `n_polls` micro-batches have begun.
inline RunEnd train(const recipe::Recipe& recipe, const Context& context, int64_t n_polls = -1) {
  std::unique_ptr<TrainingRun> run = value_of(TrainingRun::open(recipe, {}, context));
  RunHooks hooks;
  if (n_polls >= 0) hooks.wants_stop = [&] { return n_polls-- == 0; };
  return value_of(run->run(hooks));
}

}  // namespace minke::testing
