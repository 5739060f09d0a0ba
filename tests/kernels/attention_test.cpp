#include <gtest/gtest.h>

#include "attention_cases.h"

namespace minke::testing {
namespace {

constexpr float kScale = 0.5f;

std::vector<AttentionCase> all_cases() {
  std::vector<AttentionCase> cases;
  for (std::vector<int64_t> lengths : std::vector<std::vector<int64_t>>{{1}, {2, 17, 63}, {64, 65}, {255, 1, 257}, {600}}) {
    cases.push_back({false, 1, 1, 24, 0, 20, lengths});
    cases.push_back({true, 1, 4, 28, 8, 28, lengths});
  }
  cases.push_back({false, 2, 6, 128, 0, 128, {130}});     // Qwen2-1.5B
  cases.push_back({false, 3, 2, 16, 0, 150, {40, 3}});    // two groups of value columns, the second with a tail
  cases.push_back({false, 1, 7, 80, 0, 80, {100}});       // a tail of rows
  cases.push_back({true, 1, 16, 512, 64, 512, {70, 2}});  // V2-Lite
  cases.push_back({true, 1, 53, 40, 16, 40, {20}});       // more heads than a block of rows
  cases.push_back({true, 1, 2, 1040, 8, 1040, {70}});     // three groups of columns of a latent
  return cases;
}

// Half a step of rounding |x| <= magnitude to a type; `largest` is the largest of the numbers that share a scale.
double half_step(KvType type, double magnitude, double largest) {
  switch (type) {
    case KvType::kF32:
      return 0;
    case KvType::kF16:
      return magnitude * 0x1p-11 + 0x1p-25;  // subnormals have steps of 2^-24
    case KvType::kBF16:
      return magnitude * 0x1p-8;
    case KvType::kQ8:
      return largest / 127 * (0.5 + 0x1p-16);  // the factor is rounded
  }
  return 0;
}

double largest_of(const float* x, int64_t begin, int64_t end) {
  double most = 0;
  for (int64_t c = begin; c < end; c++) most = std::max(most, std::fabs(double{x[c]}));
  return most;
}

// What rounding does to every number of x [n_rows, first + second] at most, where each `group` numbers of either part share a
// scale (kv_layout.h).
std::vector<double> half_steps(KvType type, const std::vector<float>& x, int64_t first, int64_t second, int64_t group) {
  std::vector<double> steps;
  for (size_t row = 0; row < x.size(); row += static_cast<size_t>(first + second)) {
    for (int64_t c = 0; c < first + second; c++) {
      const int64_t part = c < first ? 0 : first, end = c < first ? first : first + second;
      const int64_t begin = part + (c - part) / group * group;
      const float* numbers = x.data() + row;
      // One search for the numbers that share a scale.
      const bool is_known = type == KvType::kQ8 && c > begin;
      steps.push_back(
          is_known ? steps.back()
                   : half_step(type, std::fabs(double{numbers[c]}), largest_of(numbers, begin, std::min(begin + group, end))));
    }
  }
  return steps;
}

// An input with what a type does to it.
struct RoundedInput {
  RoundedInput(const AttentionInput& of, KvType as) : input(of), type(as), layout(of.c.layout(as)) {
    const AttentionCase& c = input.c;
    key_steps = half_steps(type, input.keys, c.key_dim, c.rope_dim, c.is_latent ? kLatentGroup : kHeadKeyGroup);
    query_steps = half_steps(type == KvType::kQ8 ? type : KvType::kF32, input.queries, c.key_dim, c.rope_dim,
                             c.is_latent ? kLatentQueryGroup : kHeadQueryGroup);
    if (!c.is_latent) value_steps = half_steps(type, input.values, c.value_dim, 0, kHeadValueGroup);
  }
  const double* key_step(int64_t token, int64_t head) const {
    return key_steps.data() + (input.key(token, head) - input.keys.data());
  }
  const double* query_step(int64_t token, int64_t head, int64_t member) const {
    return query_steps.data() + (input.query(token, head, member) - input.queries.data());
  }
  const double* value_step(int64_t token, int64_t head) const {
    return input.c.is_latent ? key_step(token, head) : value_steps.data() + (input.value(token, head) - input.values.data());
  }

