// Whole answers: what they bracket, what their parts add up to, how they move, and what they refuse.
#include <gtest/gtest.h>

#include "plan/answers/chart.h"
#include "plan/answers/rl_answer.h"
#include "plan/answers/serve_answer.h"
#include "plan/answers/train_answer.h"

namespace minke::plan {
namespace {

struct AnswersTest : testing::Test {
  Tables tables = Tables::builtin();

  TrainQuestion v3() {
    TrainQuestion q;
    ModelRow row = *tables.model("deepseek-v3");
    q.model_name = row.name;
    q.config = row.config;
    q.tokens = Tokens(14.8e12);
    q.n_sequences = 15360;
    q.device = *tables.device("H800");
    q.n_devices = 2048;
    q.precision = Precision::kFp8;
    q.with_mtp = true;
    q.extra_hours = 124000;
    return q;
  }
  TrainAnswer train(const TrainQuestion& q) {
    auto a = answer_training(q, tables);
    EXPECT_TRUE(a.has_value()) << (a ? "" : a.error().message);
    return a ? *a : TrainAnswer{};
  }
  ServeQuestion r1() {
    ServeQuestion q;
    ModelRow row = *tables.model("deepseek-r1");
    q.model_name = row.name;
    q.config = row.config;
    q.device = *tables.device("H800");
    q.n_devices = 1814;
    q.input_tokens = 3600;
    q.output_tokens = 1000;
    q.hit_share = 0.563;
    q.api = "deepseek-r1";
    return q;
  }
  ServeAnswer serve(const ServeQuestion& q) {
    auto a = answer_serving(q, tables);
    EXPECT_TRUE(a.has_value()) << (a ? "" : a.error().message);
    return a ? *a : ServeAnswer{};
  }
};

void expect_inside(const Range& range, double value) {
  EXPECT_LE(range.low, value);
  EXPECT_GE(range.high, value);
  EXPECT_LE(range.low, range.likely);
  EXPECT_GE(range.high, range.likely);
}

// From a layout of the planner's own, not the published one, to the published amounts.
TEST_F(AnswersTest, TheRangeOfV3HoldsWhatWasPublished) {
  TrainAnswer a = train(v3());
  expect_inside(a.run_usd, 5.576e6);
  expect_inside(a.device_hours, 2.788e6);
  expect_inside(a.tokens_per_day, 272.8e9);
  expect_inside(a.mfu, 0.3894);
  EXPECT_LE(a.run_usd.likely, a.programme_usd.likely);
  EXPECT_LE(a.programme_usd.likely, a.fleet_usd.likely);
}

TEST_F(AnswersTest, MoneyIsHomogeneousInThePrice) {
  TrainQuestion q = v3();
  q.usd_per_hour = 2;
  TrainAnswer at_two = train(q);
  q.usd_per_hour = 4;
  TrainAnswer at_four = train(q);
  EXPECT_NEAR(at_four.run_usd.likely, 2 * at_two.run_usd.likely, 1e-6 * at_two.run_usd.likely);
  EXPECT_NEAR(at_four.programme_usd.high, 2 * at_two.programme_usd.high, 1e-6 * at_two.programme_usd.high);
  EXPECT_DOUBLE_EQ(at_four.days.likely, at_two.days.likely);
}

TEST_F(AnswersTest, MoreTokensCostInProportionAndMoreDevicesNeverLowerTheFleet) {
  TrainQuestion q = v3();
  q.extra_hours = 0;
  TrainAnswer once = train(q);
  q.tokens = 2 * q.tokens;
  EXPECT_NEAR(train(q).run_usd.likely, 2 * once.run_usd.likely, 1e-6 * once.run_usd.likely);
  q.n_devices = 4096;
  EXPECT_GT(train(q).fleet_usd.likely, once.fleet_usd.likely);
}

TEST_F(AnswersTest, AGivenRateIsUsedAsItIs) {
  TrainQuestion q = v3();
  q.tflops = 386.1;
  q.goodput = 1;
  q.with_mtp = false;
  TrainAnswer a = train(q);
  EXPECT_FALSE(a.choice.has_value());
  EXPECT_NEAR(a.device_hours.likely, 2.7906e6, 0.001e6);
  EXPECT_DOUBLE_EQ(a.device_hours.low, a.device_hours.high);
  q.layout = "pp16";
  EXPECT_NE(answer_training(q, tables).error().message.find("contradict"), std::string::npos);
}

TEST_F(AnswersTest, TrainingRefusesWhatCannotBe) {
  TrainQuestion q = v3();
  q.seq_len = 10000000;
  EXPECT_NE(answer_training(q, tables).error().message.find("context of 163840"), std::string::npos);
  q = v3();
  q.device = *tables.device("A100");
  EXPECT_NE(answer_training(q, tables).error().message.find("no FP8"), std::string::npos);
  q = v3();
  q.config.n_mtp_layers = 0;
  EXPECT_NE(answer_training(q, tables).error().message.find("--mtp"), std::string::npos);
}

// A day in February 2025 on 226.75 nodes: the capacity that the planner sees holds that traffic, at a use below 1.
TEST_F(AnswersTest, DeepSeeksDayFitsItsDevices) {
  ServeQuestion q = r1();
  q.output_tokens = q.input_tokens * 168.0 / 608.0;
  q.token_ms = 50;
  ServeAnswer a = serve(q);
  double requests_per_s = 608e9 / 86400 / q.input_tokens;
  EXPECT_GT(a.requests_per_s.high, requests_per_s);
  EXPECT_LT(a.requests_per_s.low, requests_per_s);
  ASSERT_EQ(a.api.size(), 1u);
  EXPECT_LT(a.api[0].break_even.likely, 0.5);  // list prices paid 545 % more than the devices
}

TEST_F(AnswersTest, ServingMovesTheRightWay) {
  ServeQuestion q = r1();
  ServeAnswer base = serve(q);
  ServeQuestion changed = q;
  changed.hit_share = 0.9;
  EXPECT_LE(serve(changed).usd_per_request.likely, base.usd_per_request.likely);
  changed = q;
  changed.utilisation = 0.5;
  EXPECT_NEAR(serve(changed).usd_per_request.likely, 2 * base.usd_per_request.likely, 1e-9);
  EXPECT_NEAR(serve(changed).api[0].break_even.likely, base.api[0].break_even.likely, 1e-9);
  changed = q;
  changed.n_drafts = 1;
  EXPECT_LT(serve(changed).usd_per_million_out.likely, base.usd_per_million_out.likely);
  changed = q;
  changed.token_ms = 25;
  EXPECT_GE(serve(changed).usd_per_million_out.likely, base.usd_per_million_out.likely);
  EXPECT_GE(serve(changed).stream_rate.likely, 40);
  changed = q;
  changed.device.bandwidth = 2 * q.device.bandwidth;
  EXPECT_LE(serve(changed).usd_per_million_out.likely, base.usd_per_million_out.likely);
}

TEST_F(AnswersTest, ServingRefusesWhatCannotBe) {
  ServeQuestion q = r1();
  q.n_devices = 8;
  EXPECT_NE(answer_serving(q, tables).error().message.find("16 H800"), std::string::npos)
      << answer_serving(q, tables).error().message;
  q = r1();
  q.token_ms = 0.01;
  EXPECT_NE(answer_serving(q, tables).error().message.find("--token-ms"), std::string::npos);
  q = r1();
  q.unit = 4000;
  EXPECT_NE(answer_serving(q, tables).error().message.find("--unit"), std::string::npos);
  q = r1();
  q.input_tokens = 1e6;
  EXPECT_NE(answer_serving(q, tables).error().message.find("context of 163840"), std::string::npos);
  q = r1();
  q.api = "nobody";
  EXPECT_NE(answer_serving(q, tables).error().message.find("no API price"), std::string::npos);
}

TEST_F(AnswersTest, ApiPricesOverTimeComeByDate) {
  ServeQuestion q = r1();
  q.api = "all";
  ServeAnswer a = serve(q);
  EXPECT_EQ(a.api.size(), tables.api_prices().size());
  for (size_t i = 1; i < a.api.size(); i++) EXPECT_LE(a.api[i - 1].date, a.api[i].date);
}

RlQuestion r1_zero(const Tables& tables) {
  RlQuestion q;
  q.config = tables.model("deepseek-v3")->config;
  q.device = *tables.device("H800");
  q.n_devices = 512;
  q.n_rounds = 650;
  q.answers_per_round = 8192;
  q.answer_tokens = 8000;
  return q;
}

// 198 hours on 512 H800 were published for R1-Zero; rounds, answers and lengths are remembered, so a factor of two each way.
TEST_F(AnswersTest, RlOfR1ZeroIsOfThePublishedOrder) {
  auto a = answer_rl(r1_zero(tables), tables);
  ASSERT_TRUE(a.has_value()) << a.error().message;
  EXPECT_TRUE(a->waits_for_longest);
  double hours = a->days.likely * 24;
  EXPECT_GT(hours, 198 / 2.0);
  EXPECT_LT(hours, 198 * 2.0);
  EXPECT_NEAR(a->writing_hours.likely + a->scoring_hours.likely + a->learning_hours.likely, hours, 1e-9 * hours);
}

TEST_F(AnswersTest, RlRefusesAnswersAboveTheCap) {
  RlQuestion q = r1_zero(tables);
  q.cap_tokens = 100;
  EXPECT_NE(answer_rl(q, tables).error().message.find("contradict"), std::string::npos);
}

TEST(Chart, EscapesNamesAndDrawsEveryBar) {
  std::vector<Bar> bars = {{"a < b", {1, 2, 3}, "2 $"}, {"c", {0, 0, 0}, "0 $"}};
  std::string svg = bars_svg("t & u", "n", bars);
  EXPECT_NE(svg.find("a &lt; b"), std::string::npos);
  EXPECT_NE(svg.find("t &amp; u"), std::string::npos);
  size_t n = 0;
  for (size_t at = svg.find("class=\"bar\""); at != std::string::npos; at = svg.find("class=\"bar\"", at + 1)) n++;
  EXPECT_EQ(n, 2u);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

}  // namespace
}  // namespace minke::plan
