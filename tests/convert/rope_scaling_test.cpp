// llama3's RoPE parameters, from the divisors that GGUF keeps instead of them.
#include "convert/rope_scaling.h"

#include "model/rope_table.h"
#include "support/support.h"

namespace minke {
namespace {

using testing::value_of;

RopeConfig llama3(double theta, int64_t dim, double factor, double low, double high, double length) {
  RopeConfig rope;
  rope.theta = theta;
  rope.dim = dim;
  rope.scaling = RopeScaling::kLlama3;
  rope.factor = factor;
  rope.low_freq_factor = low;
  rope.high_freq_factor = high;
  rope.original_max_seq_len = length;
  return rope;
}

RopeConfig plain_of(RopeConfig rope) {
  rope.scaling = RopeScaling::kNone;
  rope.factor = 1.0;
  return rope;
}

TEST(RecoverLlama3, PublishedModels) {
  // Llama 3.1 and 3.3; Llama 3.2 1B and 3B; an odd length.
  for (const RopeConfig& rope : {llama3(500000, 128, 8, 1, 4, 8192), llama3(500000, 64, 32, 1, 4, 8192),
                                 llama3(500000, 128, 32, 1, 4, 8192), llama3(10000, 128, 4, 1, 4, 5000)}) {
    RopeConfig found = value_of(recover_llama3(plain_of(rope), llama3_divisors(rope)));
    EXPECT_EQ(found.scaling, RopeScaling::kLlama3);
    EXPECT_EQ(found.factor, rope.factor);
    EXPECT_EQ(found.low_freq_factor, 1.0);
    EXPECT_EQ(found.high_freq_factor, rope.high_freq_factor);
    EXPECT_EQ(found.original_max_seq_len, rope.original_max_seq_len);
  }
}

TEST(RecoverLlama3, AnotherNameOfTheSameScaling) {
  RopeConfig rope = llama3(500000, 128, 8, 2, 8, 16384);
  RopeConfig found = value_of(recover_llama3(plain_of(rope), llama3_divisors(rope)));
  EXPECT_EQ(found.original_max_seq_len, 8192);
  EXPECT_EQ(found.high_freq_factor, 4);
}

TEST(RecoverLlama3, OnesAreNoScaling) {
  RopeConfig plain = plain_of(llama3(10000, 8, 8, 1, 4, 8192));
  EXPECT_EQ(value_of(recover_llama3(plain, {1, 1, 1, 1})).scaling, RopeScaling::kNone);
}

TEST(RecoverLlama3, RefusesOtherDivisors) {
  RopeConfig rope = llama3(500000, 128, 8, 1, 4, 8192);
  std::vector<float> divisors = llama3_divisors(rope);
  divisors[40] *= 1.0001f;
  EXPECT_ERROR(recover_llama3(plain_of(rope), divisors), "llama3");
  for (float bad : {0.0f, -1.0f, NAN, INFINITY}) {
    divisors[40] = bad;
    EXPECT_ERROR(recover_llama3(plain_of(rope), divisors), "llama3");
  }
}

}  // namespace
}  // namespace minke
