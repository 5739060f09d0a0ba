// AdamW and Muon against their references, and what must change no bit.
#include "train/optimizer/optimizer.h"

#include <limits>

#include "format/safetensors.h"
#include "tiny.h"

namespace minke::testing {
namespace {

constexpr double kUnit = 0x1p-24;
constexpr double kWeightDecay = 0.1;  // of reference/make_optimizer.py

// A parameter over its own memory.
struct Owned {
  std::vector<float> value, grad;
  Parameter parameter;

  Owned(const TensorView& start, bool is_matrix) : value(static_cast<size_t>(start.n_elements())), grad(value.size()) {
    std::memcpy(value.data(), start.data, start.n_bytes());
    parameter = {.name = "x", .shape = start.shape, .decays = is_matrix, .is_matrix = is_matrix};
    parameter.value = reinterpret_cast<std::byte*>(value.data());
    parameter.grad = grad.data();
    parameter.n = start.n_elements();
  }
};

struct Golden {
  SafetensorsFile file = value_of(open_safetensors(repository_path("tests/goldens/optimizer/optimizer.safetensors")));
  const TensorView& tensor(const std::string& name) const {
    const TensorView* found = file.tensors.find(name);
    if (found == nullptr) throw std::runtime_error(name);
    return *found;
  }
  float at(const std::string& name, int64_t index) const {
    float value;
    std::memcpy(&value, tensor(name).data + 4 * index, 4);
    return value;
  }
};

// One number's AdamW in f64, with a bound on the error that f32 steps have made so far.
struct Tracked {
  double value, m = 0, v = 0;
  double value_error = 0, m_error = 0, v_error = 0;  // of value, m and v; v's is relative

