// How fast a model is: the same calls that a generation makes, on random tokens and without a sampler, timed one repetition
// after the other.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/error.h"
#include "model/model.h"

namespace minke {

struct SpeedOptions {
  int n_repetitions = 5;
  Context context;
  DType kv = DType::kF16;  // of the KV cache
  // Called between pieces of work with tokens done and in all; false stops.
  std::function<bool(int64_t n_done, int64_t n_total)> progress;
  // Called after every repetition of a speed, untimed: a probe of the machine. May be null.
  std::function<void()> after_repetition;
};

// Seconds of every repetition; fewer than asked for when progress stopped them.
using Seconds = std::vector<double>;

class SpeedMeter {
 public:
  SpeedMeter(Model& model, const SpeedOptions& options) : model_(model), options_(options) {}

  // Runs once what all measurements run, untimed: pages of the file are mapped, scratch memory is there.
  Status warm_up();
  // A prompt of n_tokens into an empty cache, with logits of its last token.
  Result<Seconds> prefill(int64_t n_tokens);
  // n_tokens one by one after a prompt of `depth`, which is run once.
  Result<Seconds> decode(int64_t depth, int64_t n_tokens);
  // n_tokens steps of n_sequences tokens each, from empty caches.
  Result<Seconds> batch_decode(int64_t n_sequences, int64_t n_tokens);

  // Bytes of the largest cache so far.
  int64_t kv_bytes() const { return kv_bytes_; }

 private:
  struct Run;
  Model& model_;
  const SpeedOptions& options_;
  int64_t kv_bytes_ = 0;
};

// What loading takes beside reading: seconds of Model::load, of the first token after it, and of reading all the bytes of the
// file into a buffer that is thrown away.
struct LoadTimes {
  Seconds load, first_token, read;
  uint64_t file_bytes = 0;
};
Result<LoadTimes> time_load(const std::string& path, const SpeedOptions& options);

}  // namespace minke
