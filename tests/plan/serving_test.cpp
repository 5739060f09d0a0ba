// Serving and single machines: what must hold whatever the factors are.
#include <gtest/gtest.h>

#include "plan/local/local.h"
#include "plan/serving/roofline.h"

namespace minke::plan {
namespace {

struct ServingTest : testing::Test {
  Tables tables = Tables::builtin();
  Working working;

  ServingUnit unit(const char* model, const char* device, int64_t n_devices) {
    ServingUnit u;
    u.config = tables.model(model)->config;
    u.device = *tables.device(device);
    u.n_devices = n_devices;
    return u;
  }
  ServingRates rates(const ServingUnit& u) {
    auto r = serving_rates(u, tables, Corner::kLikely, working);
    EXPECT_TRUE(r.has_value()) << r.error().message;
    return *r;
  }
  double decode(const ServingUnit& u, double per_device, double context) {
    double n = static_cast<double>(u.n_devices);
    return decode_step(u, rates(u), per_device * n, context).total().value() / n;
  }
};

TEST_F(ServingTest, MoreBandwidthNeverSlowsDecoding) {
  for (const char* model : {"deepseek-v3", "qwen2.5-72b"}) {
    for (double per_device : {1.0, 16.0, 128.0}) {
      ServingUnit u = unit(model, "H800", 16);
      double last = 0;
      for (double factor : {0.5, 1.0, 2.0, 4.0}) {
        ServingUnit changed = u;
        changed.device.bandwidth = factor * u.device.bandwidth;
        changed.device.scale_up = factor * u.device.scale_up;
        changed.device.scale_out = factor * u.device.scale_out;
        double now = decode(changed, per_device, 4096);
        EXPECT_GE(now, last) << model << " " << per_device << " " << factor;
        last = now;
      }
    }
  }
}

TEST_F(ServingTest, LongerContextsAndMoreBitsNeverHelp) {
  ServingUnit u = unit("deepseek-v3", "H200", 16);
  EXPECT_GT(decode(u, 32, 1000), decode(u, 32, 8000));
  ServingUnit wide = u;
  wide.weight_bits = 16;
  EXPECT_GE(decode(u, 4, 1000), decode(wide, 4, 1000));
}

// The export ladder: H20 kept its memory and lost its mathematics.
TEST_F(ServingTest, H20WinsSmallGqaDecodingAndLosesPrefillAndLargeMlaDecoding) {
  ServingUnit h20 = unit("qwen2.5-72b", "H20", 8), h100 = unit("qwen2.5-72b", "H100", 8);
  h20.tensor = h100.tensor = 8;
  EXPECT_GT(decode(h20, 0.125, 2000), decode(h100, 0.125, 2000));
  auto prefill = [&](const ServingUnit& u) { return prefill_point(u, rates(u), 1000).total(1).value(); };
  EXPECT_LT(prefill(h20) * 3, prefill(h100));
  EXPECT_LT(decode(unit("deepseek-v3", "H20", 64), 256, 4096), decode(unit("deepseek-v3", "H100", 64), 256, 4096));
}

TEST_F(ServingTest, V3DoesNotFitEightH100AndTheErrorSaysHowManyHoldIt) {
  ServingUnit u = unit("deepseek-v3", "H100", 8);
  Status fits = check_unit(u, rates(u));
  ASSERT_FALSE(fits.has_value());
  EXPECT_NE(fits.error().message.find("16 H100"), std::string::npos) << fits.error().message;
  EXPECT_TRUE(check_unit(unit("deepseek-v3", "H200", 8), rates(u)).has_value());
}

// The latent is held by every way of tensor parallelism; the weights it saves are less than that.
TEST_F(ServingTest, MlaUnderTensorParallelismHoldsFewerStreams) {
  ServingUnit whole = unit("deepseek-v3", "H200", 8), cut = whole;
  cut.tensor = 8;
  EXPECT_GT(kv_capacity(whole, rates(whole)).value(), kv_capacity(cut, rates(cut)).value());
  // The same bytes free on each device would give exactly an eighth.
  double free_whole = whole.device.memory.value() * rates(whole).usable - weight_bytes_per_device(whole).value();
  double free_cut = cut.device.memory.value() * rates(cut).usable - weight_bytes_per_device(cut).value();
  EXPECT_NEAR(kv_capacity(cut, rates(cut)) / kv_capacity(whole, rates(whole)), free_cut / free_whole / 8, 1e-12);
}

TEST_F(ServingTest, ImpossibleUnitsNameTheConstraint) {
  ServingUnit u = unit("qwen2.5-72b", "H100", 8);
  u.tensor = 7;
  EXPECT_NE(check_unit(u, rates(u)).error().message.find("64 heads"), std::string::npos);
  ServingUnit apple = unit("llama-3-8b", "M2-Ultra", 2);
  EXPECT_FALSE(serving_rates(apple, tables, Corner::kLikely, working).has_value());
  apple.runs_eight_bit = false;
  EXPECT_NE(check_unit(apple, rates(apple)).error().message.find("no network"), std::string::npos);
}

TEST_F(ServingTest, CornersBracketTheLikelySpeed) {
  ServingUnit u = unit("deepseek-v3", "H800", 64);
  auto at = [&](Corner corner) {
    return decode_step(u, *serving_rates(u, tables, corner, working), 64 * 64, 4096).total().value();
  };
  EXPECT_GT(at(Corner::kLow), at(Corner::kLikely));  // the cheap corner is the fast one
  EXPECT_GT(at(Corner::kLikely), at(Corner::kHigh));
}

struct LocalTest : testing::Test {
  Tables tables = Tables::builtin();
  Working working;
  LocalTask task(const char* model, const char* device, double bits) {
    LocalTask t;
    t.config = tables.model(model)->config;
    t.device = *tables.device(device);
    t.bits = bits;
    return t;
  }
  double speed(const LocalTask& t) {
    auto plan = local_plan(t, tables, Corner::kLikely, working);
    EXPECT_TRUE(plan.has_value()) << plan.error().message;
    return plan ? plan->decode().value() : 0;
  }
};

TEST_F(LocalTest, BandwidthHelpsAndContextCosts) {
  LocalTask t = task("llama-3-8b", "RTX-4090", 4.9);
  LocalTask faster = t;
  faster.device.bandwidth = 2 * t.device.bandwidth;
  EXPECT_GT(speed(faster), speed(t));
  LocalTask longer = t;
  longer.context = 8192;
  EXPECT_LT(speed(longer), speed(t));
}

TEST_F(LocalTest, WhatDoesNotFitSaysSoAndDiskHelps) {
  LocalTask t = task("deepseek-v3", "M2-Ultra", 4.82);
  auto plan = local_plan(t, tables, Corner::kLikely, working);
  ASSERT_FALSE(plan.has_value());
  EXPECT_NE(plan.error().message.find("experts from disk"), std::string::npos) << plan.error().message;
  t.placement = Placement::kExpertsDisk;
  t.disk = gigabytes_per_s(6);
  auto from_disk = local_plan(t, tables, Corner::kLikely, working);
  ASSERT_TRUE(from_disk.has_value()) << from_disk.error().message;
  EXPECT_GT(from_disk->disk_share, 0);
  // The slow part: the share of 12.3 GB of experts that a token wants from a disk of 6 GB/s.
  double disk_seconds = from_disk->disk_share * 20.43e9 * 4.82 / 8 / 6e9;
  EXPECT_GT(from_disk->token.value(), disk_seconds);
  EXPECT_LT(from_disk->token.value(), disk_seconds + 0.1);
  t.disk = gigabytes_per_s(12);
  EXPECT_GT(speed(t), from_disk->decode().value());
}

TEST_F(LocalTest, HybridsNeedACpuAndExperts) {
  LocalTask t = task("deepseek-v3", "RTX-4090", 4.82);
  t.placement = Placement::kHybrid;
  EXPECT_NE(local_plan(t, tables, Corner::kLikely, working).error().message.find("RTX-4090 is of class"), std::string::npos);
  t = task("llama-3-8b", "EPYC-9654", 4.82);
  t.placement = Placement::kHybrid;
  EXPECT_NE(local_plan(t, tables, Corner::kLikely, working).error().message.find("has none"), std::string::npos);
}

// Sparse models gain: V3 reads 37 of its 671 billion parameters, a dense 405B all of them.
TEST_F(LocalTest, OrderOfModelsIsThatOfTheBytesTheyRead) {
  EXPECT_GT(speed(task("deepseek-v3", "M3-Ultra", 4.5)), speed(task("llama-3-70b", "M3-Ultra", 4.5)));
  EXPECT_GT(speed(task("llama-3-70b", "M3-Ultra", 4.5)), speed(task("llama-3.1-405b", "M3-Ultra", 4.5)));
}

}  // namespace
}  // namespace minke::plan