  void step(double g, double lr, double decay, int t) {
    m = 0.9 * m + 0.1 * g;
    v = 0.95 * v + 0.05 * g * g;
    // Products, differences and sums of m round numbers up to |m| + |g|; v is a sum of positive terms: product, square,
    // product, sum, and the rounding of the coefficients.
    m_error = 0.9 * m_error + 4 * kUnit * (std::fabs(m) + std::fabs(g));
    v_error = v_error + 5 * kUnit;
    const double root = std::sqrt(v / (1 - std::pow(0.95, t))) + 1e-8, rate = lr / (1 - std::pow(0.9, t));
    const double moved = rate * m / root;
    value = (1 - lr * decay) * value - moved;
    // The quotient: m's error, half of v's, and root, two products, sum, division, step size.
    const double moved_error = rate * m_error / root + std::fabs(moved) * (v_error / 2 + 7 * kUnit);
    value_error = value_error + moved_error + 3 * kUnit * (std::fabs(value) + std::fabs(moved));
  }
};

TEST(Adamw, FollowsTorchForTenSteps) {
  const Golden golden;
  for (const char* name : {"matrix", "vector"}) {
    const bool is_matrix = std::string(name) == "matrix";
    const std::string prefix = fmt::format("adamw.{}.", name);
    for (Isa isa : available_isas()) {
      Owned x(golden.tensor(prefix + "start"), is_matrix);
      auto optimizer = value_of(Optimizer::create({&x.parameter, 1}, {.weight_decay = kWeightDecay}));
      std::vector<Tracked> tracked;
      for (float value : x.value) tracked.push_back({value});
      for (int64_t step = 0; step < 10; step++) {
        double lr;
        std::memcpy(&lr, golden.tensor("adamw.lr").data + 8 * step, 8);
        const int64_t n = x.parameter.n;
        std::memcpy(x.grad.data(), golden.tensor(prefix + "grads").data + 4 * n * step, 4 * static_cast<size_t>(n));
        optimizer->step(lr, 1.0, {nullptr, isa});
        for (int64_t i = 0; i < n; i++) {
          Tracked& exact = tracked[static_cast<size_t>(i)];
          exact.step(x.grad[static_cast<size_t>(i)], lr, is_matrix ? kWeightDecay : 0, static_cast<int>(step) + 1);
          const float ours = x.value[static_cast<size_t>(i)], theirs = golden.at(prefix + "values", step * n + i);
          ASSERT_LE(std::fabs(ours - exact.value), exact.value_error) << isa_name(isa) << " step " << step << " at " << i;
          // Torch rounds as often; its own error has the same bound.
          ASSERT_LE(std::fabs(ours - theirs), 2 * exact.value_error) << isa_name(isa) << " step " << step << " at " << i;
          ASSERT_LE(exact.value_error, 2e-5) << "a bound that says nothing";
        }
      }
    }
  }
}

TEST(Muon, FollowsItsFormulasForTenSteps) {
  const Golden golden;
  struct Case {
    const char* name;
    bool nesterov;
    MuonScale scale;
  };
  for (const Case& c : {Case{"wide", true, MuonScale::kMatchAdamw}, Case{"tall", true, MuonScale::kSpectral},
                        Case{"square", false, MuonScale::kMatchAdamw}}) {
    const std::string prefix = fmt::format("muon.{}.", c.name);
    for (Isa isa : available_isas()) {
      Owned x(golden.tensor(prefix + "start"), true);
      auto optimizer = value_of(Optimizer::create(
          {&x.parameter, 1},
          {.kind = OptimizerKind::kMuon, .weight_decay = kWeightDecay, .muon_nesterov = c.nesterov, .muon_scale = c.scale}));
      const int64_t n = x.parameter.n, rows = x.parameter.shape[0], cols = x.parameter.shape[1];
      // An iteration rounds sums of up to 40 products of numbers whose matrices have spectral norms up to 1.2: at most
      // (40 / 8 + 8) roundings of (a + b + c) * 1.3 |X|_F, |X|_F <= 1.2 sqrt(rank); the next ones multiply an error by at most
      // |p'| = 3.9, so all five by 1 + 3.9 + ... + 3.9^4 = 310.
      const double rank = static_cast<double>(std::min(rows, cols));
      const double per_step = 13 * kUnit * 10.3 * 1.3 * 1.2 * std::sqrt(rank) * 310 * 0.02 * muon_scale(c.scale, rows, cols);
      double bound = 0, length = 0;
      for (int64_t step = 0; step < 10; step++) {
        std::memcpy(x.grad.data(), golden.tensor(prefix + "grads").data + 4 * n * step, 4 * static_cast<size_t>(n));
        optimizer->step(0.02, 1.0, {nullptr, isa});
        double squares = 0;
        length = 0;
        for (int64_t i = 0; i < n; i++) {
          const double difference = x.value[static_cast<size_t>(i)] - golden.at(prefix + "values", step * n + i);
          squares += difference * difference;
          length += std::pow(x.value[static_cast<size_t>(i)], 2);
        }
        bound += per_step + 4 * kUnit * std::sqrt(length);
        ASSERT_LE(std::sqrt(squares), bound) << c.name << " " << isa_name(isa) << " step " << step;
      }
      EXPECT_LE(bound, 0.01 * std::sqrt(length)) << "a bound that says nothing";
    }
  }
}

TEST(Muon, MakesSingularValuesAboutOneAndLeavesZerosAlone) {
  Arena arena;
  const Context context = {nullptr, best_isa()};
  std::vector<float> x(6 * 9);
  for (size_t i = 0; i < x.size(); i++) x[i] = static_cast<float>(mix_seed(3, i) >> 40) * 0x1p-24f - 0.5f;
  orthogonalize(x.data(), 6, 9, 5, arena, context);
  for (int r = 0; r < 6; r++) {
    double squares = 0;
    for (int c = 0; c < 9; c++) squares += std::pow(x[static_cast<size_t>(r * 9 + c)], 2);
    EXPECT_GT(squares, 0.4) << r;  // between the squares of the least and the largest singular value, 0.7 and 1.2
    EXPECT_LT(squares, 1.5) << r;
  }
  std::vector<float> zeros(12, 0.0f);
  orthogonalize(zeros.data(), 4, 3, 5, arena, context);
  for (float value : zeros) EXPECT_EQ(value, 0);
}

TEST(Optimizer, ThreadsChangeNoBit) {
  const ModelConfig config = golden_config("deepseek_v3");
  for (OptimizerKind kind : {OptimizerKind::kAdamw, OptimizerKind::kMuon}) {
    for (DType moments : {DType::kF32, DType::kBF16}) {
      std::vector<std::unique_ptr<Tiny>> runs;
      std::vector<double> norms;
      for (int n_threads : {1, 2, 5}) {
        ThreadPool pool(n_threads);
        const Context context = {&pool, best_isa()};
        auto tiny = std::make_unique<Tiny>(config, ParameterOptions{.dtype = DType::kBF16});
        tiny->store->initialize(3, 0.02, context);
        auto optimizer = value_of(Optimizer::create(tiny->store->parameters(), {.kind = kind, .moments = moments}));
        for (uint64_t step = 1; step <= 3; step++) {
          fill_grads(*tiny->store, step);
          norms.push_back(grad_norm(tiny->store->parameters(), context));
          optimizer->step(1e-2, clip_scale(norms.back(), 1.0), context);
        }
        runs.push_back(std::move(tiny));
      }
      EXPECT_TRUE(same_values(*runs[0]->store, *runs[1]->store));
      EXPECT_TRUE(same_values(*runs[0]->store, *runs[2]->store));
      for (size_t i = 0; i < 3; i++) EXPECT_TRUE(norms[i] == norms[i + 3] && norms[i] == norms[i + 6]);
    }
  }
}

TEST(Optimizer, MuonTakesHiddenMatricesAndAdamwTheRest) {
  Tiny tiny(golden_config("deepseek_v3"), {.dtype = DType::kBF16});
  auto optimizer = value_of(Optimizer::create(tiny.store->parameters(), {.kind = OptimizerKind::kMuon}));
  std::vector<std::string> names;
  for (const StateTensor& tensor : optimizer->state()) names.push_back(tensor.name);
  auto has = [&](const std::string& name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  EXPECT_TRUE(has("momentum.model.layers.1.mlp.experts.15.down_proj.weight"));
  EXPECT_TRUE(has("momentum.model.layers.0.self_attn.kv_b_proj.weight"));
  EXPECT_TRUE(has("master.model.layers.0.self_attn.kv_b_proj.weight"));
  EXPECT_FALSE(has("v.model.layers.0.self_attn.kv_b_proj.weight"));
  for (const char* name : {"model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"}) {
    EXPECT_TRUE(has(fmt::format("m.{}", name)) && has(fmt::format("v.{}", name))) << name;
    EXPECT_FALSE(has(fmt::format("momentum.{}", name))) << name;
  }
  EXPECT_FALSE(has("master.model.norm.weight"));
}

TEST(Optimizer, DecayPullsMatricesAlone) {
  Tiny tiny(golden_config("llama_bias"));
  tiny.store->initialize(1, 0.02, {nullptr, Isa::kRef});
  auto optimizer = value_of(Optimizer::create(tiny.store->parameters(), {.weight_decay = 0.5}));
  std::vector<float> before;
  for (const Parameter& p : tiny.store->parameters()) before.push_back(*reinterpret_cast<const float*>(p.value));
  optimizer->step(0.1, 1.0, {nullptr, best_isa()});  // gradients are zero
  for (size_t i = 0; i < before.size(); i++) {
    const Parameter& p = tiny.store->parameters()[i];
    const float expected = p.is_matrix ? static_cast<float>(1 - 0.1 * 0.5) * before[i] : before[i];
    EXPECT_EQ(*reinterpret_cast<const float*>(p.value), expected) << p.name;
  }
}

TEST(Clipping, ScalesToTheLargestNormAllowed) {
  EXPECT_EQ(clip_scale(0.5, 1.0), 1.0);
  EXPECT_EQ(clip_scale(4.0, 1.0), 0.25);
  EXPECT_EQ(clip_scale(4.0, 0), 1.0);
  Tiny tiny(golden_config("llama_bias"));
  for (Parameter& p : tiny.store->parameters()) std::fill_n(p.grad, p.n, 2.0f);
  const double norm = grad_norm(tiny.store->parameters(), {nullptr, best_isa()});
  EXPECT_DOUBLE_EQ(norm, 2 * std::sqrt(static_cast<double>(tiny.store->n_elements())));
  tiny.store->parameters()[5].grad[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(grad_norm(tiny.store->parameters(), {nullptr, best_isa()})));
}

}  // namespace
}  // namespace minke::testing
