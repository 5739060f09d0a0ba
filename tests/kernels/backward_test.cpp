// Backward passes of single operations: the scalar definitions against finite differences of the forward definitions, and every
// instruction set against the definitions.
#include "kernels/backward.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "base/rng.h"
#include "kernels/activation.h"
#include "kernels/attention/backward.h"
#include "kernels/norm.h"

namespace minke::testing {
namespace {

using Floats = std::vector<float>;
constexpr double kEps = 0x1p-24;  // half an ulp of 1 in f32

Floats numbers(size_t n, uint64_t seed) {
  Floats out(n);
  for (size_t i = 0; i < n; i++) out[i] = static_cast<float>(static_cast<double>(mix_seed(seed, i) >> 11) * 0x1p-52 - 1.0);
  return out;
}

double dot(const Floats& a, const Floats& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); i++) sum += double{a[i]} * double{b[i]};
  return sum;
}

double norm(const Floats& a) { return std::sqrt(dot(a, a)); }

// The derivative of loss(x) along `direction` by differences of the fourth order, against d_x . direction. The loss is made of
// f32 results: its noise is a few times kEps * scale, divided by the step; the truncation is of order step^4.
void expect_derivative(const std::function<double(const Floats&)>& loss, const Floats& x, const Floats& d_x, double scale,
                       const char* what) {
  constexpr double kStep = 0x1p-5;
  const Floats direction = numbers(x.size(), 99);
  auto at = [&](double steps) {
    Floats moved(x.size());
    for (size_t i = 0; i < x.size(); i++) moved[i] = static_cast<float>(x[i] + steps * kStep * direction[i]);
    return loss(moved);
  };
  const double measured = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * kStep);
  const double bound = 64 * kEps * scale / kStep + 4 * std::pow(kStep, 4) * scale * norm(direction);
  EXPECT_NEAR(dot(d_x, direction), measured, bound) << what;
  EXPECT_GT(std::fabs(measured), 20 * bound) << what << ": too small to tell";
}

void expect_close(const Floats& actual, const Floats& expected, double bound, const char* what) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); i++) {
    ASSERT_NEAR(actual[i], expected[i], bound) << what << " at " << i;
  }
}

class BackwardOps : public ::testing::TestWithParam<int64_t> {};  // the length of a row

TEST_P(BackwardOps, RmsNorm) {
  const int64_t dim = GetParam(), n_rows = 3;
  const auto size = static_cast<size_t>(n_rows * dim);
  const Floats x = numbers(size, 1), weight = numbers(static_cast<size_t>(dim), 2), d_out = numbers(size, 3);
  const float eps = 1e-6f;
  auto loss = [&](const Floats& in, const Floats& w) {
    Floats out(size);
    rms_norm(out.data(), in.data(), w.data(), n_rows, dim, eps, {nullptr, Isa::kRef});
    return dot(out, d_out);
  };
  auto backward = [&](const Context& context) {
    std::pair<Floats, Floats> d = {Floats(size), Floats(static_cast<size_t>(dim))};
    rms_norm_backward({d.first.data(), dim}, d.second.data(), {d_out.data(), dim}, {x.data(), dim}, weight.data(), n_rows, dim,
                      eps, context);
    return d;
  };
  const auto [d_x, d_weight] = backward({nullptr, Isa::kRef});
  if (dim > 1) {  // of one number the norm is its sign
    expect_derivative([&](const Floats& in) { return loss(in, weight); }, x, d_x, 4 * norm(d_out), "d_x");
  }
  expect_derivative([&](const Floats& w) { return loss(x, w); }, weight, d_weight, 4 * norm(d_out), "d_weight");
  ThreadPool pool(2);
  for (Isa isa : available_isas()) {
    for (const Context& context : {Context{nullptr, isa}, Context{&pool, isa}}) {
      const auto [got_x, got_weight] = backward(context);
      // Sums of dim terms in f32, of numbers below 1 / rms.
      const double bound = 8 * kEps * (static_cast<double>(dim) + 8) * 4;
      expect_close(got_x, d_x, bound, "d_x");
      expect_close(got_weight, d_weight, bound, "d_weight");
    }
  }
}

