// Gradients of weights, products that add, groups of products, and small ones: against ref and against each other.
#include <gtest/gtest.h>

#include <numeric>

#include "kernel_cases.h"
#include "kernels/activation.h"
#include "kernels/packed/product.h"

namespace minke::testing {
namespace {

struct GradientCase {
  int64_t n_tokens, m, k;
};

std::vector<GradientCase> gradient_cases() {
  std::vector<GradientCase> cases;
  for (int64_t n = 1; n <= 17; n++) cases.push_back({n, 1 + n % 13, 40});
  for (int64_t n : {64, 255, 256, 257, 512, 600}) cases.push_back({n, 25, 33});
  for (int64_t k : {1, 7, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 129, 300}) cases.push_back({19, 14, k});
  for (int64_t m : {1, 2, 11, 12, 13, 24, 127, 128, 129, 260}) cases.push_back({5, m, 50});
  return cases;
}

struct GradientProblem {
  explicit GradientProblem(const GradientCase& c)
      : random(3), d_out(c.n_tokens, c.m, 3, random), x(c.n_tokens, c.k, 5, random), d_w(random.floats(c.m * c.k)) {}
  Random random;
  PaddedRows d_out, x;
  std::vector<float> d_w;
};

std::vector<float> gradient_of(const GradientProblem& p, const GradientCase& c, const Context& context) {
  std::vector<float> d_w = p.d_w;
  matmul_gradient({d_w.data(), c.m, c.k}, p.d_out.const_rows(), p.x.const_rows(), c.n_tokens, context);
  return d_w;
}

std::vector<double> gradient_tolerance(const GradientProblem& p, const GradientCase& c) {
  std::vector<double> tolerance;
  for (int64_t j = 0; j < c.m; j++) {
    for (int64_t col = 0; col < c.k; col++) {
      double sum = std::fabs(double{p.d_w[tolerance.size()]});
      for (int64_t i = 0; i < c.n_tokens; i++) sum += std::fabs(double{p.d_out.at(i, j)} * double{p.x.at(i, col)});
      tolerance.push_back(sum * static_cast<double>(c.n_tokens + 1) * kUnit);  // one rounding each, and that of ref
    }
  }
  return tolerance;
}

std::string name_of(const GradientCase& c, Isa isa) {
  return fmt::format("{} tokens, [{}, {}], {}", c.n_tokens, c.m, c.k, isa_name(isa));
}

TEST(MatmulGradient, AgreesWithRef) {
  for (const GradientCase& c : gradient_cases()) {
    const GradientProblem p(c);
    const std::vector<float> expected = gradient_of(p, c, ref_context());
    const std::vector<double> tolerance = gradient_tolerance(p, c);
    for (Isa isa : simd_isas()) {
      EXPECT_TRUE(close(gradient_of(p, c, {nullptr, isa}), expected, tolerance)) << name_of(c, isa);
    }
  }
}

TEST(MatmulGradient, RefIsTheSumOfOuterProducts) {
  const float d_out[4] = {1, 2, 10, 20}, x[4] = {3, 4, 5, 6};  // two tokens, two columns each
  for (Isa isa : available_isas()) {
    float d_w[4] = {1000, 0, 0, 0};
    matmul_gradient({d_w, 2, 2}, {d_out, 2}, {x, 2}, 2, {nullptr, isa});
    EXPECT_EQ(d_w[0], 1053);  // 1000 + 1 * 3 + 10 * 5
    EXPECT_EQ(d_w[1], 64);
    EXPECT_EQ(d_w[2], 106);
    EXPECT_EQ(d_w[3], 128);
  }
}

TEST(MatmulGradient, ThreadsAndInstructionSetsChangeNoBit) {
  ThreadPool two(2), five(5);
  for (const GradientCase& c : {GradientCase{600, 140, 300}, {17, 300, 129}, {300, 3, 1000}}) {
    const GradientProblem p(c);
    std::vector<float> first;
    for (Isa isa : simd_isas()) {
      const std::vector<float> whole = gradient_of(p, c, {nullptr, isa});
      EXPECT_TRUE(same_bits(gradient_of(p, c, {&two, isa}), whole)) << name_of(c, isa);
      EXPECT_TRUE(same_bits(gradient_of(p, c, {&five, isa}), whole)) << name_of(c, isa);
      if (first.empty()) first = whole;
      EXPECT_TRUE(same_bits(whole, first)) << name_of(c, isa);
    }
  }
}

// Micro-batches add up to the bits of the large batch.
TEST(MatmulGradient, TokensMayComeInParts) {
  const GradientCase c = {2 * kSumBlock + 140, 30, 70};
  const GradientProblem p(c);
  for (Isa isa : simd_isas()) {
    const Context context = {nullptr, isa};
    std::vector<float> parts = p.d_w;
    for (auto [first, n] : {std::pair<int64_t, int64_t>{0, 100},
                            {100, 2 * kSumBlock - 1},
                            {2 * kSumBlock + 99, c.n_tokens - 2 * kSumBlock - 99}}) {
      matmul_gradient({parts.data(), c.m, c.k}, {p.d_out.data() + first * p.d_out.stride(), p.d_out.stride()},
                      {p.x.data() + first * p.x.stride(), p.x.stride()}, n, context);
    }
    EXPECT_TRUE(same_bits(parts, gradient_of(p, c, context))) << isa_name(isa);
  }
}

using AddFn = void (*)(Rows, ConstRows, const Weight&, int64_t, Accumulate, const Context&);

// kAdd of one block is one addition to what kOverwrite gives; of more blocks one for each.
TEST(Matmul, AddsToWhatOutHolds) {
  for (auto [n, m, k] : {std::array<int64_t, 3>{1, 40, 50}, {3, 33, 256}, {17, 70, 200}, {40, 100, 130}}) {
    Random random(8);
    OwnedWeight w(DType::kF32, m, k, random);
    for (bool transposed : {false, true}) {
      const AddFn product = transposed ? AddFn(matmul_transposed) : AddFn(matmul);
      const int64_t n_in = transposed ? m : k, n_out = transposed ? k : m;
      PaddedRows x(n, n_in, 2, random), start(n, n_out, 3, random);
      for (Isa isa : simd_isas()) {
        PaddedRows fresh(n, n_out, 3), added = start;
        product(fresh.rows(), x.const_rows(), w.weight, n, Accumulate::kOverwrite, {nullptr, isa});
        product(added.rows(), x.const_rows(), w.weight, n, Accumulate::kAdd, {nullptr, isa});
        EXPECT_TRUE(added.padding_is_untouched());
        std::vector<float> expected = start.values();
        const std::vector<float> sums = fresh.values();
        for (size_t i = 0; i < expected.size(); i++) expected[i] += sums[i];
        EXPECT_TRUE(same_bits(added.values(), expected)) << n << " " << m << " " << k << " " << isa_name(isa);
      }
    }
  }
}

TEST(Matmul, RefAdds) {
  const float w[2] = {2, 3}, x[1] = {10}, y[2] = {1, 10};
  const Weight weight = {.n_rows = 2, .n_cols = 1, .data = reinterpret_cast<const std::byte*>(w)};
  float out[2] = {100, 200}, back[1] = {1000};
  matmul({out, 2}, {x, 1}, weight, 1, Accumulate::kAdd, ref_context());
  matmul_transposed({back, 1}, {y, 2}, weight, 1, Accumulate::kAdd, ref_context());
  EXPECT_EQ(out[0], 120);
  EXPECT_EQ(out[1], 230);
  EXPECT_EQ(back[0], 1032);
}

// Instruction sets agree to the bit: lanes are outputs.
TEST(Matmul, InstructionSetsChangeNoBit) {
  for (DType dtype : {DType::kF32, DType::kBF16, DType::kF16, DType::kQ4_K}) {
    for (int64_t n : {1, 3, 5, 30}) {
      Random random(9);
      OwnedWeight w(dtype, 37, 768, random);
      PaddedRows x(n, 768, 0, random), y(n, 37, 0, random);
      std::vector<float> first_out, first_back;
      for (Isa isa : simd_isas()) {
        std::vector<float> out(static_cast<size_t>(n * 37)), back(static_cast<size_t>(n * 768));
        matmul(out.data(), x.data(), w.weight, n, {nullptr, isa});
        matmul_transposed(back.data(), y.data(), w.weight, n, {nullptr, isa});
        if (first_out.empty()) first_out = out, first_back = back;
        EXPECT_TRUE(same_bits(out, first_out)) << dtype_name(dtype) << " " << isa_name(isa);
        EXPECT_TRUE(same_bits(back, first_back)) << dtype_name(dtype) << " " << isa_name(isa);
      }
    }
  }
}

// Jobs of several shapes and dtypes, some without tokens, most of them with picked rows.
struct Group {
  Group() : random(11), x(400, kInner, 3, random) {
    constexpr int64_t kTokens[] = {0, 1, 16, 64, 300, 3, 0};
    constexpr DType kTypes[] = {DType::kF32, DType::kBF16, DType::kF32, DType::kF16, DType::kF32, DType::kQ8_0, DType::kF32};
    for (size_t i = 0; i < std::size(kTokens); i++) {
      n_tokens.push_back(kTokens[i]);
      weights.push_back(std::make_unique<OwnedWeight>(kTypes[i], kInner, kInner, random));
      std::vector<int32_t> picked(400);
      for (int32_t& row : picked) row = static_cast<int32_t>(random.bits() % 400);
      rows.push_back(std::move(picked));
    }
  }
  size_t size() const { return n_tokens.size(); }
  const int32_t* token_rows(size_t i) const { return i == 2 ? nullptr : rows[i].data(); }
  // The rows of x that job i reads.
  PaddedRows gathered(size_t i) const {
    PaddedRows out(n_tokens[i], kInner, 1);
    for (int64_t t = 0; t < n_tokens[i]; t++) {
      const int64_t from = token_rows(i) == nullptr ? t : token_rows(i)[t];
      for (int64_t c = 0; c < kInner; c++) out.at(t, c) = x.at(from, c);
    }
    return out;
  }

