#include "train/recipe/stage.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/file.h"

namespace minke::recipe {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxBytes = size_t{1} << 20;

// The hash that a file of ours names.
Result<std::string> recorded_hash(const std::string& path) {
  Json json = TRY(read_json_file(path, kMaxBytes));
  if (!json.is_object() || !json.contains("recipe_hash") || !json["recipe_hash"].is_string()) {
    return error("{}: expected an object with \"recipe_hash\"; move the folder away to start again", path);
  }
  return json["recipe_hash"].get<std::string>();
}

}  // namespace

Result<StageState> stage_state(const Recipe& recipe) {
  std::error_code failed;
  if (!fs::exists(recipe.out, failed) || (fs::is_directory(recipe.out, failed) && fs::is_empty(recipe.out, failed))) {
    return StageState::kNew;
  }
  std::string recipe_file = recipe.out + "/recipe.json", done_file = recipe.out + "/done.json";
  if (!fs::exists(recipe_file, failed)) {
    return error("{}: holds files that no recipe wrote: expected an empty folder; choose another recipe.out", recipe.out);
  }
  bool is_done = fs::exists(done_file, failed);
  std::string hash = TRY(recorded_hash(is_done ? done_file : recipe_file));
  if (hash != recipe.hash) {
    return error("{}: {} another recipe: expected hash {:.12}, got {:.12}; choose another recipe.out or move the folder away",
                 recipe.out, is_done ? "holds the result of" : "was started by", recipe.hash, hash);
  }
  return is_done ? StageState::kDone : StageState::kStarted;
}

Status begin_stage(const Recipe& recipe) {
  std::error_code failed;
  fs::create_directories(recipe.out, failed);
  if (failed) return error("{}: cannot make the folder: {}", recipe.out, failed.message());
  Json json = {{"recipe_hash", recipe.hash}, {"recipe", TRY(parse_json(recipe.canonical, "recipe"))}};
  return write_file(recipe.out + "/recipe.json", dump_json(json, 2) + "\n");
}

Status finish_stage(const Recipe& recipe, Json figures) {
  CHECK(figures.is_object(), "figures of a stage are an object");
  Json json = {{"recipe_hash", recipe.hash}};
  json.update(figures);
  return write_file(recipe.out + "/done.json", dump_json(json, 2) + "\n");
}

}  // namespace minke::recipe
