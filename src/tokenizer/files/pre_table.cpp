#include "tokenizer/files/pre_table.h"

#include <algorithm>

#include "tokenizer/text/pre_tokenizer.h"

namespace minke {
namespace {

// DeepSeek-LLM's letters: a list of the cased letters of one version of Unicode, taken over character by character. (Some of
// them, like U+212A, are not stable under NFC, hence the escapes.)
constexpr const char* kDeepSeekLetters =
    "\\s?["
    "A-Za-z\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293\u0295-\u02AF\u0370-\u0373\u0376"
    "\u0377\u037B-\u037D\u037F\u0386\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0481\u048A-\u052F"
    "\u0531-\u0556\u10A0-\u10C5\u13A0-\u13F5\u13F8-\u13FD\u1C90-\u1CBA\u1CBD-\u1CBF\u1D00-\u1D2B\u1D6B-\u1D77"
    "\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D\u1F5F-\u1F7D"
    "\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4"
    "\u1FF6-\u1FFC\u2102\u2107\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128\u212A-\u212D\u212F-\u2134\u2139"
    "\u213C-\u213F\u2145-\u2149\u214E\u2183\u2184\u2C00-\u2C7B\u2C7E-\u2CE4\u2CEB-\u2CEE\u2CF2\u2CF3\uA640-\uA66D"
    "\uA680-\uA69B\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF\uFB00-\uFB06\uFB13-\uFB17\uFF21-\uFF3A"
    "\uFF41-\uFF5A\U00010400-\U0001044F\U000104B0-\U000104D3\U000104D8-\U000104FB\U00010C80-\U00010CB2"
    "\U00010CC0-\U00010CF2\U000118A0-\U000118DF\U0001E900-\U0001E943"
    "]+";
// U+3000-3002, U+FF01-FF0F, U+FF1A-FF5E and U+2018-201F beside ASCII.
constexpr const char* kDeepSeekPunctuation = "\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+";
constexpr const char* kDeepSeekCjk = "[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+";

constexpr const char* kDeepSeekV3 =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
    " ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

constexpr const char* kQwen2 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr const char* kLlama3 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr const char* kGpt4o =
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr const char* kKimi =
    "[\\p{Han}]+|"
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+(?i:'s|"
    "'t|'re|'ve|'m|'ll|'d)?|"
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*(?i:'s|"
    "'t|'re|'ve|'m|'ll|'d)?|"
    "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

// tokenizer.json files spell line breaks in patterns as themselves or escaped.
std::string with_escaped_breaks(std::string_view pattern) {
  std::string out;
  for (char c : pattern) {
    if (c == '\r') {
      out += "\\r";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

const std::vector<PreTokenizerRow>& pre_tokenizer_table() {
  static const std::vector<PreTokenizerRow> kRows = {
      {{"default"}, {"[\\p{P}\\$\\+<=>\\^~\\|]+", kGpt2Pattern, "\\p{N}+", "[0-9][0-9][0-9]"}},
      {{"gpt-2"}, {kGpt2Pattern}},
      // The last step is Digits one by one in the models' own files.
      {{"deepseek-llm"}, {"[\\r\\n]", kDeepSeekLetters, kDeepSeekPunctuation, "\\s+$", kDeepSeekCjk, "\\p{N}"}},
      {{"deepseek-coder"}, {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", kDeepSeekCjk, "\\p{N}"}},
      {{"deepseek-v3"}, {"\\p{N}{1,3}", "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+", kDeepSeekV3}},
      {{"qwen2", "deepseek-r1-qwen"}, {kQwen2}, /*nfc=*/true},
      {{"llama-bpe", "llama3", "llama-v3"}, {kLlama3}, /*nfc=*/false, /*ignore_merges=*/true, /*add_bos=*/true},
      {{"glm4", "chatglm-bpe"}, {kLlama3}},
      {{"gpt-4o", "kanana2", "llama4"}, {kGpt4o}},
      // tiktoken looks for the whole piece first.
      {{"kimi-k2"}, {kKimi}, /*nfc=*/false, /*ignore_merges=*/true},
  };
  return kRows;
}

const PreTokenizerRow* find_pre_tokenizer(std::string_view name) {
  for (const PreTokenizerRow& row : pre_tokenizer_table()) {
    if (std::find(row.names.begin(), row.names.end(), name) != row.names.end()) return &row;
  }
  return nullptr;
}

std::string pre_tokenizer_names() {
  std::string out;
  for (const PreTokenizerRow& row : pre_tokenizer_table()) {
    for (std::string_view name : row.names) out.append(out.empty() ? "" : ", ").append(name);
  }
  return out;
}

std::vector<PreTokenizerStep> pre_tokenizer_steps(const PreTokenizerRow& row) {
  std::vector<PreTokenizerStep> steps;
  for (std::string_view pattern : row.patterns) {
    PreTokenizerStep step;
    step.pattern = {true, std::string(pattern)};
    steps.push_back(std::move(step));
  }
  PreTokenizerStep bytes;
  bytes.kind = PreTokenizerStep::Kind::kByteLevel;
  steps.push_back(std::move(bytes));
  return steps;
}

std::vector<NormalizerStep> normalizer_steps(const PreTokenizerRow& row) {
  if (!row.nfc) return {};
  NormalizerStep step;
  step.kind = NormalizerStep::Kind::kNfc;
  return {step};
}

const PreTokenizerRow* matching_pre_tokenizer(const TokenizerSpec& spec) {
  using Kind = PreTokenizerStep::Kind;
  if (!spec.byte_level() || spec.pre_tokenizer.back().add_prefix_space) return nullptr;
  std::vector<std::string> patterns;
  for (const PreTokenizerStep& step : spec.pre_tokenizer) {
    bool plain_split =
        step.kind == Kind::kSplit && step.pattern.is_regex && step.behavior == SplitBehavior::kIsolated && !step.invert;
    if (plain_split) {
      patterns.push_back(with_escaped_breaks(step.pattern.text));
    } else if (step.kind == Kind::kDigits) {
      patterns.push_back(step.individual_digits ? "\\p{N}" : "\\p{N}+");
    } else if (step.kind != Kind::kByteLevel) {
      return nullptr;
    } else if (step.use_regex) {
      patterns.push_back(kGpt2Pattern);
    }
  }
  for (const PreTokenizerRow& row : pre_tokenizer_table()) {
    bool same = std::equal(patterns.begin(), patterns.end(), row.patterns.begin(), row.patterns.end());
    if (same && row.ignore_merges == spec.ignore_merges && normalizer_steps(row) == spec.normalizer) return &row;
  }
  return nullptr;
}

}  // namespace minke
