// Rewards of a rollout: parts that a recipe lists with their weights, R = sum over parts of weight * part. DeepSeek-R1 (arXiv
// 2501.12948), sections 2.2.2 and 2.3.2: accuracy and format of equal weight, in later rounds language consistency too.
// Length: DAPO (arXiv 2503.14476), section 3.4. How right an answer is, is the task's affair.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tasks/task.h"

namespace minke {

enum class RewardKind {
  kAccuracy,  // [0, 1]: of the task
  kFormat,    // 0 or 1: is_well_formed
  kLanguage,  // [0, 1]: language_consistency of the thought
  kLength,    // [-1, 0]: length_penalty
};

// "accuracy", "format", "language", "length"; others are an error that lists these.
Result<RewardKind> find_reward_kind(std::string_view name);
std::string_view reward_name(RewardKind kind);

struct RewardPart {
  RewardKind kind = RewardKind::kAccuracy;
  double weight = 1;
};

// What a text is written with, by the Unicode blocks of its letters.
enum class Script { kLatin, kHangul };
Script script_of(Tongue tongue);

struct RewardOptions {
  std::vector<RewardPart> parts;
  int64_t max_length = 0, length_margin = 0;  // of length_penalty, in tokens; not read where it has no part
};

// A rollout as the rewards see it.
struct Judged {
  double accuracy = 0;    // the task's grade
  std::string_view text;  // everything from the opening tag of the thought on, whoever wrote the tag
  Script script = Script::kLatin;
  int64_t n_tokens = 0;  // that the policy sampled
};

// The parts' values in the order of options.parts, without their weights.
std::vector<double> reward_parts(const Judged& rollout, const RewardOptions& options);
double total_reward(std::span<const double> values, const RewardOptions& options);

// The text between the tags, and what follows them; both trimmed of white space. Empty where a tag is missing.
struct ThoughtAndAnswer {
  std::string_view thought, answer;
};
ThoughtAndAnswer split_thought(std::string_view text);

// "<think>thought</think>answer": each tag once and in this order, nothing before the first, neither part empty.
bool is_well_formed(std::string_view text);

// Words of the script / words of `text`; 0 where there is none, so that silence is not the best thought. A word is a run of
// letters of one script; each ideograph or kana is a word, because they are written without spaces. Single letters of other
// scripts than these and Hangul belong to formulas and do not count, nor do digits and signs.
double language_consistency(std::string_view text, Script script);

// DAPO's soft punishment: 0 up to max_length - margin, then down in a straight line to -1 at max_length, and -1 beyond.
// 0 <= margin <= max_length.
double length_penalty(int64_t n_tokens, int64_t max_length, int64_t margin);

}  // namespace minke