TEST_P(BackwardOps, SwiGlu) {
  const int64_t n = GetParam();
  const auto size = static_cast<size_t>(n);
  Floats gate = numbers(size, 4);
  for (float& g : gate) g *= 6;
  const Floats up = numbers(size, 5), d_out = numbers(size, 6);
  auto loss = [&](const Floats& g, const Floats& u) {
    Floats out(size);
    swiglu(out.data(), g.data(), u.data(), n, {nullptr, Isa::kRef});
    return dot(out, d_out);
  };
  auto backward = [&](Isa isa) {
    std::pair<Floats, Floats> d = {Floats(size), Floats(size)};
    swiglu_backward(d.first.data(), d.second.data(), d_out.data(), gate.data(), up.data(), n, {nullptr, isa});
    return d;
  };
  const auto [d_gate, d_up] = backward(Isa::kRef);
  expect_derivative([&](const Floats& g) { return loss(g, up); }, gate, d_gate, norm(d_out), "d_gate");
  expect_derivative([&](const Floats& u) { return loss(gate, u); }, up, d_up, 6 * norm(d_out), "d_up");
  for (Isa isa : available_isas()) {
    const auto [got_gate, got_up] = backward(isa);
    expect_close(got_gate, d_gate, 32 * kEps * 7, "d_gate");
    expect_close(got_up, d_up, 32 * kEps * 7, "d_up");
  }
}

TEST_P(BackwardOps, CrossEntropy) {
  const int64_t dim = GetParam(), n_rows = 3;
  if (dim < 2) return;  // one class has no loss
  const auto size = static_cast<size_t>(n_rows * dim);
  Floats logits = numbers(size, 7);
  for (float& z : logits) z *= 3;
  const std::vector<int32_t> targets = {0, static_cast<int32_t>(dim - 1), static_cast<int32_t>(dim / 2)};
  const Floats weights = {0.5f, 2.0f, 0.0f};
  auto loss_of = [&](Floats z, Isa isa) {
    Floats losses(static_cast<size_t>(n_rows));
    cross_entropy(losses.data(), z.data(), targets.data(), nullptr, n_rows, dim, {nullptr, isa});
    return dot(losses, weights);
  };
  auto gradient = [&](Isa isa) {
    Floats d = logits, losses(static_cast<size_t>(n_rows));
    cross_entropy(losses.data(), d.data(), targets.data(), weights.data(), n_rows, dim, {nullptr, isa});
    EXPECT_EQ(losses[2], 0.0f);  // a row that does not count
    return d;
  };
  const Floats d_logits = gradient(Isa::kRef);
  expect_derivative([&](const Floats& z) { return loss_of(z, Isa::kRef); }, logits, d_logits, 20, "d_logits");
  for (Isa isa : available_isas()) {
    expect_close(gradient(isa), d_logits, 2 * kEps * (16 + static_cast<double>(dim) / 16), "d_logits");
    EXPECT_NEAR(loss_of(logits, isa), loss_of(logits, Isa::kRef), 2.5 * kEps * (64 + static_cast<double>(dim)));
  }
}