  const AttentionInput& input;
  KvType type;
  KvLayout layout;
  std::vector<double> key_steps, query_steps, value_steps;
};

// Softmax attention of one row in doubles on the numbers as given, and how far one that reads them as `type` may be from it.
//   E, the error of a score: keys off by half a step, with kQ8 queries too; sums of f32 (a term sees at most its chain of
//   additions; integers are exact); the scale; s - max is rounded before exp. Weights then are off by a factor exp(2 E) at
//   most. Values are off by half a step. With kQ8 a weight is off by one step of its block, kWeightSteps = 127 at least. f32
//   sums over keys: two roundings a key, per block and partition a product and a sum, exp and the last division.
struct Expected {
  std::vector<float> out;
  std::vector<double> tolerance;
};
void add_expected(Expected& e, const RoundedInput& rounded, int64_t first, int64_t n_keys, int64_t head, int64_t member) {
  const AttentionInput& input = rounded.input;
  const AttentionCase& c = input.c;
  const bool is_coded = rounded.type == KvType::kQ8;
  const float* q = input.query(first + n_keys - 1, head, member);
  const double* q_step = rounded.query_step(first + n_keys - 1, head, member);
  const int64_t key_dim = c.key_dim + c.rope_dim;
  std::vector<double> scores;
  double max = -INFINITY, worst = 0, sum = 0;
  for (int64_t j = 0; j < n_keys; j++) {
    const float* k = input.key(first + j, head);
    const double* k_step = rounded.key_step(first + j, head);
    double score = 0, magnitude = 0, error = 0;
    for (int64_t d = 0; d < key_dim; d++) {
      const double key = k[d], query = q[d];
      score += kScale * query * key;
      magnitude += kScale * std::fabs(query * key);
      error += kScale * (std::fabs(query) * k_step[d] + (std::fabs(key) + k_step[d]) * q_step[d]);
    }
    const double chain = static_cast<double>(is_coded ? 3 * rounded.layout.n_query_groups : key_dim + 2);
    worst = std::max(worst, error + kUnit * (chain * (magnitude + error) + std::fabs(score)));
    scores.push_back(score);
    max = std::max(max, score);
  }
  for (double& score : scores) {
    worst = std::max(worst, kUnit * 2 * (max - score));
    sum += score = std::exp(score - max);
  }
  const double factor = std::exp(2 * worst + 4 * kUnit) - 1;
  const double n_blocks = std::ceil(static_cast<double>(n_keys) / kBlockTokens);
  const double roundings = kUnit * (2 * static_cast<double>(n_keys) + 12 * n_blocks + 8);
  for (int64_t d = 0; d < c.value_dim; d++) {
    double mixed = 0, magnitude = 0, off = 0;
    for (int64_t begin = 0; begin < n_keys; begin += kBlockTokens) {
      double largest = 0, codes = 0;
      for (int64_t j = begin; j < std::min(begin + kBlockTokens, n_keys); j++) {
        const double value = input.value(first + j, head)[d], step = rounded.value_step(first + j, head)[d];
        const double weight = scores[static_cast<size_t>(j)];
        mixed += weight * value;
        magnitude += weight * (std::fabs(value) + step);
        off += weight * step;
        largest = std::max(largest, weight * step * 2);
        codes += step == 0 ? 0 : std::fabs(value) / (2 * step) + 1;
      }
      if (is_coded) off += largest / 127 * codes * (1 + factor);
    }
    e.out.push_back(static_cast<float>(mixed / sum));
    e.tolerance.push_back(((factor + roundings) * magnitude + off * (1 + factor)) / sum);
  }
}

Expected expected_attention(const AttentionInput& input, KvType type) {
  Expected e;
  const RoundedInput rounded(input, type);
  int64_t first = 0;
  for (int64_t n : input.c.lengths) {
    for (int64_t t = 0; t < n; t++) {
      for (int64_t row = 0; row < input.c.n_heads * input.c.group; row++) {
        add_expected(e, rounded, first, t + 1, row / input.c.group, row % input.c.group);
      }
    }
    first += n;
  }
  return e;
}

// What `run` makes of a case on every instruction set; ref is slow and gets the short ones.
template <typename Run>
void for_each_isa(const AttentionCase& c, Run run) {
  for (Isa isa : available_isas()) {
    const int64_t work = c.lengths[0] * c.lengths[0] * c.n_heads * c.group * c.key_dim;
    if (isa != Isa::kRef || work < 1000 * 1000) run(isa);
  }
}

TEST(Attention, IsSoftmaxOfScoresTimesValues) {
  for (const AttentionCase& c : all_cases()) {
    const AttentionInput input(c);
    for (KvType type : kKvTypes) {
      const Expected expected = expected_attention(input, type);
      for_each_isa(c, [&](Isa isa) {
        TestCache cache(c, type);
        const std::vector<float> out = attend_all(input, cache, kScale, {nullptr, isa});
        EXPECT_TRUE(close(out, expected.out, expected.tolerance)) << c.name() << " " << kv_name(type) << " " << isa_name(isa);
      });
    }
  }
}

// Prompts in one call, in chunks and token by token, alone and in company, with one thread and with several: the same bits.
TEST(Attention, ChunksBatchesAndThreadsChangeNoBit) {
  ThreadPool three(3), two(2);
  for (const AttentionCase& c : all_cases()) {
    const AttentionInput input(c);
    for (KvType type : kKvTypes) {
      for_each_isa(c, [&](Isa isa) {
        TestCache cache(c, type);
        const std::vector<float> whole = attend_all(input, cache, kScale, {nullptr, isa});
        for (int64_t chunk : {1, 7, 100, 1000}) {
          if (chunk == 1 && input.n_tokens * c.key_dim > 20000) continue;
          TestCache other(c, type);
          std::vector<float> out(whole.size(), -1.0f);
          std::vector<int64_t> done(c.lengths.size());
          for (bool goes_on = true; goes_on;) {
            goes_on = false;
            std::vector<int64_t> count;
            for (size_t i = 0; i < done.size(); i++) count.push_back(std::min(chunk, c.lengths[i] - done[i]));
            const bool is_last = *std::max_element(count.begin(), count.end()) == 0;
            if (is_last) break;
            attend_part(out, input, other, done, count, kScale, {chunk == 7 ? &three : &two, isa});
            for (size_t i = 0; i < done.size(); i++) done[i] += count[i];
            goes_on = true;
          }
          EXPECT_TRUE(same_bits(out, whole))
              << c.name() << " " << kv_name(type) << " " << isa_name(isa) << " chunks of " << chunk;
        }
      });
    }
  }
}

// One query somewhere in a long sequence: its 1 to 7 partitions go to different threads, and who is second merges two of them.
TEST(Attention, PartitionsOnThreadsChangeNoBit) {
  ThreadPool four(4), two(2);
  for (const AttentionCase& c : {AttentionCase{false, 2, 3, 32, 0, 32, {1700, 513}}, {true, 1, 2, 32, 16, 32, {3400, 1}}}) {
    const AttentionInput input(c);
    const size_t row = static_cast<size_t>(c.n_heads * c.group * c.value_dim);
    for (KvType type : kKvTypes) {
      for (Isa isa : simd_isas()) {
        TestCache cache(c, type);
        const std::vector<float> whole = attend_all(input, cache, kScale, {nullptr, isa});
        std::vector<float> out = whole;
        for (int64_t position = c.lengths[0] - 1; position >= 0; position -= 256) {
          std::fill(out.begin(), out.end(), -1.0f);
          const std::vector<int64_t> last = {position, std::min(position, c.lengths[1] - 1)};
          attend_part(out, input, cache, last, {1, 1}, kScale, {position % 512 < 256 ? &two : &four, isa}, false);
          for (int64_t token : {last[0], c.lengths[0] + last[1]}) {
            const size_t at = static_cast<size_t>(token) * row;
            EXPECT_TRUE(same_bits(std::span(out).subspan(at, row), std::span(whole).subspan(at, row)))
                << c.name() << " " << kv_name(type) << " " << isa_name(isa) << " position " << token;
          }
        }
      }
    }
  }
}

TEST(Attention, WhatIsWrongWithALaterTokenStaysThere) {
  for (const AttentionCase& c : {AttentionCase{false, 1, 2, 16, 0, 12, {90}}, {true, 1, 3, 20, 8, 20, {90}}}) {
    const size_t row = static_cast<size_t>(c.n_heads * c.group * c.value_dim), seen = 79 * row;
    for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      for (KvType type : kKvTypes) {
        for (Isa isa : available_isas()) {
          AttentionInput input(c);
          TestCache clean(c, type), dirty(c, type);
          const std::vector<float> expected = attend_all(input, clean, kScale, {nullptr, isa});
          const_cast<float*>(input.key(79, 0))[3] = bad;
          const_cast<float*>(input.value(79, 0))[5] = bad;
          const std::vector<float> out = attend_all(input, dirty, kScale, {nullptr, isa});
          EXPECT_TRUE(same_bits(std::span(out).first(seen), std::span(expected).first(seen)))
              << c.name() << " " << kv_name(type) << " " << isa_name(isa);
          for (size_t i = seen; i < out.size(); i += row) {
            EXPECT_TRUE(std::isnan(out[i + 5])) << c.name() << " " << kv_name(type) << " " << isa_name(isa) << " " << i;
          }
        }
      }
    }
  }
}

TEST(Attention, HugeScoresDoNotOverflow) {
  const AttentionCase c = {false, 1, 1, 16, 0, 16, {300}};
  for (KvType type : kKvTypes) {
    for (Isa isa : available_isas()) {
      AttentionInput input(c, 300);
      TestCache cache(c, type);
      for (float x : attend_all(input, cache, 1000, {nullptr, isa})) EXPECT_LE(std::fabs(x), 1.001f) << kv_name(type);
    }
  }
}

// A large weight beside many small ones, each less than half a step of the codes: what they weigh together must remain.
// All values are 1 and so is the result. The codes' sum is off by half a step for every lane of a vector, at most 16, of a
// block of weights up to 1, in steps of 1 / 127 at least; the weights sum to 1 + 255 / 1000.
TEST(Attention, SmallWeightsBesideALargeOneKeepTheirMass) {
  for (bool is_latent : {false, true}) {
    const AttentionCase c = {is_latent, 1, 1, 32, 0, 32, {256}};
    AttentionInput input(c);
    std::fill(input.queries.begin(), input.queries.end(), 0.0f);
    std::fill(input.keys.begin(), input.keys.end(), 1.0f);
    std::fill(input.values.begin(), input.values.end(), 1.0f);
    // Only column 0 tells keys apart; its value is 127 or 0 of the codes, so scores are exact.
    for (int64_t j = 0; j < 256; j++) const_cast<float*>(input.key(j, 0))[0] = j == 100 ? 1.0f : 0.0f;
    const_cast<float*>(input.query(255, 0, 0))[0] = std::log(1000.0f);
    for (Isa isa : simd_isas()) {
      TestCache cache(c, KvType::kQ8);
      const std::vector<float> out = attend_all(input, cache, 1, {nullptr, isa});
      EXPECT_NEAR(out[255 * 32 + 7], 1.0, 16 * 0.5 / 127 / 1.255 + 1e-5) << isa_name(isa);
    }
  }
}

// Every instruction set stores the same bytes, and latents come back as what was stored.
TEST(KvPages, AreTheSameOnEveryInstructionSet) {
  for (const AttentionCase& c : {AttentionCase{false, 2, 1, 70, 0, 150, {67}}, {true, 1, 1, 530, 24, 530, {67}}}) {
    AttentionInput input(c, 3);
    auto* keys = input.keys.data();
    const int64_t stride = (c.key_dim + c.rope_dim) * c.n_heads;
    std::fill_n(keys + 5 * stride, stride, 0.0f);
    std::fill_n(keys + 6 * stride, stride, 1e-39f);
    keys[7 * stride + 2] = std::numeric_limits<float>::quiet_NaN();
    keys[8 * stride + 2] = -std::numeric_limits<float>::infinity();
    keys[9 * stride + 2] = 70000;  // more than f16 holds
    for (KvType type : kKvTypes) {
      auto stored = [&](Isa isa) {
        TestCache cache(c, type);
        const CachedSequence sequence = cache.sequence(0, 0, 67);
        store_tokens(cache.layer(), {&sequence, 1}, keys, c.is_latent ? nullptr : input.values.data(), {nullptr, isa});
        std::vector<std::byte> bytes(cache.layer().pages, cache.layer().pages + 2 * page_bytes(cache.layout()));
        std::vector<float> rows(static_cast<size_t>(c.is_latent ? 64 * cache.layout().key_cols : 0));
        if (c.is_latent) read_latents(rows.data(), cache.layout(), cache.head(0, 0, 0), 63, {nullptr, isa});
        return std::pair(bytes, rows);
      };
      const auto [bytes, rows] = stored(Isa::kRef);
      for (Isa isa : simd_isas()) {
        const auto [other_bytes, other_rows] = stored(isa);
        EXPECT_TRUE(bytes == other_bytes) << c.name() << " " << kv_name(type) << " " << isa_name(isa);
        for (size_t i = 0; i < rows.size(); i++) {
          ASSERT_TRUE(rows[i] == other_rows[i] || (std::isnan(rows[i]) && std::isnan(other_rows[i])))
              << isa_name(isa) << " " << i;
        }
      }
      if (!c.is_latent) continue;
      const int64_t cols = c.layout(type).key_cols;
      for (int64_t j = 10; j < 63; j++) {
        for (int64_t d = 0; d < c.key_dim; d++) {
          const double x = input.key(j, 0)[d];
          ASSERT_NEAR(rows[static_cast<size_t>(j * cols + d)], x, half_step(type, std::fabs(x), 3));
        }
      }
    }
  }
}

TEST(KvPages, TakeTheBytesThatTheirLayoutSays) {
  EXPECT_EQ(page_bytes(make_latent_layout(KvType::kF16, 512, 64)), 64 * 576 * 2);
  EXPECT_EQ(page_bytes(make_latent_layout(KvType::kQ8, 512, 64)), 64 * (576 + 2 * 4));
  EXPECT_EQ(page_bytes(make_head_layout(KvType::kF32, 2, 128, 128)), 64 * 2 * 256 * 4);
  EXPECT_EQ(page_bytes(make_head_layout(KvType::kQ8, 2, 128, 128)), 64 * 2 * (256 + 5 * 4));
}

TEST(AttentionDeath, ABlockHasSoManyRowsAndKeys) {
  const KvLayout layout = make_head_layout(KvType::kF32, 1, 16, 16);
  AttentionBlock block = {};
  block.layout = &layout;
  block.n_rows = kMaxBlockRows + 1;
  EXPECT_DEATH(attend_block(block, ref_context()), "49 rows");
  const int64_t n_visible = 257;
  block.n_rows = 1;
  block.n_visible = &n_visible;
  EXPECT_DEATH(attend_block(block, ref_context()), "257 visible keys");
}

}  // namespace
}  // namespace minke::testing
