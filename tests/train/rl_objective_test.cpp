// Losses of log-probs through whole models: their backward pass, temperatures, and that a policy which only runs the model gets
// the trainer's very log-probs.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "model/blocks/head.h"
#include "support/support.h"
#include "train/parameters.h"
#include "train/rl/policy_loss.h"
#include "train/row_file.h"

namespace minke::testing {
namespace {

using Floats = std::vector<float>;

const Context& context() {
  static ThreadPool pool(2);
  static const Context context = {&pool, best_isa()};
  return context;
}

// A model of the gradient goldens, in memory that can be trained, with the golden's rows.
struct Trainee {
  std::unique_ptr<Model> model;
  std::unique_ptr<ParameterStore> store;
  TrainingRows rows;

  explicit Trainee(const std::string& name) {
    const auto source = value_of(Model::load(repository_path("tests/goldens/grads/models/" + name)));
    model = Model::create(source->config());
    store = value_of(ParameterStore::create(source->config(), model->mutable_weights(), {}));
    value_of(store->copy_from(*source, context()));
    rows = value_of(read_row_file(repository_path("tests/goldens/grads/" + name + "/rows.jsonl"), model->config().vocab_size));
  }

  Floats gradients() const {
    Floats all;
    for (const Parameter& p : store->parameters()) all.insert(all.end(), p.grad, p.grad + p.n);
    return all;
  }
};

TEST(Logprobs, AgreeWithTorch) {
  const Json golden = value_of(read_json_file(repository_path("tests/goldens/rl/logits.json")));
  const Floats logits = golden["logits"];
  const std::vector<int32_t> tokens = golden["tokens"];
  const int64_t n_rows = golden["n_rows"], vocab_size = static_cast<int64_t>(logits.size()) / n_rows;
  EXPECT_EQ(golden["cases"].size(), 3u);
  for (const Json& c : golden["cases"]) {
    for (Isa isa : available_isas()) {
      Floats z = logits, logprobs(tokens.size()), entropies(tokens.size());
      logprobs_of(logprobs.data(), entropies.data(), z.data(), tokens.data(), c["temperature"], n_rows, vocab_size,
                  {nullptr, isa});
      // Logits up to 15 are rounded by the division and by what follows; the exponentials are good to 2 units and their sum of
      // 37 to 16 more. An entropy is below ln 37 and sums products up to 15.
      for (size_t i = 0; i < tokens.size(); i++) {
        EXPECT_NEAR(logprobs[i], c["logprobs"][i].get<double>(), 0x1p-24 * (4 * 15 + 20)) << isa_name(isa);
        EXPECT_NEAR(entropies[i], c["entropies"][i].get<double>(), 0x1p-24 * (4 * 15 + 20 * 4)) << isa_name(isa);
      }
    }
  }
}

TEST(Objective, CrossEntropyIsASpecialCaseToTheBit) {
  for (const char* name : {"deepseek_v3_mtp", "deepseek_v2_groups", "qwen3"}) {
    SCOPED_TRACE(name);
    LossOptions options;
    options.balance_alpha = 0.01;
    Trainee expected(name), got(name);
    options.mtp_lambda = expected.model->config().n_mtp_layers > 0 ? 0.3 : 0;
    TrainingPass pass = value_of(TrainingPass::create(*expected.model));
    const LossParts parts = value_of(pass.run(expected.rows, options, context()));

    const Floats& weights = got.rows.weights;
    LogprobObjective objective;
    objective.loss = [&](std::span<float> d_logprobs, const TokenLogprobs& now) -> Result<double> {
      double loss = 0;
      size_t counted = 0;
      for (float weight : weights) {
        if (weight == 0) continue;
        d_logprobs[counted] = -weight;
        loss += -double{weight} * now.logprobs[counted++];
      }
      EXPECT_EQ(counted, d_logprobs.size());
      EXPECT_EQ(counted, now.entropies.size());
      return loss;
    };
    TrainingPass other = value_of(TrainingPass::create(*got.model));
    const LossParts other_parts = value_of(other.run(got.rows, objective, options, context()));
    EXPECT_EQ(other_parts.total, parts.total);
    EXPECT_EQ(other_parts.cross_entropy, parts.cross_entropy);
    EXPECT_EQ(got.gradients(), expected.gradients());
    EXPECT_EQ(other.expert_tokens(), pass.expert_tokens());
  }
}

// GRPO with every part in use: the policy has moved away from the one that sampled and from the reference.
struct Grpo {
  std::vector<int64_t> lengths;
  std::vector<double> advantages;
  Floats behavior, reference;