  static constexpr int64_t kInner = 96;  // square weights, so that both products read the same rows
  Random random;
  PaddedRows x;
  std::vector<int64_t> n_tokens;
  std::vector<std::unique_ptr<OwnedWeight>> weights;
  std::vector<std::vector<int32_t>> rows;
};

TEST(MatmulGroup, GivesTheBitsOfSingleProducts) {
  const Group group;
  ThreadPool two(2);
  for (bool transposed : {false, true}) {
    for (Isa isa : available_isas()) {
      std::vector<PaddedRows> outs;
      for (size_t i = 0; i < group.size(); i++) outs.emplace_back(group.n_tokens[i], Group::kInner, 2);
      std::vector<MatmulJob> jobs;
      for (size_t i = 0; i < group.size(); i++) {
        jobs.push_back(
            {outs[i].rows(), group.x.const_rows(), &group.weights[i]->weight, group.n_tokens[i], group.token_rows(i)});
      }
      (transposed ? matmul_transposed_group : matmul_group)(jobs, Accumulate::kOverwrite, {&two, isa});
      for (size_t i = 0; i < group.size(); i++) {
        const PaddedRows x = group.gathered(i);
        PaddedRows alone(group.n_tokens[i], Group::kInner, 2);
        const AddFn product = transposed ? AddFn(matmul_transposed) : AddFn(matmul);
        product(alone.rows(), x.const_rows(), group.weights[i]->weight, group.n_tokens[i], Accumulate::kOverwrite,
                {nullptr, isa});
        EXPECT_TRUE(same_bits(outs[i].values(), alone.values())) << "job " << i << " " << isa_name(isa);
        EXPECT_TRUE(outs[i].padding_is_untouched()) << "job " << i << " " << isa_name(isa);
      }
    }
  }
}

TEST(MatmulGroup, GradientsGiveTheBitsOfSingleProducts) {
  Group group;
  const PaddedRows d_out(400, 40, 3, group.random);
  const size_t size = 40 * Group::kInner;
  ThreadPool two(2);
  for (Isa isa : available_isas()) {
    std::vector<std::vector<float>> d_ws(group.size(), group.random.floats(static_cast<int64_t>(size)));
    const std::vector<std::vector<float>> start = d_ws;
    std::vector<GradientJob> jobs;
    for (size_t i = 0; i < group.size(); i++) {
      // Rows of d_out are picked by the indices of the next job.
      jobs.push_back({{d_ws[i].data(), 40, Group::kInner},
                      d_out.const_rows(),
                      group.x.const_rows(),
                      group.n_tokens[i],
                      group.rows[(i + 1) % group.size()].data(),
                      group.token_rows(i)});
    }
    matmul_gradient_group(jobs, {&two, isa});
    for (size_t i = 0; i < group.size(); i++) {
      const PaddedRows x = group.gathered(i);
      PaddedRows d(group.n_tokens[i], 40, 1);
      for (int64_t t = 0; t < group.n_tokens[i]; t++) {
        for (int64_t c = 0; c < 40; c++) d.at(t, c) = d_out.at(jobs[i].d_out_rows[t], c);
      }
      std::vector<float> alone = start[i];
      matmul_gradient({alone.data(), 40, Group::kInner}, d.const_rows(), x.const_rows(), group.n_tokens[i], {nullptr, isa});
      EXPECT_TRUE(same_bits(d_ws[i], alone)) << "job " << i << " " << isa_name(isa);
    }
  }
}

// The forward products of a layer, whose weights may also be floats.
TEST(Product, FloatWeightsPickRows) {
  const Group group;
  const Activations x = {group.x.const_rows(), {}, Group::kInner};
  ThreadPool two(2);
  for (Isa isa : available_isas()) {
    const Context context = {&two, isa};
    std::vector<PaddedRows> outs, gates, ups;
    for (size_t i = 0; i < group.size(); i++) {
      for (auto* rows : {&outs, &gates, &ups}) rows->emplace_back(group.n_tokens[i], Group::kInner, 0);
    }
    std::vector<Product> products;
    std::vector<GatedProduct> gated;
    for (size_t i = 0; i < group.size(); i++) {
      const Weight* w = &group.weights[i]->weight;
      products.push_back({outs[i].rows(), &x, w, group.n_tokens[i], group.token_rows(i)});
      gated.push_back(
          {gates[i].rows(), ups[i].rows(), &x, w, &group.weights[0]->weight, group.n_tokens[i], group.token_rows(i)});
    }
    multiply(products, context);
    multiply_gated(gated, context);
    for (size_t i = 0; i < group.size(); i++) {
      const PaddedRows rows = group.gathered(i);
      PaddedRows gate(group.n_tokens[i], Group::kInner, 0), up = gate;
      matmul(gate.rows(), rows.const_rows(), group.weights[i]->weight, group.n_tokens[i], context);
      matmul(up.rows(), rows.const_rows(), group.weights[0]->weight, group.n_tokens[i], context);
      EXPECT_TRUE(same_bits(outs[i].values(), gate.values())) << "job " << i << " " << isa_name(isa);
      swiglu(gate.rows(), gate.const_rows(), up.const_rows(), group.n_tokens[i], Group::kInner, context);
      EXPECT_TRUE(same_bits(gates[i].values(), gate.values())) << "job " << i << " " << isa_name(isa);
    }
  }
}

struct Small {
  explicit Small(SmallShape s)
      : random(13), x(s.n_tokens, s.k, 4, random), w(s.m, s.k, 6, random), d_out(s.n_tokens, s.m, 5, random) {
    values = w.values();
    weight = {.n_rows = s.m, .n_cols = s.k, .data = reinterpret_cast<const std::byte*>(values.data())};
  }
  Random random;
  PaddedRows x, w, d_out;
  std::vector<float> values;
  Weight weight;
};

// Small products give the bits of the large ones, whatever the strides.
TEST(SmallMatmul, GivesTheBitsOfMatmul) {
  for (auto [n, m, k] : {std::array<int64_t, 3>{64, 64, 96},
                         {64, 96, 64},
                         {1, 33, 17},
                         {5, 1, 300},
                         {100, 50, 7},
                         {13, 270, 48},
                         {300, 9, 20},
                         {1, 1, 1},
                         {0, 5, 5},
                         {5, 0, 5},
                         {5, 5, 0}}) {
    const SmallShape shape = {n, m, k};
    const Small p(shape);
    for (Isa isa : available_isas()) {
      for (Accumulate accumulate : {Accumulate::kOverwrite, Accumulate::kAdd}) {
        const std::string name = fmt::format("{} {} {} {} {}", n, m, k, isa_name(isa), accumulate == Accumulate::kAdd);
        Random random(14);
        PaddedRows out(n, m, 2, random), expected = out;
        small_matmul(out.rows(), p.x.const_rows(), p.w.const_rows(), shape, accumulate, isa);
        matmul(expected.rows(), p.x.const_rows(), p.weight, n, accumulate, {nullptr, isa});
        EXPECT_TRUE(same_bits(out.values(), expected.values())) << name;
        EXPECT_TRUE(out.padding_is_untouched()) << name;

        PaddedRows back(n, k, 2, random), expected_back = back;
        small_matmul_transposed(back.rows(), p.d_out.const_rows(), p.w.const_rows(), shape, accumulate, isa);
        matmul_transposed(expected_back.rows(), p.d_out.const_rows(), p.weight, n, accumulate, {nullptr, isa});
        EXPECT_TRUE(same_bits(back.values(), expected_back.values())) << name;
        EXPECT_TRUE(back.padding_is_untouched()) << name;

        PaddedRows d_w(m, k, 3, random);
        std::vector<float> expected_d_w(static_cast<size_t>(m * k), 0.0f);
        if (accumulate == Accumulate::kAdd) expected_d_w = d_w.values();
        small_matmul_gradient(d_w.rows(), p.d_out.const_rows(), p.x.const_rows(), shape, accumulate, isa);
        matmul_gradient({expected_d_w.data(), m, k}, p.d_out.const_rows(), p.x.const_rows(), n, {nullptr, isa});
        EXPECT_EQ(d_w.values(), expected_d_w) << name;  // 0 + -0 is 0: equal, other bits
        EXPECT_TRUE(d_w.padding_is_untouched()) << name;
      }
    }
  }
}

TEST(MatmulGradient, NothingToDo) {
  for (Isa isa : available_isas()) {
    const Context context = {nullptr, isa};
    std::vector<float> d_w(8, 7.0f);
    matmul_gradient({d_w.data(), 2, 4}, {}, {}, 0, context);
    matmul_gradient({d_w.data(), 0, 4}, {}, {d_w.data(), 4}, 1, context);
    matmul_gradient({d_w.data(), 2, 0}, {d_w.data(), 2}, {}, 1, context);
    matmul_gradient_group({}, context);
    matmul_group({}, Accumulate::kAdd, context);
    EXPECT_EQ(d_w, std::vector<float>(8, 7.0f));
  }
}

// A token with NaN spoils what it is part of and nothing else.
TEST(MatmulGradient, NanStaysInItsRow) {
  Random random(15);
  PaddedRows d_out(20, 30, 0, random), x(20, 40, 0, random);
  d_out.at(7, 3) = std::numeric_limits<float>::quiet_NaN();
  for (Isa isa : available_isas()) {
    std::vector<float> d_w(30 * 40, 0.0f);
    matmul_gradient({d_w.data(), 30, 40}, d_out.const_rows(), x.const_rows(), 20, {nullptr, isa});
    for (size_t i = 0; i < d_w.size(); i++) EXPECT_EQ(std::isnan(d_w[i]), i / 40 == 3) << i << " " << isa_name(isa);
  }
}

}  // namespace
}  // namespace minke::testing