// Against the definition in f64. With logits up to 8 in size a log-prob, down to -22, is wrong by e = 2^-24 (4 * 16 + 20) at most:
// rounding of differences and their sum. Then ln p - ln q, at most 22, by 2 e, and p by a share of e and its exponential's 2 units.
TEST_P(BackwardOps, Divergence) {
  const int64_t dim = GetParam(), n_rows = 3;
  const auto size = static_cast<size_t>(n_rows * dim);
  Floats logits = numbers(size, 10), teacher = numbers(size, 11);
  for (float& z : logits) z *= 8;
  for (float& z : teacher) z *= 8;
  const Floats weights = {0.5f, 2.0f, -1.0f};
  const double e = kEps * (4 * 16 + 20);
  const auto log_probs = [&](const Floats& z, int64_t row) {
    std::vector<double> l(z.begin() + row * dim, z.begin() + (row + 1) * dim);
    double sum = 0;
    for (double value : l) sum += std::exp(value);
    for (double& value : l) value -= std::log(sum);
    return l;
  };
  for (Isa isa : available_isas()) {
    Floats d = logits, scratch = teacher, losses(static_cast<size_t>(n_rows));
    divergence(losses.data(), d.data(), scratch.data(), weights.data(), n_rows, dim, {nullptr, isa});
    for (int64_t i = 0; i < n_rows; i++) {
      const std::vector<double> p = log_probs(logits, i), q = log_probs(teacher, i);
      double kl = 0;
      for (size_t c = 0; c < p.size(); c++) kl += std::exp(p[c]) * (p[c] - q[c]);
      EXPECT_NEAR(losses[static_cast<size_t>(i)], kl, 2 * e + 22 * (e + 3 * kEps)) << isa_name(isa);
      for (size_t c = 0; c < p.size(); c++) {
        const double slope = weights[static_cast<size_t>(i)] * std::exp(p[c]);
        EXPECT_NEAR(d[static_cast<size_t>(i * dim) + c], slope * (p[c] - q[c] - kl),
                    std::abs(slope) * (4 * e + 3 * 22 * (e + 3 * kEps)))
            << isa_name(isa);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Lengths, BackwardOps, ::testing::Values(1, 2, 7, 16, 33, 100, 256));

TEST(BackwardSums, RowsAreSummedInOrderWhateverTheThreads) {
  const int64_t n = 300, dim = 200;
  const Floats rows = numbers(static_cast<size_t>(n * dim), 8);
  std::vector<int32_t> tokens(static_cast<size_t>(n));
  for (size_t i = 0; i < tokens.size(); i++) tokens[i] = static_cast<int32_t>(mix_seed(9, i) % 5);
  Floats sums(static_cast<size_t>(dim)), table(static_cast<size_t>(5 * dim));
  for (int64_t i = 0; i < n; i++) {
    for (int64_t c = 0; c < dim; c++) {
      sums[static_cast<size_t>(c)] += rows[static_cast<size_t>(i * dim + c)];
      table[static_cast<size_t>(tokens[static_cast<size_t>(i)] * dim + c)] += 2.0f * rows[static_cast<size_t>(i * dim + c)];
    }
  }
  ThreadPool pool(3);
  for (Isa isa : available_isas()) {
    Floats got(sums.size()), got_table(table.size());
    sum_rows(got.data(), {rows.data(), dim}, n, dim, {&pool, isa});
    scatter_rows(got_table.data(), tokens.data(), rows.data(), 2.0f, n, dim, {&pool, isa});
    EXPECT_EQ(got, sums);
    EXPECT_EQ(got_table, table);
  }
}

// Causal attention by its definition, in f64.
double attention_loss(const Floats& q, const Floats& k, const Floats& v, const Floats& d_out, int64_t n, int64_t key_dim,
                      int64_t value_dim, double scale) {
  double loss = 0;
  std::vector<double> p(static_cast<size_t>(n));
  for (int64_t t = 0; t < n; t++) {
    double sum = 0;
    for (int64_t j = 0; j <= t; j++) {
      double s = 0;
      for (int64_t c = 0; c < key_dim; c++)
        s += double{q[static_cast<size_t>(t * key_dim + c)]} * k[static_cast<size_t>(j * key_dim + c)];
      p[static_cast<size_t>(j)] = std::exp(scale * s);
      sum += p[static_cast<size_t>(j)];
    }
    for (int64_t j = 0; j <= t; j++) {
      for (int64_t c = 0; c < value_dim; c++) {
        loss += p[static_cast<size_t>(j)] / sum * v[static_cast<size_t>(j * value_dim + c)] *
                d_out[static_cast<size_t>(t * value_dim + c)];
      }
    }
  }
  return loss;
}

TEST(AttentionBackward, IsTheDerivativeOfTheDefinition) {
  for (const auto& [n, key_dim, value_dim] :
       {std::tuple<int64_t, int64_t, int64_t>{1, 3, 2}, {5, 8, 8}, {64, 6, 10}, {131, 16, 5}}) {
    SCOPED_TRACE(n);
    const auto q_size = static_cast<size_t>(n * key_dim), v_size = static_cast<size_t>(n * value_dim);
    const Floats q = numbers(q_size, 10), k = numbers(q_size, 11), v = numbers(v_size, 12), d_out = numbers(v_size, 13);
    const float scale = 0.7f;
    for (Isa isa : available_isas()) {
      Floats d_q(q_size), d_k(q_size), d_v(v_size), scratch(static_cast<size_t>(attend_backward_scratch(n)));
      attend_backward({n,
                       key_dim,
                       value_dim,
                       scale,
                       {q.data(), key_dim},
                       {k.data(), key_dim},
                       {v.data(), value_dim},
                       {d_out.data(), value_dim},
                       {d_q.data(), key_dim},
                       {d_k.data(), key_dim},
                       {d_v.data(), value_dim}},
                      scratch.data(), isa);
      auto loss = [&](const Floats& a, const Floats& b, const Floats& c) {
        return attention_loss(a, b, c, d_out, n, key_dim, value_dim, scale);
      };
      const double size = 2 * norm(d_out);
      if (n > 1) {  // one token attends to itself alone
        expect_derivative([&](const Floats& a) { return loss(a, k, v); }, q, d_q, size, "d_q");
        expect_derivative([&](const Floats& b) { return loss(q, b, v); }, k, d_k, size, "d_k");
      }
      expect_derivative([&](const Floats& c) { return loss(q, k, c); }, v, d_v, size, "d_v");
    }
  }
}

}  // namespace
}  // namespace minke::testing
