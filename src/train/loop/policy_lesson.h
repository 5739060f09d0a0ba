// Reinforcement learning with rewards that a program gives: the policy answers problems, groups of answers to the same problem
// are compared, and what was better than its group becomes likelier. GRPO and its corrections (train/rl). One step samples once
// and takes one or several updates. Or on-policy distillation: no rewards, but a teacher whose distribution the policy comes near
// to at each token of its own answers.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "train/loop/flops.h"
#include "train/loop/lesson.h"
#include "train/recipe/recipe.h"
#include "train/rl/policy_loss.h"
#include "train/rl/rollout.h"
#include "train/rl/task_mix.h"

namespace minke {

class PolicyLesson : public Lesson {
 public:
  // reference: the folder of the teacher, or of the model that the policy is kept near to; that is not read where rl.loss.kl_coef
  // is 0.
  static Result<std::unique_ptr<Lesson>> open(const recipe::Recipe& recipe, const LessonTools& tools,
                                              const std::string& reference);

  Result<bool> step(LessonStep& out, const Progress& progress, const TakeUpdate& take_update,
                    const std::function<bool()>& wants_stop) override;
  // The share of problems of the eval split that greedy answers get wrong.
  Result<std::optional<double>> validate() override;
  std::string position() const override;
  Status seek(const std::string& position, const std::string& where) override;

 private:
  struct Sampled {
    std::vector<Rollout> rollouts;              // to learn from, whole groups one after the other
    std::vector<double> advantages;             // of each; empty where a teacher takes their place
    std::vector<std::vector<float>> reference;  // log-probs of each under the reference; empty without
    int64_t next_problem = 0;                   // behind those that were asked
    // Over all that were asked, also those that teach nothing.
    int64_t n_groups = 0, n_dropped = 0, n_rollouts = 0;
    double reward = 0, accuracy = 0, n_tokens = 0, n_whole = 0;
    std::vector<double> parts;  // of the reward
  };
  PolicyLesson(const recipe::Recipe& recipe, const LessonTools& tools, TaskMix mix, TaskMix eval_mix, RolloutMaker maker);
  bool is_taught() const { return recipe_.kind == recipe::RecipeKind::kDistill; }
  Result<bool> sample(Sampled& sampled, LessonStep& out, const Progress& progress, const std::function<bool()>& wants_stop);
  // Adds a rollout to the sums; its reward.
  double count(Sampled& sampled, const Rollout& rollout, Tongue tongue, LessonStep& out) const;
  Status ask_reference(Sampled& sampled);
  Result<LossParts> accumulate(const Sampled& sampled, std::span<const size_t> chosen, const Progress& progress,
                               LessonStep& out, PolicyStats& stats);
  void add_figures(LessonStep& out, const Sampled& sampled, const PolicyStats& stats) const;

  recipe::Recipe recipe_;
  LessonTools tools_;
  TrainingFlops flops_;
  TaskMix mix_, eval_mix_;
  RolloutMaker maker_;
  std::unique_ptr<Model> reference_;
  std::optional<TrainingPass> reference_pass_;
  int64_t next_problem_ = 0;
};

}  // namespace minke
