#include "measure/speed.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>

#include "base/rng.h"
#include "engine/generator.h"
#include "format/gguf_parts.h"
#include "format/model_file.h"

namespace minke {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

TokenId random_token(int64_t vocab_size, uint64_t index) {
  return static_cast<TokenId>(mix_seed(1, index) % static_cast<uint64_t>(vocab_size));
}

}  // namespace

// A cache and its sequences, one measurement long.
struct SpeedMeter::Run {
  Run(SpeedMeter& meter, int64_t n_sequences, int64_t n_tokens, int64_t n_total_)
      : model(meter.model_),
        options(meter.options_),
        // Every sequence ends in a page of its own.
        cache(model.config(), (n_tokens + kPageSize - 1) / kPageSize * kPageSize * n_sequences, meter.options_.kv),
        sequences(static_cast<size_t>(n_sequences)),
        n_total(n_total_) {
    meter.kv_bytes_ = std::max(meter.kv_bytes_, cache.capacity_tokens() * KvCache::bytes_per_token(model.config(), options.kv));
  }

  // n_new tokens for every sequence, in one call.
  Status step(int64_t n_new, MlaForm form, bool wants_logits) {
    Batch batch;
    for (SequenceCache& sequence : sequences) {
      for (int64_t i = 0; i < n_new; i++) batch.tokens.push_back(random_token(model.config().vocab_size, n_drawn++));
      batch.sequences.push_back({&sequence, n_new, form});
      if (wants_logits) batch.logit_rows.push_back(static_cast<int64_t>(batch.tokens.size()) - 1);
    }
    n_done += static_cast<int64_t>(batch.tokens.size());
    return model.forward(logits, batch, cache, options.context);
  }

  bool goes_on() {
    if (!is_stopped && options.progress) is_stopped = !options.progress(n_done, n_total);
    return !is_stopped;
  }

  // A prompt, cut as the generator cuts it.
  Status prompt(int64_t n_tokens) {
    const int64_t chunk = GeneratorOptions{}.prefill_chunk;
    for (int64_t start = 0; start < n_tokens && goes_on(); start += chunk) {
      int64_t n = std::min(chunk, n_tokens - start);
      TRY(step(n, MlaForm::kNaive, start + n == n_tokens));
    }
    return {};
  }

  Status generate(int64_t n_tokens) {
    for (int64_t i = 0; i < n_tokens && goes_on(); i++) TRY(step(1, MlaForm::kAbsorbed, true));
    return {};
  }

  void truncate(int64_t n_tokens) {
    for (SequenceCache& sequence : sequences) cache.truncate(sequence, n_tokens);
  }

  // `work` on caches of `depth` tokens, as often as asked for.
  template <typename Work>
  Result<Seconds> repeat(int64_t depth, Work work) {
    Seconds seconds;
    for (int i = 0; i < options.n_repetitions && !is_stopped; i++) {
      truncate(depth);
      Clock::time_point start = Clock::now();
      TRY(work());
      if (is_stopped) break;
      seconds.push_back(seconds_since(start));
      if (options.after_repetition) options.after_repetition();
    }
    return seconds;
  }

  Model& model;
  const SpeedOptions& options;
  KvCache cache;
  std::vector<SequenceCache> sequences;
  std::vector<float> logits;
  uint64_t n_drawn = 0;
  int64_t n_done = 0, n_total;
  bool is_stopped = false;
};

Status SpeedMeter::warm_up() {
  int64_t n_tokens = std::min(model_.config().max_seq_len - 1, GeneratorOptions{}.prefill_chunk);
  Run run(*this, 1, n_tokens + 1, n_tokens + 1);
  TRY(run.prompt(n_tokens));
  return run.generate(1);
}

Result<Seconds> SpeedMeter::prefill(int64_t n_tokens) {
  Run run(*this, 1, n_tokens, n_tokens * options_.n_repetitions);
  return run.repeat(0, [&] { return run.prompt(n_tokens); });
}

Result<Seconds> SpeedMeter::decode(int64_t depth, int64_t n_tokens) {
  Run run(*this, 1, depth + n_tokens, depth + n_tokens * options_.n_repetitions);
  TRY(run.prompt(depth));
  if (run.is_stopped) return Seconds{};
  return run.repeat(depth, [&] { return run.generate(n_tokens); });
}

Result<Seconds> SpeedMeter::batch_decode(int64_t n_sequences, int64_t n_tokens) {
  Run run(*this, n_sequences, n_tokens, n_sequences * n_tokens * options_.n_repetitions);
  return run.repeat(0, [&] { return run.generate(n_tokens); });
}

namespace {

// The files of the weights, all parts of a set.
Result<std::vector<std::string>> weight_files(const std::string& path) {
  namespace fs = std::filesystem;
  ModelPath found = TRY(find_model(path));
  std::error_code failure;
  if (fs::is_directory(found.path, failure)) {
    std::vector<std::string> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(found.path, failure)) {
      if (entry.path().extension() == ".safetensors") files.push_back(entry.path().string());
    }
    return files;
  }
  auto part = gguf_part_name(found.path);
  if (!part) return std::vector{found.path};
  std::vector<std::string> files;
  for (int64_t i = 0; i < part->n_parts; i++) files.push_back(part->path_of(i));
  return files;
}

// Reads a file as `cat FILE >/dev/null` does; the bytes it has.
Result<uint64_t> read_through(const std::string& path, std::vector<char>& buffer) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return error("{}: cannot open", path);
  uint64_t total = 0;
  ssize_t n;
  while ((n = ::read(fd, buffer.data(), buffer.size())) > 0) total += static_cast<uint64_t>(n);
  ::close(fd);
  if (n < 0) return error("{}: cannot read", path);
  return total;
}

}  // namespace

Result<LoadTimes> time_load(const std::string& path, const SpeedOptions& options) {
  constexpr size_t kCatBuffer = size_t{128} << 10;
  std::vector<std::string> files = TRY(weight_files(path));
  std::vector<char> buffer(kCatBuffer);
  LoadTimes times;
  // The first reading brings the file into the page cache and does not count.
  for (int i = -1; i < options.n_repetitions; i++) {
    if (options.progress && !options.progress(i + 1, options.n_repetitions + 1)) return times;
    Clock::time_point start = Clock::now();
    uint64_t total = 0;
    for (const std::string& file : files) {
      uint64_t n = TRY(read_through(file, buffer));
      total += n;
    }
    times.file_bytes = total;
    if (i < 0) continue;
    times.read.push_back(seconds_since(start));
    start = Clock::now();
    std::unique_ptr<Model> model = TRY(Model::load(path, {.pack = &options.context}));
    times.load.push_back(seconds_since(start));
    SpeedOptions once;
    once.n_repetitions = 1;
    once.context = options.context;
    Seconds first = TRY(SpeedMeter(*model, once).decode(0, 1));
    times.first_token.push_back(first[0]);
  }
  return times;
}

}  // namespace minke
