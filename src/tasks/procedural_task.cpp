#include "tasks/procedural_task.h"

#include "base/check.h"

namespace minke {
namespace {

constexpr uint64_t kEvalShare = 8;  // one problem in so many
constexpr uint64_t kMaxTries = 10'000;  // of a split that holds an eighth of a space: missed with probability (7/8)^10000

uint64_t seed_of(std::string_view task, const Problems& of, int64_t index) {
  uint64_t seed = hash_text(task);
  for (uint64_t part : {static_cast<uint64_t>(of.split), of.seed, static_cast<uint64_t>(of.difficulty), static_cast<uint64_t>(index)}) {
    seed = mix_seed(seed, part);
  }
  return seed;
}

}  // namespace

Split split_of(std::string_view task, std::string_view canonical) {
  return mix_seed(hash_text(task), hash_text(canonical)) % kEvalShare == 0 ? Split::kEval : Split::kTrain;
}

std::string answer_line(Tongue tongue, std::string_view result) {
  return fmt::format("{} {}", tongue == Tongue::kKorean ? "답:" : "Answer:", result);
}

Problem ProceduralTask::make(const Problems& of, int64_t index) const {
  CHECK(of.difficulty >= 1 && of.difficulty <= max_difficulty(), "{}: difficulty {} of 1..{}", name(), of.difficulty,
        max_difficulty());
  const uint64_t seed = seed_of(name(), of, index);
  for (uint64_t attempt = 0; attempt < kMaxTries; ++attempt) {
    Draws draws(mix_seed(seed, attempt));
    std::optional<Facts> facts = draw(draws, of.difficulty);
    if (!facts || split_of(name(), canonical(*facts)) != of.split) continue;
    Telling telling = tell(*facts, of.tongue, draws);
    Problem problem;
    problem.task = name();
    problem.tongue = of.tongue;
    problem.id = fmt::format("{}/{}/{}/{}/{}/{}", name(), of.difficulty, of.tongue == Tongue::kKorean ? "ko" : "en",
                             of.split == Split::kEval ? "eval" : "train", of.seed, index);
    problem.question = std::move(telling.question);
    problem.thought = std::move(telling.thought);
    problem.answer = answer_line(of.tongue, telling.result);
    problem.facts = std::move(*facts);
    problem.facts["result"] = std::move(telling.result);
    return problem;
  }
  CHECK(false, "{}: difficulty {} has no problem of split {}", name(), of.difficulty, static_cast<int>(of.split));
}

double ProceduralTask::grade(const Problem& problem, std::string_view content) const {
  std::string_view given = final_answer(content);
  if (given.ends_with('.')) given.remove_suffix(1);
  return given == problem.facts.at("result").get_ref<const std::string&>() ? 1 : 0;
}

}  // namespace minke
