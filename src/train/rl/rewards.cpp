#include "train/rl/rewards.h"

#include <algorithm>

#include "base/check.h"
#include "base/utf8.h"
#include "tokenizer/text/unicode.h"

namespace minke {
namespace {

constexpr std::string_view kOpen = "<think>", kClose = "</think>";

struct KindName {
  RewardKind kind;
  std::string_view name;
};
constexpr KindName kNames[] = {{RewardKind::kAccuracy, "accuracy"},
                               {RewardKind::kFormat, "format"},
                               {RewardKind::kLanguage, "language"},
                               {RewardKind::kLength, "length"}};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) + 1 - first);
}

bool occurs_once(std::string_view text, std::string_view part) {
  const size_t at = text.find(part);
  return at != std::string_view::npos && text.find(part, at + 1) == std::string_view::npos;
}

enum class Letter { kNone, kMark, kLatin, kHangul, kIdeograph, kOther };

struct Block {
  char32_t first, last;
  Letter letter;
};

// Blocks of the Unicode character database, without the signs among them.
constexpr Block kBlocks[] = {
    {'A', 'Z', Letter::kLatin},
    {'a', 'z', Letter::kLatin},
    {0xC0, 0xD6, Letter::kLatin},
    {0xD8, 0xF6, Letter::kLatin},
    {0xF8, 0x24F, Letter::kLatin},
    {0x300, 0x36F, Letter::kMark},
    {0x1100, 0x11FF, Letter::kHangul},      // Jamo
    {0x1E00, 0x1EFF, Letter::kLatin},       // Latin Extended Additional
    {0x3005, 0x3007, Letter::kIdeograph},   // iteration mark, closing mark, zero
    {0x3041, 0x30FF, Letter::kIdeograph},   // Hiragana, Katakana
    {0x3131, 0x318E, Letter::kHangul},      // Compatibility Jamo
    {0x31F0, 0x31FF, Letter::kIdeograph},   // Katakana Phonetic Extensions
    {0x3400, 0x4DBF, Letter::kIdeograph},   // CJK Extension A
    {0x4E00, 0x9FFF, Letter::kIdeograph},   // CJK Unified Ideographs
    {0xA960, 0xA97C, Letter::kHangul},      // Jamo Extended-A
    {0xAC00, 0xD7A3, Letter::kHangul},      // Syllables
    {0xD7B0, 0xD7FB, Letter::kHangul},      // Jamo Extended-B
    {0xF900, 0xFAFF, Letter::kIdeograph},   // CJK Compatibility Ideographs
    {0xFF21, 0xFF3A, Letter::kLatin},       // full width
    {0xFF41, 0xFF5A, Letter::kLatin},       //
    {0x20000, 0x323AF, Letter::kIdeograph}  // CJK Extensions B to H
};

Letter letter_of(char32_t c) {
  const Block* block = std::lower_bound(std::begin(kBlocks), std::end(kBlocks), c,
                                        [](const Block& b, char32_t value) { return b.last < value; });
  if (block != std::end(kBlocks) && c >= block->first) return block->letter;
  return c >= 0x80 && is_word_character(c) ? Letter::kOther : Letter::kNone;
}

}  // namespace

std::string_view reward_name(RewardKind kind) {
  return std::find_if(std::begin(kNames), std::end(kNames), [&](const KindName& row) { return row.kind == kind; })->name;
}

Result<RewardKind> find_reward_kind(std::string_view name) {
  std::string known;
  for (const KindName& row : kNames) {
    if (row.name == name) return row.kind;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", row.name);
  }
  return error("unknown reward \"{}\"; known: {}", name, known);
}

Script script_of(Tongue tongue) { return tongue == Tongue::kKorean ? Script::kHangul : Script::kLatin; }

std::vector<double> reward_parts(const Judged& rollout, const RewardOptions& options) {
  std::vector<double> values;
  for (const RewardPart& part : options.parts) {
    switch (part.kind) {
      case RewardKind::kAccuracy:
        values.push_back(rollout.accuracy);
        break;
      case RewardKind::kFormat:
        values.push_back(is_well_formed(rollout.text) ? 1 : 0);
        break;
      case RewardKind::kLanguage:
        values.push_back(language_consistency(split_thought(rollout.text).thought, rollout.script));
        break;
      case RewardKind::kLength:
        values.push_back(length_penalty(rollout.n_tokens, options.max_length, options.length_margin));
        break;
    }
  }
  return values;
}

double total_reward(std::span<const double> values, const RewardOptions& options) {
  CHECK(values.size() == options.parts.size(), "{} values of {} parts", values.size(), options.parts.size());
  double total = 0;
  for (size_t i = 0; i < values.size(); i++) total += options.parts[i].weight * values[i];
  return total;
}

ThoughtAndAnswer split_thought(std::string_view text) {
  const size_t open = text.find(kOpen);
  if (open == std::string_view::npos) return {};
  const size_t first = open + kOpen.size(), close = text.find(kClose, first);
  if (close == std::string_view::npos) return {};
  return {trimmed(text.substr(first, close - first)), trimmed(text.substr(close + kClose.size()))};
}

bool is_well_formed(std::string_view text) {
  if (!trimmed(text).starts_with(kOpen) || !occurs_once(text, kOpen) || !occurs_once(text, kClose)) return false;
  const ThoughtAndAnswer parts = split_thought(text);
  return !parts.thought.empty() && !parts.answer.empty();
}

double language_consistency(std::string_view text, Script script) {
  const Letter target = script == Script::kLatin ? Letter::kLatin : Letter::kHangul;
  int64_t n_words = 0, n_target = 0, run_length = 0;
  Letter run = Letter::kNone;
  auto end_run = [&] {
    const bool is_word = run != Letter::kNone && (run_length > 1 || run == Letter::kHangul || run == Letter::kIdeograph);
    n_words += is_word;
    n_target += is_word && run == target;
    run_length = 0;
  };
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_decode(text, at);
    at += step.n_bytes;
    const Letter letter = letter_of(step.code_point);
    if (letter == Letter::kMark) continue;
    if (letter != run || letter == Letter::kIdeograph) end_run();
    run = letter;
    run_length++;
  }
  end_run();
  return n_words == 0 ? 0 : static_cast<double>(n_target) / static_cast<double>(n_words);
}

double length_penalty(int64_t n_tokens, int64_t max_length, int64_t margin) {
  CHECK(margin >= 0 && margin <= max_length, "margin {} of {}", margin, max_length);
  const int64_t free_length = max_length - margin;
  if (n_tokens <= free_length) return 0;
  if (n_tokens > max_length) return -1;
  return static_cast<double>(free_length - n_tokens) / static_cast<double>(margin);
}

}  // namespace minke
