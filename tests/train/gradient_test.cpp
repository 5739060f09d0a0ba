// Loss and gradients of whole models against float64 autograd (tests/goldens/grads, made by reference/make_grads.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "format/safetensors.h"
#include "kernels/convert.h"
#include "support/support.h"
#include "train/optimizer/optimizer.h"
#include "train/parameters.h"
#include "train/row_file.h"

namespace minke::testing {
namespace {

namespace fs = std::filesystem;

struct GradientCase {
  std::string name;
  Json loss;
};

void PrintTo(const GradientCase& value, std::ostream* out) { *out << value.name; }

std::vector<GradientCase> gradient_cases() {
  std::vector<GradientCase> cases;
  for (const auto& entry : fs::directory_iterator(repository_path("tests/goldens/grads"))) {
    const fs::path loss = entry.path() / "loss.json";
    if (!fs::exists(loss)) continue;
    cases.push_back({entry.path().filename().string(), *read_json_file(loss.string())});
  }
  std::sort(cases.begin(), cases.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return cases;
}

// A model of its own with the numbers of the case's checkpoint.
struct Trainee {
  std::unique_ptr<Model> model;
  std::unique_ptr<ParameterStore> store;
};

Trainee make_trainee(const GradientCase& c, const Context& context, const ParameterOptions& options = {}) {
  const std::unique_ptr<Model> source = *Model::load(repository_path("tests/goldens/" + c.loss["model"].get<std::string>()));
  Trainee trainee;
  trainee.model = Model::create(source->config());
  trainee.store = *ParameterStore::create(source->config(), trainee.model->mutable_weights(), options);
  const Status copied = trainee.store->copy_from(*source, context);
  EXPECT_TRUE(copied) << copied.error().message;
  return trainee;
}

LossOptions loss_options(const GradientCase& c, const TrainingRows& rows) {
  LossOptions options;
  options.balance_alpha = c.loss["alpha"];
  options.mtp_lambda = c.loss["lambda"];
  options.n_rows = static_cast<int64_t>(rows.row_lengths.size());
  options.mtp_weight_factor = mean_mtp_factor(rows);
  return options;
}

class Gradients : public ::testing::TestWithParam<GradientCase> {};

// Bound: a gradient comes through at most 4 layers of 2 halves, each a norm, two products and what is between them, forward and
// backward: 64 sums, of at most 128 terms. A sum of n terms with rounding errors of random sign is off by about sqrt(n) u of
// its terms' norm, and independent errors of sums in a row add as squares: sqrt(64) sqrt(128) 2^-24 = 5.4e-6 of the size of the
// gradient; an element differs from its expectation by up to 9 of these in the 1e5 elements compared on each instruction set,
// with terms that cancel: 5e-5. (float32 autograd of the same models differs from float64 by up to 5.6e-6: see
// float32_gradients_differ in the goldens' manifest. A lost path moves a gradient by at least 8e-2.)
constexpr double kTolerance = 5e-5;

void expect_gradients(const GradientCase& c, const Context& context, bool recompute) {
  Trainee trainee = make_trainee(c, context);
  const TrainingRows rows =
      *read_row_file(repository_path("tests/goldens/grads/" + c.name + "/rows.jsonl"), trainee.model->config().vocab_size);
  LossOptions options = loss_options(c, rows);
  options.recompute = recompute;
  TrainingPass pass = *TrainingPass::create(*trainee.model);
  const LossParts parts = *pass.run(rows, options, context);
  EXPECT_NEAR(parts.total, c.loss["loss"].get<double>(), 1e-5 * c.loss["loss"].get<double>());
  EXPECT_NEAR(parts.cross_entropy, c.loss["cross_entropy"].get<double>(), 1e-5 * parts.cross_entropy);
  EXPECT_NEAR(parts.balance, c.loss["balance"].get<double>(), 1e-5 * (parts.balance + 1e-9));
  EXPECT_NEAR(parts.mtp, c.loss["mtp"].get<double>(), 1e-5 * (parts.mtp + 1e-9));

  const SafetensorsFile golden = *open_safetensors(repository_path("tests/goldens/grads/" + c.name + "/grads.safetensors"));
  EXPECT_EQ(golden.tensors.entries().size(), trainee.store->parameters().size());
  for (const Parameter& p : trainee.store->parameters()) {
    const TensorView* expected = golden.tensors.find(p.name);
    ASSERT_NE(expected, nullptr) << p.name;
    ASSERT_EQ(expected->n_elements(), p.n) << p.name;
    const auto* e = reinterpret_cast<const float*>(expected->data);
    double largest = 0, worst = 0;
    for (int64_t i = 0; i < p.n; i++) largest = std::max(largest, std::fabs(double{e[i]}));
    for (int64_t i = 0; i < p.n; i++) worst = std::max(worst, std::fabs(double{e[i]} - double{p.grad[i]}));
    EXPECT_LE(worst, kTolerance * largest) << p.name << ": largest element " << largest;
  }
}

TEST_P(Gradients, AgreeWithAutograd) {
  for (Isa isa : available_isas()) {
    SCOPED_TRACE(isa_name(isa));
    ThreadPool pool(2);
    expect_gradients(GetParam(), {&pool, isa}, false);
  }
}

TEST_P(Gradients, AreTheSameBitsWithRecomputationAndAnyThreads) {
  const Isa isa = best_isa();
  ThreadPool pool(2);
  auto gradients = [&](const Context& context, bool recompute) {
    Trainee trainee = make_trainee(GetParam(), context);
    const TrainingRows rows = *read_row_file(repository_path("tests/goldens/grads/" + GetParam().name + "/rows.jsonl"),
                                             trainee.model->config().vocab_size);
    LossOptions options = loss_options(GetParam(), rows);
    options.recompute = recompute;
    TrainingPass pass = *TrainingPass::create(*trainee.model);
    EXPECT_TRUE(pass.run(rows, options, context));
    std::vector<float> all;
    for (const Parameter& p : trainee.store->parameters()) all.insert(all.end(), p.grad, p.grad + p.n);
    return all;
  };
  const std::vector<float> expected = gradients({nullptr, isa}, false);
  EXPECT_EQ(gradients({&pool, isa}, false), expected);
  EXPECT_EQ(gradients({&pool, isa}, true), expected);
}

// Losses before each of ten steps, of float64 and with f32's own error as the bound: f32 autograd differs by 2e-7 relative.
void expect_steps(const GradientCase& c, const Json& settings, const Json& steps, double bias_rate) {
  ThreadPool pool(2);
  const Context context{&pool, best_isa()};
  Trainee trainee = make_trainee(c, context);
  const TrainingRows rows =
      *read_row_file(repository_path("tests/goldens/grads/" + c.name + "/rows.jsonl"), trainee.model->config().vocab_size);
  TrainingPass pass = *TrainingPass::create(*trainee.model);
  OptimizerOptions options;
  options.beta1 = settings["beta1"];
  options.beta2 = settings["beta2"];
  options.eps = settings["eps"];
  options.weight_decay = settings["weight_decay"];
  const std::unique_ptr<Optimizer> optimizer = *Optimizer::create(trainee.store->parameters(), options);
  for (size_t step = 0; step < steps.size(); step++) {
    trainee.store->zero_grads(context);
    pass.reset_expert_tokens();
    const LossParts parts = *pass.run(rows, loss_options(c, rows), context);
    const double expected = steps[step]["loss"], norm = grad_norm(trainee.store->parameters(), context);
    EXPECT_NEAR(parts.total, expected, 1e-5 * expected) << "step " << step;
    EXPECT_NEAR(norm, steps[step]["gradient_norm"].get<double>(), 1e-4 * norm) << "step " << step;
    optimizer->step(settings["lr"], clip_scale(norm, settings["clip_norm"]), context);
    update_router_biases(trainee.model->mutable_weights(), pass.expert_tokens(), bias_rate);
  }
}

TEST(TrainingSteps, TenStepsOfAdamWAgreeWithAutograd) {
  int n_cases = 0;
  for (const GradientCase& c : gradient_cases()) {
    const std::string path = repository_path("tests/goldens/grads/" + c.name + "/steps.json");
    if (!fs::exists(path)) continue;
    SCOPED_TRACE(c.name);
    const Json golden = *read_json_file(path);
    expect_steps(c, golden["settings"], golden["adamw"]["float64"], 0);
    if (golden.contains("adamw_bias_update")) {
      expect_steps(c, golden["settings"], golden["adamw_bias_update"]["float64"], golden["bias_rate"]);
    }
    n_cases++;
  }
  EXPECT_EQ(n_cases, 2);
}

INSTANTIATE_TEST_SUITE_P(Goldens, Gradients, ::testing::ValuesIn(gradient_cases()), [](const auto& c) { return c.param.name; });

}  // namespace
}  // namespace minke::testing
