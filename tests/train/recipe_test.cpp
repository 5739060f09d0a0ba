// Recipes: what is refused and where the message points, what the hash depends on, how far a stage is.
#include "train/recipe/recipe.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/support.h"
#include "train/recipe/stage.h"
#include "base/toml_section.h"

namespace minke::recipe {
namespace {

using minke::testing::read_test_file;
using minke::testing::repository_path;
using minke::testing::TemporaryDirectory;
using minke::testing::value_of;

std::string nano() { return read_test_file(repository_path("tests/train/data/pretrain.toml")); }

// pretrain.toml with the first `from` replaced.
std::string with(const std::string& from, const std::string& to) {
  std::string text = nano();
  size_t at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("not in pretrain.toml: " + from);
  return text.replace(at, from.size(), to);
}

std::string line_of(const std::string& text, const std::string& part) {
  return std::to_string(1 + std::count(text.begin(), text.begin() + static_cast<long>(text.find(part)), '\n'));
}

Result<std::vector<Recipe>> parse(const std::string& text) { return parse_recipes(text, "x.toml", "/recipes"); }

TEST(Recipe, TheRecipesOfTheRepositoryAreRead) {
  Recipe recipe = value_of(parse_recipes(nano(), "x.toml", repository_path("recipes"))).at(0);
  EXPECT_EQ(recipe.name, "nano");
  EXPECT_EQ(recipe.model.config, repository_path("recipes/nano/config.json"));
  EXPECT_EQ(recipe.out, repository_path("runs/nano/pretrain"));
  EXPECT_EQ(recipe.model.dtype, DType::kBF16);
  EXPECT_EQ(recipe.data.packing, RowPacking::kStream);
  EXPECT_EQ(recipe.optimizer.kind, OptimizerKind::kMuon);
  EXPECT_DOUBLE_EQ(recipe.optimizer.lr, 2e-3);
  EXPECT_EQ(recipe.schedule.total, 30'000'000);
  EXPECT_EQ(recipe.log.sample_prompts.size(), 2u);
  std::vector<Recipe> stages = value_of(read_recipes(repository_path("recipes/tiny-test.toml")));
  ASSERT_EQ(stages.size(), 2u);
  EXPECT_EQ(stages[1].parent, stages[0].out);
  EXPECT_EQ(stages[1].kind, RecipeKind::kSft);
  EXPECT_NE(stages[0].hash, stages[1].hash);
  for (const char* name : {"recipes/nano.toml", "recipes/micro.toml", "recipes/zero.toml", "recipes/efficiency.toml"})
    value_of(read_recipes(repository_path(name)));
}

TEST(Recipe, UnknownKeysAreNamedWithTheNearestKnownOne) {
  std::string text = with("weight_decay = 0.1", "weight_decy = 0.1");
  EXPECT_ERROR(parse(text), "x.toml:" + line_of(text, "weight_decy") +
                                ": optimizer.weight_decy: unknown key; did you mean \"weight_decay\"?");
  EXPECT_ERROR(parse(with("[checkpoint]", "[checkpoints]")), "checkpoints: unknown key; did you mean \"checkpoint\"?");
  EXPECT_ERROR(parse(with("[mtp]", "[zzzzzzzz]")), "zzzzzzzz: unknown key; known keys are recipe, model,");
  EXPECT_ERROR(parse(with("weight = 1.0 }", "weight = 1.0, share = 3 }")), "data.train[0].share: unknown key");
  EXPECT_ERROR(parse(with("total_tokens", "tokens")), "schedule.tokens: unknown key; did you mean \"total_tokens\"?");
}

TEST(Recipe, MissingKeysAreNamedWithTheirSection) {
  std::string text = with("clip_norm = 1.0\n", "");
  EXPECT_ERROR(parse(text), "x.toml:" + line_of(text, "[optimizer]") + ": optimizer.clip_norm: missing");
  EXPECT_ERROR(parse(with("[cost]", "")), "unknown key");  // its keys fall to the section before
  EXPECT_ERROR(parse(""), "recipe: missing");
}

TEST(Recipe, WrongTypesAndRangesAreNamed) {
  std::string text = with("lr = 2e-3", "lr = \"2e-3\"");
  EXPECT_ERROR(parse(text), "x.toml:" + line_of(text, "lr = \"2e-3\"") + ": optimizer.lr: expected a number above 0, got ");
  EXPECT_ERROR(parse(with("lr = 2e-3", "lr = 0")), "optimizer.lr: expected a number above 0, got 0");
  EXPECT_ERROR(parse(with("lr = 2e-3", "lr = inf")), "optimizer.lr: expected a number above 0, got inf");
  EXPECT_ERROR(parse(with("lr = 2e-3", "lr = nan")), "optimizer.lr: expected a number above 0, got nan");
  EXPECT_ERROR(parse(with("beta1 = 0.9", "beta1 = 1")), "optimizer.beta1: expected a number from 0 and below 1, got 1");
  EXPECT_ERROR(parse(with("seed = 1", "seed = -1")), "recipe.seed: expected a whole number from 0 up, got -1");
  EXPECT_ERROR(parse(with("seed = 1", "seed = 1.0")), "recipe.seed: expected a whole number from 0 up, got 1.0");
  EXPECT_ERROR(parse(with("recompute = false", "recompute = 0")), "model.recompute: expected true or false, got 0");
  EXPECT_ERROR(parse(with("kind = \"muon\"", "kind = \"adam\"")),
               "optimizer.kind: expected one of \"adamw\", \"muon\", got 'adam'");
  EXPECT_ERROR(parse(with("[\"Once upon a time\"", "[7")), "log.sample_prompts: expected a list of texts, got 7");
  EXPECT_ERROR(parse(with("[{ path = \"../runs/nano/data/train.shard\", weight = 1.0 }]", "[]")),
               "data.train: expected a list with at least one table, got []");
  EXPECT_ERROR(parse("recipe = 3"), "x.toml:1: recipe: expected a table [recipe], got 3");
}

TEST(Recipe, ValuesThatDoNotFitTogetherAreNamed) {
  EXPECT_ERROR(parse(with("end_tokens = 16384", "end_tokens = 2048")),
               "batch.end_tokens: expected at least start_tokens = 4096");
  EXPECT_ERROR(parse(with("start_tokens = 4096", "start_tokens = 4000")), "batch.start_tokens: expected a multiple of");
  EXPECT_ERROR(parse(with("kind = \"muon\"", "kind = \"adamw\"")), "muon_momentum: is not used with kind = \"adamw\"");
  EXPECT_ERROR(parse(with("dtype = \"bf16\"", "dtype = \"f32\"")), "model.master_weights: expected false");
  EXPECT_ERROR(parse(with("parent = \"\"", "parent = \"x\"")), "model.config: is not used with recipe.parent");
  EXPECT_ERROR(parse(with("kind = \"pretrain\"", "kind = \"sft\"")), "recipe.parent: expected a checkpoint");
  EXPECT_ERROR(parse(with("validation = \"\"", "validation = \"v\"")), "data.validation_fraction: is not used with");
  EXPECT_ERROR(parse(with("final_lr = 0.0", "final_lr = 3e-3")), "schedule.final_lr: expected a number from 0 to 0.002");
  EXPECT_ERROR(parse(with("money_per_hour = 0.0", "money_per_hour = 0.5")), "cost.currency: expected a name");
  EXPECT_ERROR(parse(with("warmup_tokens = 500_000", "warmup_tokens = 500_000_000")), "schedule.warmup_tokens");
}

TEST(Recipe, WhatIsNotTomlIsNamedWithItsLine) {
  EXPECT_ERROR(parse("[recipe]\nname = nano\n"), "x.toml:2: not TOML: ");
  EXPECT_ERROR(parse("[recipe]\nname = \"a\"\nname = \"b\"\n"), "x.toml:3: not TOML: ");
  EXPECT_ERROR(read_recipes("/nowhere/x.toml"), "/nowhere/x.toml");
}

TEST(Recipe, TwoStagesDoNotShareAFolder) {
  std::string text = read_test_file(repository_path("recipes/tiny-test.toml"));
  size_t at = text.find("\"out/sft\"");
  EXPECT_ERROR(parse(text.replace(at, 9, "\"out/./pretrain\"")), "two stages write to /recipes/out/pretrain");
}

TEST(Recipe, TheHashIsOfTheValuesAlone) {
  std::string hash = value_of(parse(nano())).at(0).hash;
  EXPECT_EQ(hash.size(), 64u);
  // Comments, spaces, other spellings of the same number, another order of keys and sections, another folder.
  EXPECT_EQ(value_of(parse(with("[data]", "# a comment\n\n[ data ]"))).at(0).hash, hash);
  EXPECT_EQ(value_of(parse(with("lr = 2e-3", "lr   =   0.002"))).at(0).hash, hash);
  EXPECT_EQ(value_of(parse(with("money_per_hour = 0.0", "money_per_hour = 0"))).at(0).hash, hash);
  EXPECT_EQ(value_of(parse(with("total_tokens = 30_000_000", "total_tokens = 0x1C9C380"))).at(0).hash, hash);
  EXPECT_EQ(value_of(parse(with("beta1 = 0.9\nbeta2 = 0.95\n", "beta2 = 0.95\nbeta1 = 0.9\n"))).at(0).hash, hash);
  EXPECT_EQ(value_of(parse_recipes(nano(), "y.toml", "/elsewhere")).at(0).hash, hash);
  EXPECT_NE(value_of(parse(with("lr = 2e-3", "lr = 2.1e-3"))).at(0).hash, hash);
  EXPECT_NE(value_of(parse(with("The little whale", "The little wale"))).at(0).hash, hash);
}

TEST(Recipe, AnotherSeedIsAnotherRecipeInAFolderOfItsOwn) {
  const Recipe first = value_of(parse(nano())).at(0);
  const Recipe other = with_seed(first, 7);
  EXPECT_EQ(other.seed, 7u);
  EXPECT_EQ(other.data.seed, 7u);
  EXPECT_EQ(other.out, first.out + "/seed-7");
  EXPECT_NE(other.hash, first.hash);
  EXPECT_NE(other.canonical.find("runs/nano/pretrain/seed-7"), std::string::npos);
  EXPECT_EQ(with_seed(first, 7).hash, other.hash);
}

TEST(NearestName, FindsTyposAndParts) {
  const std::vector<std::string> names = {"weight_decay", "beta1", "lr", "clip_norm"};
  EXPECT_EQ(toml_file::nearest_name("wieght_decay", names), "weight_decay");
  EXPECT_EQ(toml_file::nearest_name("decay", names), "weight_decay");
  EXPECT_EQ(toml_file::nearest_name("beta", names), "beta1");
  EXPECT_EQ(toml_file::nearest_name("checkpointing", names), std::nullopt);
}

TEST(Stage, TheFolderSaysHowFarItIs) {
  TemporaryDirectory folder;
  Recipe recipe = value_of(parse_recipes(nano(), "x.toml", folder.file("recipes"))).at(0);
  EXPECT_EQ(value_of(stage_state(recipe)), StageState::kNew);
  value_of(begin_stage(recipe));
  EXPECT_EQ(value_of(stage_state(recipe)), StageState::kStarted);
  Recipe other = value_of(parse_recipes(with("lr = 2e-3", "lr = 1e-3"), "x.toml", folder.file("recipes"))).at(0);
  EXPECT_ERROR(stage_state(other), "was started by another recipe");
  value_of(finish_stage(recipe, Json{{"loss", 1.5}}));
  EXPECT_EQ(value_of(stage_state(recipe)), StageState::kDone);
  EXPECT_ERROR(stage_state(other), "holds the result of another recipe");
  EXPECT_EQ(value_of(read_json_file(recipe.out + "/done.json"))["loss"], 1.5);
  value_of(write_file(recipe.out + "/done.json", "{}"));
  EXPECT_ERROR(stage_state(recipe), "expected an object with \"recipe_hash\"");
}

TEST(Stage, StrangeFilesAreLeftAlone) {
  TemporaryDirectory folder;
  Recipe recipe = value_of(parse_recipes(nano(), "x.toml", folder.file("recipes"))).at(0);
  std::filesystem::create_directories(recipe.out);
  EXPECT_EQ(value_of(stage_state(recipe)), StageState::kNew);
  value_of(write_file(recipe.out + "/thesis.txt", "years of work"));
  EXPECT_ERROR(stage_state(recipe), "holds files that no recipe wrote");
}

}  // namespace
}  // namespace minke::recipe
