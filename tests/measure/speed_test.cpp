#include "measure/speed.h"

#include <sys/mman.h>

#include <cstring>

#include "measure/memory.h"
#include "support/support.h"
#include "synthetic/named_configs.h"
#include "synthetic/random_model.h"

namespace minke {
namespace {

class Speed : public ::testing::Test {
 protected:
  void SetUp() override {
    RandomModelOptions options;
    options.mix = "q8_0";
    path_ = directory_.file("tiny.gguf");
    testing::value_of(write_random_model(path_, testing::value_of(find_config("tiny")), options));
    speed_.n_repetitions = 3;
    speed_.context.isa = best_isa();
  }

  testing::TemporaryDirectory directory_;
  std::string path_;
  SpeedOptions speed_;
};

TEST_F(Speed, EveryRepetitionIsTimedAndEveryTokenCounted) {
  std::unique_ptr<Model> model = testing::value_of(Model::load(path_));
  int64_t n_done = 0, n_total = 0;
  int n_after = 0;
  speed_.progress = [&](int64_t done, int64_t total) {
    n_done = done;
    n_total = total;
    return true;
  };
  speed_.after_repetition = [&] { n_after++; };
  SpeedMeter meter(*model, speed_);
  testing::value_of(meter.warm_up());
  EXPECT_EQ(testing::value_of(meter.prefill(600)).size(), 3u);
  EXPECT_EQ(n_total, 1800);
  EXPECT_EQ(n_done, 1800 - 88);  // before the last piece of 512 + 88
  EXPECT_EQ(testing::value_of(meter.decode(70, 4)).size(), 3u);
  EXPECT_EQ(n_total, 70 + 12);
  EXPECT_EQ(n_done, n_total - 1);
  EXPECT_EQ(testing::value_of(meter.batch_decode(5, 2)).size(), 3u);
  EXPECT_EQ(n_done, n_total - 5);
  EXPECT_EQ(n_after, 9);
  EXPECT_EQ(meter.kv_bytes(), 640 * KvCache::bytes_per_token(model->config(), speed_.kv));
}

TEST_F(Speed, StopsBetweenTokens) {
  std::unique_ptr<Model> model = testing::value_of(Model::load(path_));
  speed_.progress = [](int64_t done, int64_t) { return done < 5; };
  SpeedMeter meter(*model, speed_);
  EXPECT_EQ(testing::value_of(meter.decode(0, 4)).size(), 1u);  // stopped in the second
  EXPECT_TRUE(testing::value_of(meter.decode(64, 4)).empty());
}

TEST_F(Speed, LoadingIsTimedBesideReading) {
  LoadTimes times = testing::value_of(time_load(path_, speed_));
  EXPECT_EQ(times.file_bytes, std::filesystem::file_size(path_));
  EXPECT_EQ(times.load.size(), 3u);
  EXPECT_EQ(times.read.size(), 3u);
  EXPECT_EQ(times.first_token.size(), 3u);
}

TEST(Memory, ThePeakFollowsWhatIsTouchedAndCanBeForgotten) {
  if (!reset_peak_resident()) GTEST_SKIP() << "the kernel does not let us reset VmHWM";
  constexpr int64_t kBytes = int64_t{64} << 20;
  const int64_t before = peak_resident_bytes().value();
  // Mapped by hand: sanitizers keep freed memory for a while.
  void* memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::memset(memory, 1, kBytes);
  ::munmap(memory, kBytes);
  EXPECT_GE(peak_resident_bytes().value(), before + kBytes - (int64_t{4} << 20));
  ASSERT_TRUE(reset_peak_resident());
  EXPECT_LT(peak_resident_bytes().value(), before + kBytes / 2);
}

// The layer of multi-token prediction takes memory only when somebody asks for it.
TEST(Memory, OfModelsWithAndWithoutMultiTokenPrediction) {
  if (!reset_peak_resident()) GTEST_SKIP() << "the kernel does not let us reset VmHWM";
  testing::TemporaryDirectory directory;
  ModelConfig config = testing::value_of(find_config("tiny"));
  config.n_mtp_layers = 1;
  config.moe.intermediate_size = 5120;  // 8 experts of 3 x 5120 x 256, one layer of them besides the module's
  config.n_layers = 2;
  RandomModelOptions options;
  options.mix = "q8_0";
  const std::string path = directory.file("mtp.gguf");
  testing::value_of(write_random_model(path, config, options));
  const Context context = {nullptr, best_isa()};
  auto peak = [&](bool mtp) {
    EXPECT_TRUE(reset_peak_resident());
    const int64_t before = peak_resident_bytes().value();
    std::unique_ptr<Model> model = testing::value_of(Model::load(path, {.pack = &context, .mtp = mtp}));
    EXPECT_EQ(model->config().n_mtp_layers, mtp ? 1 : 0);
    return peak_resident_bytes().value() - before;
  };
  const int64_t layer_bytes = int64_t{10} * 3 * 5120 * 256 * 34 / 32;  // 8 experts and 2 shared ones in q8_0, 41.8 MB
  const int64_t without = peak(false), with = peak(true);
  EXPECT_GE(with - without, layer_bytes - (int64_t{4} << 20));  // pages of 2 MB at both ends
  EXPECT_LT(without, 2 * layer_bytes);
}

}  // namespace
}  // namespace minke
