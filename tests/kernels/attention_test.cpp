#include "kernels/attention.h"

#include <gtest/gtest.h>

#include "kernel_cases.h"

namespace minke::testing {
namespace {

struct Case {
  int64_t n_queries, n_keys;
  std::vector<int64_t> dims;  // of the key parts
  int64_t v_dim;
};

std::string name_of(const Case& c) {
  return fmt::format("{} queries, {} keys, parts {}/{}, v {}", c.n_queries, c.n_keys, c.dims[0],
                     c.dims.size() > 1 ? c.dims[1] : 0, c.v_dim);
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (int64_t n_keys : {1, 2, 15, 16, 17, 63, 64, 65, 128, 200}) {
    for (int64_t n_queries : {1, 3, 7, 16, 17, 33}) cases.push_back({n_queries, n_keys, {24}, 20});
  }
  cases.push_back({16, 130, {128}, 128});      // GQA
  cases.push_back({5, 130, {128, 64}, 128});   // MLA, naive
  cases.push_back({16, 130, {512, 64}, 512});  // MLA, absorbed
  cases.push_back({3, 70, {1100, 7}, 37});     // a part longer than a block of k
  return cases;
}

// Inputs in padded rows; query i sees n_visible[i] keys (causal with an offset, so the first rows may see few).
struct Problem {
  explicit Problem(const Case& c) : random(31), values(c.n_keys, c.v_dim, 5, random) {
    for (int64_t dim : c.dims) {
      q.emplace_back(c.n_queries, dim, 3, random);
      keys.emplace_back(c.n_keys, dim, 2, random);
    }
    for (size_t p = 0; p < c.dims.size(); p++) parts.push_back({q[p].const_rows(), keys[p].const_rows(), c.dims[p]});
    for (int64_t i = 0; i < c.n_queries; i++) n_visible.push_back(c.n_keys - c.n_queries + 1 + i);
    block = {.parts = parts,
             .values = values.const_rows(),
             .v_dim = c.v_dim,
             .n_keys = c.n_keys,
             .n_visible = n_visible.data(),
             .softmax_scale = 0.5f};
  }
  Random random;
  PaddedRows values;
  std::vector<PaddedRows> q, keys;
  std::vector<KeyPart> parts;
  std::vector<int64_t> n_visible;
  AttentionBlock block;
};

// Plain softmax attention in doubles, and how far an f32 computation in blocks may be from it.
struct Expected {
  std::vector<float> out;
  std::vector<double> tolerance;
};

Expected expected_attention(const Case& c, const Problem& p) {
  Expected e;
  for (int64_t i = 0; i < c.n_queries; i++) {
    const int64_t n = p.block.n_visible_to(i);
    std::vector<double> scores(static_cast<size_t>(n), 0.0), score_error(scores);
    double max = -INFINITY, sum = 0;
    for (size_t j = 0; j < scores.size(); j++) {
      for (size_t part = 0; part < p.q.size(); part++) {
        for (int64_t d = 0; d < c.dims[part]; d++) {
          const double term = 0.5 * double{p.q[part].at(i, d)} * double{p.keys[part].at(static_cast<int64_t>(j), d)};
          scores[j] += term;
          score_error[j] += std::fabs(term);
        }
      }
      max = std::max(max, scores[j]);
    }
    // A term of a score: its lane, the lanes, blocks of both parts; then the scale. x - max is rounded before exp.
    double worst = 0;
    for (size_t j = 0; j < scores.size(); j++) {
      const double chain = static_cast<double>(std::min(c.dims[0], kBlock)) / kLeastLanes + 4 + 4;
      worst = std::max(worst, chain * score_error[j] + std::fabs(scores[j]) + 2 * (max - scores[j]));
      sum += scores[j] = std::exp(scores[j] - max);
    }
    // Numerator and denominator each have it, and exp (2), the sums over keys, and per block exp, product and sum.
    const double n_blocks = std::ceil(static_cast<double>(n) / kAttentionBlock);
    const double roundings = 2 * (worst + 2) + 2 * static_cast<double>(n) + n_blocks * 8 + 3;
    for (int64_t d = 0; d < c.v_dim; d++) {
      double weighted = 0, magnitude = 0;
      for (size_t j = 0; j < scores.size(); j++) {
        const double term = scores[j] * double{p.values.at(static_cast<int64_t>(j), d)};
        weighted += term;
        magnitude += std::fabs(term);
      }
      e.out.push_back(n == 0 ? 0.0f : static_cast<float>(weighted / sum));
      e.tolerance.push_back(n == 0 ? 0.0 : roundings * kUnit * magnitude / sum);
    }
  }
  return e;
}

TEST(Attention, IsSoftmaxOfScoresTimesValues) {
  for (const Case& c : all_cases()) {
    Problem p(c);
    const Expected expected = expected_attention(c, p);
    for (Isa isa : available_isas()) {
      PaddedRows out(c.n_queries, c.v_dim, 3);
      attend(out.rows(), p.block, c.n_queries, {nullptr, isa});
      EXPECT_TRUE(close(out.values(), expected.out, expected.tolerance)) << name_of(c) << " " << isa_name(isa);
      EXPECT_TRUE(out.padding_is_untouched());
    }
  }
}

TEST(Attention, AQueryAloneHasTheBitsOfAQueryAmongMany) {
  for (const Case& c : all_cases()) {
    Problem p(c);
    for (Isa isa : available_isas()) {
      PaddedRows whole(c.n_queries, c.v_dim, 0);
      attend(whole.rows(), p.block, c.n_queries, {nullptr, isa});
      for (int64_t i = 0; i < c.n_queries; i++) {
        std::vector<KeyPart> parts = p.parts;
        for (KeyPart& part : parts) part.q.data += i * part.q.stride;
        AttentionBlock block = p.block;
        block.parts = parts;
        block.n_keys = p.block.n_visible_to(i);  // the later keys do not even exist
        block.n_visible = nullptr;
        std::vector<float> out(static_cast<size_t>(c.v_dim));
        attend({out.data(), c.v_dim}, block, 1, {nullptr, isa});
        EXPECT_TRUE(same_bits(out, std::span(whole.data() + i * whole.stride(), out.size())))
            << name_of(c) << " query " << i << " " << isa_name(isa);
      }
    }
  }
}

TEST(Attention, LaterKeysDoNotReachEarlierQueries) {
  const Case c = {4, 20, {16}, 12};
  for (Isa isa : available_isas()) {
    Problem p(c);
    PaddedRows clean(4, 12, 0), dirty(4, 12, 0);
    attend(clean.rows(), p.block, 4, {nullptr, isa});
    for (int64_t d = 0; d < 12; d++) p.values.at(19, d) = std::numeric_limits<float>::quiet_NaN();
    for (int64_t d = 0; d < 16; d++) p.keys[0].at(19, d) = std::numeric_limits<float>::infinity();
    attend(dirty.rows(), p.block, 4, {nullptr, isa});
    const size_t seen = 3 * 12;
    EXPECT_TRUE(same_bits(std::span(dirty.data(), seen), std::span(clean.data(), seen))) << isa_name(isa);
    EXPECT_TRUE(std::isnan(dirty.at(3, 0)));
  }
}

TEST(Attention, QueriesThatSeeNothingAreZero) {
  Problem p({3, 4, {8}, 6});
  for (int64_t n_visible : {int64_t{0}, int64_t{-5}}) {
    p.n_visible = {n_visible, 4, 99};
    for (Isa isa : available_isas()) {
      PaddedRows out(3, 6, 0);
      attend(out.rows(), p.block, 3, {nullptr, isa});
      for (int64_t d = 0; d < 6; d++) EXPECT_EQ(out.at(0, d), 0.0f);
      EXPECT_NE(out.at(1, 0), 0.0f);
      EXPECT_FALSE(std::isnan(out.at(2, 0)));
    }
  }
}

TEST(Attention, HugeScoresDoNotOverflow) {
  const float q[2] = {300, 0}, keys[4] = {300, 0, 299, 0}, values[2] = {5, 7};
  const KeyPart part = {{q, 2}, {keys, 2}, 2};
  const AttentionBlock block = {.parts = std::span(&part, 1), .values = {values, 1}, .v_dim = 1, .n_keys = 2};
  for (Isa isa : available_isas()) {
    float out;
    attend({&out, 1}, block, 1, {nullptr, isa});
    EXPECT_EQ(out, 5.0f) << isa_name(isa);  // exp(-300) is 0
  }
}

TEST(AttentionDeath, TooManyKeys) {
  Problem p({1, 300, {8}, 6});
  PaddedRows out(1, 6, 0);
  float max, sum;
  EXPECT_DEATH(attend_block({&max, &sum, out.rows()}, p.block, 1, ref_context()), "300 keys");
}

}  // namespace
}  // namespace minke::testing
