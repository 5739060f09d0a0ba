// What the tests of the training loop share.
#pragma once

#include <filesystem>
#include <string>

#include "base/file.h"
#include "support/support.h"
#include "tokenizer/train/trainer.h"
#include "train/loop/training_run.h"

namespace minke::testing {

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("no \"" + from + "\" in the text");
  return text.replace(at, from.size(), to);
}

// config.json of a tiny DeepSeek-V3 with this vocabulary, and tokenizer/ made by these options from no text at all.
inline Tokenizer write_tiny_model_files(const TemporaryDirectory& folder, const TokenizerTrainingOptions& options) {
  const std::string config = read_test_file(repository_path("tests/goldens/grads/models/deepseek_v3_mtp/config.json"));
  const std::string vocab = "\"vocab_size\": " + std::to_string(options.vocab_size);
  value_of(write_file(folder.file("config.json"), replaced(config, "\"vocab_size\": 72", vocab)));
  TokenizerTrainer trainer = value_of(TokenizerTrainer::create(options));
  TokenizerSpec spec = value_of(trainer.finish([](int64_t, int64_t) { return true; }));
  Tokenizer tokenizer = value_of(Tokenizer::from_spec(std::move(spec), "test"));
  std::filesystem::create_directory(folder.path() / "tokenizer");
  const Tokenizer::HfFiles files = value_of(tokenizer.to_tokenizer_json());
  value_of(write_file(folder.file("tokenizer/tokenizer.json"), files.tokenizer_json));
  value_of(write_file(folder.file("tokenizer/tokenizer_config.json"), files.tokenizer_config_json));
  return tokenizer;
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
