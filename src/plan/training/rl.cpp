#include "plan/training/rl.h"

#include <algorithm>

namespace minke::plan {

RlTime rl_time(const RlTask& task) {
  Tokens longest = std::min(task.cap, task.answer * task.tail);
  Tokens written = task.answer * task.answers_per_round, read = (task.prompt + task.answer) * task.answers_per_round;
  Seconds by_devices = written / (task.writing_rate * task.n_devices), by_longest = longest / task.stream_rate;
  RlTime time;
  time.waits_for_longest = by_longest > by_devices;
  time.writing = task.n_rounds * std::max(by_devices, by_longest);
  Seconds pass = task.n_rounds * (read * task.forward / (task.learning_rate * task.n_devices));
  time.scoring = task.n_scorings * pass;
  time.learning = 3 * pass;  // forward and twice that backward
  return time;
}

}  // namespace minke::plan
