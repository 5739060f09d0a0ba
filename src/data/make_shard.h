// Files of texts, rows and conversations into a shard.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/shard.h"
#include "tokenizer/tokenizer.h"

namespace minke {

struct MakeShardOptions {
  std::vector<std::string> inputs;  // see DocumentReader; rows have "text", "messages", or "prompt" and "completion"
  std::string output;
  std::string separator;      // of text files
  std::string chat_template;  // in place of the tokenizer's; "": its own
};

// SHA-256 of the vocabulary's tokens in the order of their ids, in hex: equal for two tokenizers exactly when ids mean the
// same. Ids behind the last token are left out, since files differ in how far they pad.
std::string vocabulary_digest(const Tokenizer& tokenizer);

// A text becomes the tokens that the tokenizer puts in front of texts, the text (special tokens spelled in it are text) and the
// eos token. progress(bytes read, of) says whether to go on; when not, there is no file and no result.
Result<std::optional<ShardInfo>> make_shard(const Tokenizer& tokenizer, const MakeShardOptions& options,
                                            const std::function<bool(uint64_t, uint64_t)>& progress);

}  // namespace minke