  explicit Grpo(const TrainingRows& rows, const Floats& logprobs) {
    size_t at = 0;
    for (int64_t row_length : rows.row_lengths) {
      int64_t n = 0;
      for (int64_t i = 0; i < row_length; i++) n += rows.weights[at++] != 0;
      lengths.push_back(n);
      advantages.push_back(1.5 - static_cast<double>(lengths.size()));
    }
    for (size_t i = 0; i < logprobs.size(); i++) {
      behavior.push_back(logprobs[i] + 0.125f * (static_cast<float>(i % 5) - 2));
      reference.push_back(logprobs[i] + 0.25f * (static_cast<float>(i % 3) - 1));
    }
  }

  LogprobObjective objective(double temperature) const {
    LogprobObjective out;
    out.temperature = temperature;
    out.loss = [this](std::span<float> d_logprobs, const TokenLogprobs& now) -> Result<double> {
      // Clips that no ratio comes near: a finite difference must not cross one.
      const PolicyLossOptions options = {.reduction = Reduction::kRolloutMean, .clip_low = 10, .clip_high = 10, .kl_coef = 0.5};
      const PolicyTokens tokens = {lengths, advantages, now.logprobs, behavior, reference, now.entropies};
      const BatchCounts counts = {static_cast<int64_t>(lengths.size()), static_cast<int64_t>(behavior.size())};
      return TRY(policy_loss(d_logprobs, tokens, counts, options)).loss;
    };
    return out;
  }
};

// Along the gradient g the loss rises by |g| per unit. The share of the third derivative grows with the square of the distance:
// 2.4 % of |g| = 22 were measured at 2^-6, so 0.04 % are left at 2^-9. There f32's error of a loss near 1, some 1e-6, is 3e-4
// of a slope. A temperature that is left out of a product changes the slope by 30 %.
void expect_gradient_is_slope(Trainee& trainee, const std::function<double()>& loss) {
  trainee.store->zero_grads(context());
  loss();
  const Floats gradients = trainee.gradients();
  double squares = 0;
  for (float g : gradients) squares += double{g} * g;
  const double norm = std::sqrt(squares), distance = 0x1p-9;
  auto move = [&](double by) {
    size_t at = 0;
    for (Parameter& p : trainee.store->parameters()) {
      auto* value = reinterpret_cast<float*>(p.value);
      for (int64_t i = 0; i < p.n; i++) value[i] += static_cast<float>(by / norm * gradients[at++]);
    }
  };
  move(distance);
  const double above = loss();
  move(-2 * distance);
  const double below = loss();
  EXPECT_NEAR((above - below) / (2 * distance), norm, 0.002 * norm);
}

TEST(Objective, GradientIsTheDerivativeAtATemperature) {
  for (const char* name : {"llama", "qwen3"}) {
    SCOPED_TRACE(name);
    Trainee trainee(name);
    TrainingPass pass = value_of(TrainingPass::create(*trainee.model));
    const Grpo grpo(trainee.rows, value_of(pass.logprobs(trainee.rows, 0.7, context())).logprobs);
    const LogprobObjective objective = grpo.objective(0.7);
    expect_gradient_is_slope(trainee, [&] { return value_of(pass.run(trainee.rows, objective, {}, context())).total; });
  }
}

// A student and a teacher of another architecture and width.
TEST(Teaching, GradientIsTheDerivativeAtATemperature) {
  Trainee teacher("deepseek_v3");
  TrainingPass teacher_pass = value_of(TrainingPass::create(*teacher.model));
  for (const char* name : {"llama", "qwen2", "qwen3"}) {
    SCOPED_TRACE(name);
    Trainee student(name);
    const Floats states = value_of(teacher_pass.states(student.rows, context()));
    TrainingPass pass = value_of(TrainingPass::create(*student.model));
    const Teaching teaching = {teacher.model.get(), states, 0.7};
    expect_gradient_is_slope(student, [&] { return value_of(pass.run(student.rows, teaching, {}, context())).total; });
  }
}

// Of a model that is its own teacher nothing is left but rounding.
TEST(Teaching, OneselfTeachesNothing) {
  for (const char* name : {"deepseek_v3", "qwen3"}) {
    SCOPED_TRACE(name);
    Trainee trainee(name);
    TrainingPass pass = value_of(TrainingPass::create(*trainee.model));
    const Floats states = value_of(pass.states(trainee.rows, context()));
    const LossParts parts = value_of(pass.run(trainee.rows, Teaching{trainee.model.get(), states, 1.0}, {}, context()));
    EXPECT_EQ(parts.cross_entropy, 0);
    for (float g : trainee.gradients()) ASSERT_EQ(g, 0);
  }
}

// Powers of two are exact: temperature 2 is a head of half the size, whose gradient is twice as large.
TEST(Objective, TemperatureTwoIsHalfTheHead) {
  Trainee hot("deepseek_v3"), halved("deepseek_v3");
  ASSERT_FALSE(hot.model->config().tied_embeddings);
  size_t n_before = 0, n_head = 0;
  for (Parameter& p : halved.store->parameters()) {
    if (p.name == "lm_head.weight") {
      n_head = static_cast<size_t>(p.n);
      for (size_t i = 0; i < n_head; i++) reinterpret_cast<float*>(p.value)[i] *= 0.5f;
    }
    if (n_head == 0) n_before += static_cast<size_t>(p.n);
  }
  TrainingPass pass = value_of(TrainingPass::create(*hot.model)), other = value_of(TrainingPass::create(*halved.model));
  const TokenLogprobs logprobs = value_of(pass.logprobs(hot.rows, 2, context()));
  const TokenLogprobs same = value_of(other.logprobs(halved.rows, 1, context()));
  EXPECT_EQ(logprobs.logprobs, same.logprobs);
  EXPECT_EQ(logprobs.entropies, same.entropies);

  const Grpo grpo(hot.rows, logprobs.logprobs);
  EXPECT_EQ(value_of(pass.run(hot.rows, grpo.objective(2), {}, context())).total,
            value_of(other.run(halved.rows, grpo.objective(1), {}, context())).total);
  Floats expected = halved.gradients();
  ASSERT_GT(n_head, 0u);
  for (size_t i = n_before; i < n_before + n_head; i++) expected[i] *= 0.5f;
  EXPECT_EQ(hot.gradients(), expected);
}

// What sampling needs: logits of the forward pass, token after token with a cache, give the trainer's bits.
TEST(Logprobs, OfTheForwardPassAreTheTrainersToTheBit) {
  for (const char* name : {"deepseek_v3", "deepseek_v2_greedy", "qwen3", "llama"}) {
    SCOPED_TRACE(name);
    Trainee trainee(name);
    const TrainingRows& rows = trainee.rows;
    TrainingPass pass = value_of(TrainingPass::create(*trainee.model));
    for (double temperature : {1.0, 0.7}) {
      const TokenLogprobs expected = value_of(pass.logprobs(rows, temperature, context()));
      Floats logprobs, entropies;
      KvCache cache(trainee.model->config(), 256);
      size_t at = 0;
      for (int64_t row_length : rows.row_lengths) {
        SequenceCache sequence;
        for (int64_t i = 0; i < row_length; i++, at++) {
          Batch batch;
          batch.tokens = {rows.tokens[at]};
          batch.sequences = {{&sequence, 1, MlaForm::kNaive}};
          batch.logit_rows = {0};
          Floats logits;
          value_of(trainee.model->forward(logits, batch, cache, context()));
          if (rows.weights[at] == 0) continue;
          logprobs.resize(logprobs.size() + 1);
          entropies.resize(entropies.size() + 1);
          logprobs_of(&logprobs.back(), &entropies.back(), logits.data(), &rows.targets[at], temperature, 1,
                      trainee.model->config().vocab_size, context());
        }
        cache.truncate(sequence, 0);
      }
      EXPECT_EQ(logprobs, expected.logprobs);
      EXPECT_EQ(entropies, expected.entropies);
    }
  }
}

TEST(Objective, AnErrorLeavesTheGradientsAlone) {
  Trainee trainee("llama");
  TrainingPass pass = value_of(TrainingPass::create(*trainee.model));
  LogprobObjective objective;
  objective.loss = [](std::span<float>, const TokenLogprobs&) -> Result<double> { return error("no loss today"); };
  EXPECT_ERROR(pass.run(trainee.rows, objective, {}, context()), "no loss today");
  EXPECT_EQ(trainee.gradients(), Floats(trainee.gradients().size()));
}

}  // namespace
}  // namespace minke::testing
