#include "eval/evaluation.h"

#include <algorithm>

#include "base/check.h"

namespace minke {

Result<std::optional<std::vector<EvalResult>>> evaluate(Model& model, const Tokenizer& tokenizer,
                                                        std::span<const EvalProblem> problems, const EvalOptions& options,
                                                        const Grade& grade, const OnEvalProgress& on_progress,
                                                        const Context& context) {
  RolloutMaker maker = TRY(RolloutMaker::create(model, tokenizer, context));
  std::vector<Problem> asked;
  std::vector<EvalResult> results;
  for (const EvalProblem& problem : problems) {
    asked.push_back(problem.problem);
    results.push_back({problem.group, problem.problem, {}});
  }
  RolloutOptions rollout;
  rollout.n_samples = options.n_samples;
  rollout.max_new_tokens = options.max_new_tokens;
  rollout.temperature = options.temperature;
  rollout.seed = options.seed;
  const int64_t n_total = static_cast<int64_t>(problems.size()) * options.n_samples;
  const auto wants_stop = [&](int64_t n_done) { return on_progress && !on_progress(n_done, n_total); };
  std::optional<std::vector<Rollout>> made = TRY(maker.make(asked, rollout, grade, wants_stop));
  if (!made) return std::optional<std::vector<EvalResult>>{};
  for (size_t i = 0; i < made->size(); i++) {
    Rollout& r = (*made)[i];
    results[i / static_cast<size_t>(options.n_samples)].answers.push_back(
        {std::move(r.text), r.accuracy, static_cast<int64_t>(r.answer.size()), r.is_whole});
  }
  return std::optional(std::move(results));
}

std::vector<EvalSummary> summarise(std::span<const EvalResult> results) {
  std::vector<EvalSummary> summaries;
  auto add = [&](const EvalResult& result, const std::string& group) {
    auto found = std::find_if(summaries.begin(), summaries.end(), [&](const EvalSummary& s) { return s.group == group; });
    if (found == summaries.end()) found = summaries.insert(summaries.end(), EvalSummary{group, 0, 0, {}, 0, 0, 0});
    const double n = static_cast<double>(result.answers.size());
    double best = 0;
    for (const EvalAnswer& answer : result.answers) {
      found->accuracy += answer.grade / n;
      found->tokens += static_cast<double>(answer.n_tokens) / n;
      found->cut += (answer.is_whole ? 0 : 1) / n;
      best = std::max(best, answer.grade);
    }
    found->pass_at_n += best;
    found->n_problems++;
  };
  for (const EvalResult& result : results) add(result, result.group);
  if (summaries.size() > 1) {
    for (const EvalResult& result : results) add(result, "");
  }
  for (EvalSummary& s : summaries) {
    const double n = static_cast<double>(s.n_problems);
    s.interval = wilson_interval(s.accuracy, n);
    for (double* mean : {&s.accuracy, &s.pass_at_n, &s.tokens, &s.cut}) *mean /= n;
  }
  return summaries;
}

PairedComparison compare_paired(std::span<const EvalResult> first, std::span<const EvalResult> second) {
  CHECK(first.size() == second.size(), "{} and {} problems", first.size(), second.size());
  PairedComparison comparison;
  comparison.n_problems = static_cast<int64_t>(first.size());
  for (size_t i = 0; i < first.size(); i++) {
    CHECK(first[i].problem.id == second[i].problem.id, "{} beside {}", first[i].problem.id, second[i].problem.id);
    const bool one = first[i].answers[0].grade == 1, other = second[i].answers[0].grade == 1;
    comparison.only_first += one && !other ? 1 : 0;
    comparison.only_second += other && !one ? 1 : 0;
  }
  comparison.p = mcnemar_p(comparison.only_first, comparison.only_second);
  return comparison;
}

}  // namespace minke
