#include "synthetic/byte_vocabulary.h"

#include <algorithm>

#include "tokenizer/bpe/vocabulary.h"
#include "tokenizer/spec.h"

namespace minke {
namespace {

constexpr int64_t kBytes = 256;

// Tokens 0 .. 255 are the bytes; from there token i is the one before it in breadth-first order, parent(i), and one more byte.
// Ids count the tokens made by merging, without the control tokens between them.
struct MergedTokens {
  std::vector<std::string> texts, merges;

  explicit MergedTokens(int64_t n) {
    for (int64_t byte = 0; byte < std::min(n, kBytes); byte++) {
      char value = static_cast<char>(byte);
      texts.push_back(symbols_from_bytes({&value, 1}));
    }
    for (int64_t i = kBytes; i < n; i++) {
      const std::string& left = texts[static_cast<size_t>((i - kBytes) / kBytes)];
      const std::string& right = texts[static_cast<size_t>(i % kBytes)];
      merges.push_back(left + " " + right);
      texts.push_back(left + right);
    }
  }
};

}  // namespace

Status set_byte_vocabulary(GgufMetadata& metadata, int64_t vocab_size, int64_t bos, const std::vector<int64_t>& eos) {
  std::vector<int64_t> controls = eos;
  if (bos >= 0 && std::find(eos.begin(), eos.end(), bos) == eos.end()) controls.push_back(bos);
  std::sort(controls.begin(), controls.end());
  for (int64_t id : controls) {
    if (id < 0 || id >= vocab_size) return error("token id {} in a vocabulary of {}", id, vocab_size);
  }
  int64_t n_texts = vocab_size - static_cast<int64_t>(controls.size());
  if (n_texts < kBytes) return error("a vocabulary of {} tokens, at least {} are needed for all bytes", n_texts, kBytes);
  MergedTokens merged(n_texts);
  std::vector<std::string> tokens;
  std::vector<int64_t> kinds;
  size_t next = 0;
  for (int64_t id = 0; id < vocab_size; id++) {
    bool is_control = std::binary_search(controls.begin(), controls.end(), id);
    tokens.push_back(is_control ? fmt::format("<|control {}|>", id) : std::move(merged.texts[next++]));
    kinds.push_back(static_cast<int64_t>(is_control ? TokenKind::kControl : TokenKind::kNormal));
  }
  metadata.set("tokenizer.ggml.model", GgufValue::string("gpt2"));
  metadata.set("tokenizer.ggml.pre", GgufValue::string("qwen2"));
  metadata.set("tokenizer.ggml.tokens", GgufValue::strings(std::move(tokens)));
  metadata.set("tokenizer.ggml.token_type", GgufValue::i32s(std::move(kinds)));
  metadata.set("tokenizer.ggml.merges", GgufValue::strings(std::move(merged.merges)));
  auto set_id = [&](const char* key, int64_t id) { metadata.set(key, GgufValue::u32(static_cast<uint32_t>(id))); };
  if (bos >= 0) set_id("tokenizer.ggml.bos_token_id", bos);
  if (!eos.empty()) set_id("tokenizer.ggml.eos_token_id", eos[0]);
  metadata.set("tokenizer.ggml.add_bos_token", GgufValue::boolean(false));
  return {};
}

}  // namespace minke
