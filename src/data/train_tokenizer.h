// A byte-level BPE tokenizer out of files, with the looks at progress and Ctrl-C that a long work needs.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/train/trainer.h"

namespace minke {

struct TrainedTokenizer {
  Tokenizer tokenizer;
  uint64_t n_bytes = 0;  // of the files
  int64_t n_pieces = 0, n_different_pieces = 0;
};

enum class TokenizerPhase { kReading, kMerging };  // counted in bytes, in tokens

// Texts are whole text files and, of the rows of .jsonl files, "text", "prompt", "completion" and the contents of messages with
// their thoughts. progress says whether to go on; when not, there is no result.
Result<std::optional<TrainedTokenizer>> train_tokenizer(
    const TokenizerTrainingOptions& options, const std::vector<std::string>& files,
    const std::function<bool(TokenizerPhase phase, uint64_t done, uint64_t total)>& progress);

// tokenizer.json and tokenizer_config.json, in a folder that is made where it is missing.
Status write_tokenizer(const Tokenizer& tokenizer, const std::string& folder);

}  // namespace minke
