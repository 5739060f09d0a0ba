// minke pull, ls and rm, on a cache made by hand. Downloads themselves are tested in tests/hub.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/run_minke.h"
#include "support/support.h"

namespace minke::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCommit = "0123456789abcdef0123456789abcdef01234567";

// A cache with the tiny qwen3 as org/tiny, in the layout of Hugging Face.
class Cache {
 public:
  Cache() {
    fs::path model = folder_.path() / "models--org--tiny";
    fs::create_directories(model / "blobs");
    fs::create_directories(model / "refs");
    fs::create_directories(model / "snapshots" / kCommit);
    value_of(write_file((model / "refs" / "main").string(), kCommit));
    int n = 0;
    for (std::string name : {"config.json", "model.safetensors"}) {
      std::string blob = std::string(40, static_cast<char>('a' + n++));
      fs::copy(repository_path("tests/goldens/models/qwen3/" + name), model / "blobs" / blob);
      fs::create_symlink("../../blobs/" + blob, model / "snapshots" / kCommit / name);
    }
  }
  MinkeRun run(const std::vector<std::string>& arguments) const {
    return run_minke(arguments, {"", {{"HF_HUB_CACHE", folder_.path().string()}}});
  }
  bool has_model() const { return fs::exists(folder_.path() / "models--org--tiny"); }

 private:
  TemporaryDirectory folder_;
};

TEST(Cache, LsShowsWhatIsThere) {
  Cache cache;
  MinkeRun table = cache.run({"ls"});
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_NE(table.out.find("org/tiny"), std::string::npos) << table.out;
  EXPECT_NE(table.out.find("main 01234567"), std::string::npos) << table.out;
  Json rows = Json::parse(cache.run({"ls", "--json"}).out);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0]["name"], "org/tiny");
  EXPECT_EQ(rows[0]["revisions"][0]["commit"], kCommit);
  EXPECT_EQ(run_minke({"ls"}).out, "");
  EXPECT_EQ(run_minke({"ls", "--json"}).out, "[]\n");
}

TEST(Cache, ACachedNameIsAModel) {
  Cache cache;
  EXPECT_EQ(cache.run({"show", "org/tiny"}).exit_code, 0);
  EXPECT_EQ(cache.run({"logits", "org/tiny", "--tokens", "1", "--last"}).exit_code, 0);
  EXPECT_EQ(cache.run({"show", "org/tiny:Q4_K_M"}).exit_code, 1);
  EXPECT_EQ(cache.run({"show", "org/other"}).exit_code, 1);
}

TEST(Cache, OfflinePullAnswersFromTheCache) {
  Cache cache;
  MinkeRun run = cache.run({"pull", "org/tiny", "--offline", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(Json::parse(run.out)["model"], "org/tiny");
  MinkeRun missing = cache.run({"pull", "org/other", "--offline"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_EQ(missing.err.find("HF_HUB_OFFLINE"), std::string::npos) << missing.err;
  EXPECT_EQ(cache.run({"pull", "../../etc", "--offline"}).exit_code, 1);
  EXPECT_EQ(cache.run({"pull", "org/tiny@main", "--revision", "main", "--offline"}).exit_code, 1);
}

TEST(Cache, RmAsksAndNeedsYesWithoutATerminal) {
  Cache cache;
  MinkeRun refused = cache.run({"rm", "org/tiny"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.err.find("--yes"), std::string::npos) << refused.err;
  EXPECT_TRUE(cache.has_model());
  EXPECT_EQ(cache.run({"rm", "org/other", "--yes"}).exit_code, 1);
  MinkeRun removed = cache.run({"rm", "org/tiny", "--yes"});
  EXPECT_EQ(removed.exit_code, 0) << removed.err;
  EXPECT_TRUE(removed.out.starts_with("freed ")) << removed.out;
  EXPECT_FALSE(cache.has_model());
}

}  // namespace
}  // namespace minke::testing
