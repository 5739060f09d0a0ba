// A tokenizer as data: what tokenizer.json + tokenizer_config.json or the metadata of a GGUF file say, in one neutral form.
// Readers (files/) fill it, writers (files/) export it, Tokenizer runs it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/token_id.h"

namespace minke {

// Bounds what a hostile file can make us allocate; the largest public vocabulary has 262,144 tokens.
constexpr int64_t kMaxVocabSize = int64_t{1} << 21;
constexpr size_t kMaxTokenBytes = size_t{1} << 16;

// The values of tokenizer.ggml.token_type. kUnused also marks ids that no token has.
enum class TokenKind : int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

// A token that is found in the text before anything else is done with it.
struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool special = false;      // dropped by skip_special
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // takes the white space after it
  bool normalized = false;   // is looked for after normalisation
  bool in_model = false;     // the merging model's own vocabulary has it too
};

struct TextPattern {
  bool is_regex = false;  // Oniguruma (Ruby) syntax, as in tokenizer.json; otherwise the literal text
  std::string text;
  bool operator==(const TextPattern&) const = default;
};

struct NormalizerStep {
  enum class Kind { kNfc, kNfd, kNfkc, kNfkd, kLowercase, kStrip, kPrepend, kReplace };
  Kind kind = Kind::kNfc;
  TextPattern pattern;  // kReplace
  std::string content;  // kReplace, kPrepend
  bool left = true;     // kStrip
  bool right = true;    // kStrip
  bool operator==(const NormalizerStep&) const = default;
};

enum class SplitBehavior { kIsolated, kRemoved, kMergedWithPrevious, kMergedWithNext, kContiguous };
enum class PrependScheme { kAlways, kFirst, kNever };

struct PreTokenizerStep {
  enum class Kind { kSplit, kByteLevel, kMetaspace, kDigits, kPunctuation, kWhitespace, kWhitespaceSplit };
  Kind kind = Kind::kSplit;
  TextPattern pattern;                                // kSplit
  SplitBehavior behavior = SplitBehavior::kIsolated;  // kSplit, kPunctuation
  bool invert = false;                                // kSplit
  bool add_prefix_space = false;                      // kByteLevel
  bool use_regex = false;                             // kByteLevel
  bool individual_digits = false;                     // kDigits
  std::string replacement;                            // kMetaspace
  PrependScheme prepend = PrependScheme::kAlways;     // kMetaspace
  bool split = true;                                  // kMetaspace
  bool operator==(const PreTokenizerStep&) const = default;
};

struct DecoderStep {
  enum class Kind { kByteLevel, kReplace, kByteFallback, kFuse, kStrip, kMetaspace };
  Kind kind = Kind::kByteLevel;
  std::string pattern;                             // kReplace: literal text
  std::string content;                             // kReplace; kStrip: one character
  int strip_start = 0;                             // kStrip
  std::string replacement;                         // kMetaspace
  PrependScheme prepend = PrependScheme::kAlways;  // kMetaspace
  bool operator==(const DecoderStep&) const = default;
};

// left + right -> result; its rank is its place in the list.
struct Merge {
  TokenId left;
  TokenId right;
  TokenId result;
};

struct ChatTemplate {
  std::string name;  // "default" for the only or main one
  std::string text;
};

struct TokenizerSpec {
  // The vocabulary by id, spelled as in the file (byte-level tokens in the GPT-2 alphabet). Ids without a token are kUnused.
  std::vector<std::string> tokens;
  std::vector<TokenKind> kinds;
  std::vector<float> scores;  // empty, or one per token: then the model is SentencePiece BPE, which merges by score
  std::vector<Merge> merges;
  std::vector<AddedToken> added;  // by id

  bool byte_fallback = false;
  bool ignore_merges = false;
  bool fuse_unk = false;
  std::optional<TokenId> unk;

  std::vector<NormalizerStep> normalizer;
  std::vector<PreTokenizerStep> pre_tokenizer;
  std::vector<DecoderStep> decoder;

  // What add_special puts before and after a text.
  std::vector<TokenId> prefix;
  std::vector<TokenId> suffix;

  std::optional<TokenId> bos;
  std::optional<TokenId> pad;
  std::vector<TokenId> eos;  // the first one is the eos token, others end a turn too
  std::vector<ChatTemplate> chat_templates;
  std::string tokenizer_class;
  std::optional<int64_t> model_max_length;
  // Kept for round trips. Decoding never cleans up spaces: it would change the text of code and break streaming.
  bool clean_up_spaces = false;

  bool byte_level() const {
    for (const PreTokenizerStep& step : pre_tokenizer) {
      if (step.kind == PreTokenizerStep::Kind::kByteLevel) return true;
    }
    return false;
  }
};

}  // namespace minke
