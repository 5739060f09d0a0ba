// Table files: what the program carries, what a user adds, and what is refused.
#include "plan/tables/tables.h"

#include <gtest/gtest.h>

namespace minke::plan {
namespace {

std::string device_row(const std::string& name, const std::string& rates) {
  return "[[device]]\nname = \"" + name + "\"\nclass = \"datacenter-gpu\"\n" + rates +
         "\nmemory_gb = 80\nmemory_gb_per_s = 3350\nwatts = 700\nsource = \"a sheet\"\ndate = \"2026-01-01\"\nconfidence = "
         "\"primary\"\n";
}

std::string error_of(const std::string& text) {
  Tables tables = Tables::builtin();
  Status added = tables.add_text(text, "mine.toml");
  return added ? std::string() : added.error().message;
}

TEST(Tables, EveryBuiltinRowHasASourceAndADate) {
  Tables tables = Tables::builtin();
  auto expect_dated = [](const Source& source, const std::string& name) {
    EXPECT_FALSE(source.text.empty()) << name;
    EXPECT_EQ(source.date.size(), 10u) << name;
  };
  for (const Device& row : tables.devices()) expect_dated(row.source, row.name);
  for (const Factor& row : tables.factors()) expect_dated(row.source, row.name);
  for (const DevicePrice& row : tables.rentals()) expect_dated(row.source, row.device);
  for (const DevicePrice& row : tables.purchases()) expect_dated(row.source, row.device);
  for (const ApiPrice& row : tables.api_prices()) expect_dated(row.source, row.model);
  for (const ModelRow& row : tables.models()) expect_dated(row.source, row.name);
  EXPECT_GE(tables.devices().size(), 20u);
  EXPECT_GE(tables.models().size(), 12u);
}

TEST(Tables, EveryPriceIsOfAKnownDevice) {
  Tables tables = Tables::builtin();
  for (const DevicePrice& row : tables.rentals()) EXPECT_TRUE(tables.device(row.device).has_value()) << row.device;
  for (const DevicePrice& row : tables.purchases()) EXPECT_TRUE(tables.device(row.device).has_value()) << row.device;
}

TEST(Tables, NamesAreFoundHoweverTheyAreWritten) {
  Tables tables = Tables::builtin();
  EXPECT_EQ(tables.device("h800")->name, "H800");
  EXPECT_EQ(tables.device("Ascend 910c")->name, "Ascend-910C");
  EXPECT_EQ(tables.device("910C")->name, "Ascend-910C");
  EXPECT_EQ(tables.model("DeepSeek_R1")->name, "deepseek-v3");
}

TEST(Tables, UnknownNamesGetTheNearest) {
  auto device = Tables::builtin().device("H801");
  ASSERT_FALSE(device.has_value());
  EXPECT_NE(device.error().message.find("did you mean \"H800\"?"), std::string::npos) << device.error().message;
  EXPECT_NE(device.error().message.find("--tables FILE.toml"), std::string::npos);
  EXPECT_NE(Tables::builtin().model("deepsek-v3").error().message.find("did you mean \"deepseek-v3\"?"), std::string::npos);
}

TEST(Tables, AUsersRowReplacesTheBuiltinOne) {
  Tables tables = Tables::builtin();
  size_t n = tables.devices().size();
  ASSERT_TRUE(tables.add_text(device_row("h-100", "bf16_tflops = 500"), "mine.toml").has_value());
  EXPECT_EQ(tables.devices().size(), n);
  EXPECT_DOUBLE_EQ(tables.device("H100")->bf16.value(), 500e12);
  ASSERT_TRUE(tables.add_text(device_row("X1", "bf16_tflops = 500"), "mine.toml").has_value());
  EXPECT_EQ(tables.devices().size(), n + 1);
}

TEST(Tables, ASparsePeakIsRefused) {
  std::string message = error_of(device_row("X1", "bf16_tflops = 989\nfp8_tflops = 3958"));
  EXPECT_NE(message.find("mine.toml:5"), std::string::npos) << message;
  EXPECT_NE(message.find("2:4 sparsity"), std::string::npos) << message;
  EXPECT_EQ(error_of(device_row("X1", "bf16_tflops = 989\nfp8_tflops = 1979")), "");
}

TEST(Tables, BadRowsNameFileLineAndKey) {
  EXPECT_NE(error_of("[[device]]\nname = \"X\"").find("missing"), std::string::npos);
  EXPECT_NE(error_of(device_row("X1", "bf16_tflops = -1")).find("bf16_tflops"), std::string::npos);
  EXPECT_NE(error_of(device_row("X1", "bf16_tflop = 1")).find("did you mean \"bf16_tflops\"?"), std::string::npos);
  EXPECT_NE(error_of("nonsense").find("not TOML"), std::string::npos);
  EXPECT_NE(error_of("[[devices]]\nname = \"X\"").find("unknown key"), std::string::npos);
  EXPECT_NE(error_of("[[rental]]\ndevice = \"H100\"\nlow = 3\nlikely = 2\nsource = \"s\"\ndate = \"d\"\nconfidence = \"lead\"")
                .find("rental[0].low"),
            std::string::npos);
}

TEST(Tables, FactorsFallBackToAnyClassAndAreNoted) {
  Tables tables = Tables::builtin();
  Working working;
  double own = tables.factor("local.memory", "apple", Corner::kLikely, working);
  double any = tables.factor("local.memory", "cpu", Corner::kLikely, working);
  EXPECT_NE(own, any);
  EXPECT_EQ(working.factors(), (std::set<std::string>{"local.memory.apple", "local.memory.any"}));
}

// low is what makes an answer cheap: the high end of a factor that helps, the low end of one that hurts.
TEST(Tables, CornersTakeTheEndThatHelps) {
  Uncertain value{1, 2, 3};
  EXPECT_DOUBLE_EQ(value.at(Corner::kLow, true), 3);
  EXPECT_DOUBLE_EQ(value.at(Corner::kHigh, true), 1);
  EXPECT_DOUBLE_EQ(value.at(Corner::kLow, false), 1);
  EXPECT_DOUBLE_EQ(value.at(Corner::kLikely, false), 2);
}

}  // namespace
}  // namespace minke::plan
