// Layouts: idle time of pipelines, memory by part, constraints and their messages, the search.
#include <gtest/gtest.h>

#include "plan/training/rl.h"
#include "plan/training/search.h"

namespace minke::plan {
namespace {

TrainingTask v3_task() {
  Tables tables = Tables::builtin();
  TrainingTask task;
  task.config = tables.model("deepseek-v3")->config;
  task.device = *tables.device("H800");
  task.n_devices = 2048;
  task.n_sequences = 15360;
  task.seq_len = 4096;
  task.precision = Precision::kFp8;
  return task;
}

Layout parsed(const char* text) {
  auto layout = parse_layout(text, {});
  EXPECT_TRUE(layout.has_value()) << (layout ? "" : layout.error().message);
  return *layout;
}

// The example of DualPipe's README: 16 stages, F = 1, B = 2 of which W = 1.
TEST(Bubble, IsWhatDualPipePublished) {
  Seconds f(1), b(2), w(1);
  EXPECT_DOUBLE_EQ(bubble(parsed("pp16,1f1b"), f, b, w).value(), 45);
  EXPECT_DOUBLE_EQ(bubble(parsed("pp16,zb1p"), f, b, w).value(), 15);
  // 7 x (FB + B - 3 W) with FB = F + B = 3: 14.
  EXPECT_DOUBLE_EQ(bubble(parsed("pp16,dualpipe"), f, b, w).value(), 14);
  EXPECT_DOUBLE_EQ(bubble(parsed("pp16,interleaved,chunks5"), f, b, w).value(), 9);
  EXPECT_DOUBLE_EQ(bubble(parsed("pp1"), f, b, w).value(), 0);
}

TEST(Memory, SixteenBytesAParameterWithoutSharding) {
  Tables tables = Tables::builtin();
  TrainingTask task;
  task.config = tables.model("llama-3-8b")->config;
  task.device = *tables.device("H100");
  task.n_devices = 1;
  task.n_sequences = 1;
  task.seq_len = 8192;
  Layout layout;
  TrainingMemory m = training_memory(task, layout);
  double parameters = (m.weights + m.optimizer).value() / 14;
  EXPECT_NEAR(parameters, 8.03e9, 0.01e9);
  EXPECT_DOUBLE_EQ(m.gradients.value(), parameters * 4);  // summed in f32; the usual count of 16 bytes takes them in BF16
}

TEST(Memory, PartsAddUpAndShardingOnlyHelps) {
  TrainingTask task = v3_task();
  Bytes last(1e30);
  for (const char* text : {"pp16,ep64,dp128,zero1", "pp16,ep64,dp128,zero2"}) {
    TrainingMemory m = training_memory(task, parsed(text));
    EXPECT_DOUBLE_EQ(m.total().value(), (m.weights + m.gradients + m.optimizer + m.activations + m.logits).value());
    EXPECT_LT(m.total(), last);
    last = m.total();
  }
  EXPECT_LT(training_memory(task, parsed("pp16,ep64,dp128,full")).activations,
            training_memory(task, parsed("pp16,ep64,dp128,selective")).activations);
  EXPECT_LT(training_memory(task, parsed("pp16,ep64,dp128,selective")).activations,
            training_memory(task, parsed("pp16,ep64,dp128,none")).activations);
}

TEST(Layouts, ErrorsNameTheConstraint) {
  TrainingTask task = v3_task();
  auto message = [&](const char* text) {
    Status status = check_layout(task, parsed(text));
    return status ? std::string() : status.error().message;
  };
  EXPECT_EQ(message("pp16,ep64,dp128,dualpipe"), "");
  EXPECT_NE(message("tp3,pp16,dp43").find("128 heads"), std::string::npos);
  EXPECT_NE(message("pp64,dp32").find("64 stages for 61 layers"), std::string::npos);
  EXPECT_NE(message("pp16,ep48,dp128").find("256 experts"), std::string::npos);
  EXPECT_NE(message("pp16,dp64").find("= 1024 devices, but there are 2048"), std::string::npos);
  EXPECT_NE(message("tp16,pp16,dp8").find("fast links"), std::string::npos);
  EXPECT_NE(message("pp16,cp128,dp1,ep256").find("ep256: does not divide"), std::string::npos);
  task.n_sequences = 15361;
  EXPECT_NE(message("pp16,ep64,dp128").find("no whole number of micro-batches"), std::string::npos);
}

TEST(Layouts, UnknownPartsAreErrors) {
  auto layout = parse_layout("pp16,xx3", {});
  ASSERT_FALSE(layout.has_value());
  EXPECT_NE(layout.error().message.find("\"xx3\""), std::string::npos);
  EXPECT_FALSE(parse_layout("pp0", {}).has_value());
  EXPECT_FALSE(parse_layout("pp", {}).has_value());
  EXPECT_FALSE(parse_layout("zero4", {}).has_value());
}

struct SearchTest : testing::Test {
  Tables tables = Tables::builtin();
  Working working;
  TrainingTask task = v3_task();
  TrainingRates rates = training_rates(task, tables, Corner::kLikely, working);
  Bytes usable = usable_memory(task.device, tables, working);
};

TEST_F(SearchTest, FindsALayoutThatFitsAndIsNotSlowerThanThePublishedOne) {
  auto best = search_layout(task, rates, usable);
  ASSERT_TRUE(best.has_value()) << best.error().message;
  EXPECT_TRUE(check_layout(task, best->layout).has_value());
  EXPECT_LE(best->memory.total(), usable);
  auto published = use_layout(task, parsed("pp16,ep64,dp128,dualpipe"), rates, usable);
  ASSERT_TRUE(published.has_value()) << published.error().message;
  EXPECT_LE(best->step.total(), published->step.total());
}

TEST_F(SearchTest, AnImpossibleLayoutNamesTheNearestThatWorks) {
  auto choice = use_layout(task, parsed("pp16,ep48,dp128,dualpipe"), rates, usable);
  ASSERT_FALSE(choice.has_value());
  EXPECT_NE(choice.error().message.find("256 experts"), std::string::npos) << choice.error().message;
  EXPECT_NE(choice.error().message.find("the nearest that works: tp1 pp16 cp1 ep64 dp128"), std::string::npos)
      << choice.error().message;
}

TEST_F(SearchTest, TooLittleMemoryIsAnErrorWithTheNumbers) {
  task.n_devices = 8;
  task.n_sequences = 8;
  auto best = search_layout(task, rates, usable);
  ASSERT_FALSE(best.has_value());
  EXPECT_NE(best.error().message.find("no layout fits 8 H800"), std::string::npos) << best.error().message;
  EXPECT_NE(best.error().message.find("are usable"), std::string::npos) << best.error().message;
}

TEST_F(SearchTest, FasterLinksMemoryAndComputeNeverHurt) {
  double before = search_layout(task, rates, usable)->step.total().value();
  for (auto faster : {&TrainingRates::scale_up, &TrainingRates::scale_out, &TrainingRates::memory}) {
    TrainingRates changed = rates;
    changed.*faster = 2 * (rates.*faster);
    EXPECT_LE(search_layout(task, changed, usable)->step.total().value(), before);
  }
  for (auto faster : {&TrainingRates::linear, &TrainingRates::attention}) {
    TrainingRates changed = rates;
    changed.*faster = 2 * (rates.*faster);
    EXPECT_LT(search_layout(task, changed, usable)->step.total().value(), before);
  }
  EXPECT_LE(search_layout(task, rates, 2 * usable)->step.total().value(), before);
}

// What crosses the links of each kind of parallelism, against sums written out; nothing is hidden here.
TEST_F(SearchTest, ExchangesAreTheBytesOverTheLinks) {
  rates.hidden_comm = 0;
  auto timed = [&](const char* text) { return step_time(task, parsed(text), rates); };
  StepTime pipeline = timed("pp16,ep64,dp128,1f1b");
  double tokens = 4096, width = 7168, n = 15360 / 128.0;
  EXPECT_NEAR(pipeline.pipeline_comm.value(), n * 2 * 2 * tokens * width / rates.scale_out.value(), 1e-9);
  EXPECT_DOUBLE_EQ(pipeline.context_comm.value(), 0);
  StepTime context = timed("pp16,cp2,ep64,dp64,1f1b");
  double others = 4096 / 2.0, values = 128 * 320;  // keys and values of the other half, in 4 layers, three times
  EXPECT_NEAR(context.context_comm.value(), 2 * n * 3 * 4 * 2 * others * values / rates.scale_up.value(), 1e-9);
  StepTime tensor = timed("tp2,pp16,ep64,dp64,1f1b");
  EXPECT_NEAR(tensor.tensor_comm.value(), 2 * n * 2 * 4 * 2 * tokens * width * 2 / 2 * 2 / rates.scale_up.value(), 1e-9);
  EXPECT_NEAR(pipeline.total().value(),
              (pipeline.compute + pipeline.exchanges() + pipeline.bubble + pipeline.optimizer).value(), 1e-12);
}

TEST(Rl, WaitsForTheLongestAnswerOrForTheDevices) {
  RlTask task;
  task.n_rounds = 10;
  task.answers_per_round = 100;
  task.prompt = Tokens(100);
  task.answer = Tokens(1000);
  task.tail = 4;
  task.cap = Tokens(1e9);
  task.n_devices = 10;
  task.writing_rate = TokensPerS(1000);
  task.stream_rate = TokensPerS(40);
  task.forward = FlopsPerToken(1e9);
  task.learning_rate = FlopsPerS(1e12);
  RlTime time = rl_time(task);
  EXPECT_TRUE(time.waits_for_longest);  // 4000 tokens at 40 a second, against 100,000 at 10,000
  EXPECT_DOUBLE_EQ(time.writing.value(), 10 * 100);
  EXPECT_DOUBLE_EQ(time.learning.value(), 10 * 3 * 100 * 1100 * 1e9 / 1e13);
  task.stream_rate = TokensPerS(4000);
  EXPECT_DOUBLE_EQ(rl_time(task).writing.value(), 10 * 10);
  task.cap = Tokens(500);
  task.stream_rate = TokensPerS(40);
  EXPECT_DOUBLE_EQ(rl_time(task).writing.value(), 10 * 12.5);
}

}  // namespace
}  // namespace minke::plan
