#include "hub/cached.h"

#include <chrono>
#include <thread>

#include "base/file.h"
#include "hub/hub_fixture.h"

namespace minke::hub {
namespace {

namespace fs = std::filesystem;
using testing::FakeReply;
using testing::FakeRequest;

class CachedTest : public HubTest {
 protected:
  ModelReference reference(const std::string& text) { return testing::value_of(parse_reference(text)); }
  Result<std::string> resolve(const std::string& text) { return resolve_cached(reference(text), options_); }
  Result<Removed> remove(const std::string& text) { return remove_cached(reference(text), options_); }

  // Two revisions that share the weights and differ in config.json.
  void pull_two_revisions() {
    add_safetensors_model();
    old_commit_ = hub_.commit();
    testing::value_of(pull_it("org/tiny@v1"));
    hub_.set_commit(std::string(40, 'c'));
    hub_.add_file("config.json", R"({"model_type":"deepseek_v2"})", false);
    testing::value_of(pull_it());
  }
  std::string old_commit_;
};

TEST_F(CachedTest, EmptyCache) {
  EXPECT_TRUE(testing::value_of(list_cached(options_)).empty());
  EXPECT_ERROR(resolve("org/tiny"), "run `minke pull org/tiny`");
  EXPECT_ERROR(remove("org/tiny"), "not in the cache");
  EXPECT_FALSE(fs::exists(options_.cache_dir)) << "looking makes no folders";
}

TEST_F(CachedTest, List) {
  pull_two_revisions();
  testing::value_of(write_file(repo_path("blobs/" + std::string(64, 'e') + ".incomplete"), "12345"));
  fs::create_directories(options_.cache_dir + "/datasets--org--x/snapshots");
  fs::create_directories(options_.cache_dir + "/models--..--x/snapshots");
  std::vector<CachedModel> models = testing::value_of(list_cached(options_));
  ASSERT_EQ(models.size(), 1u);
  const CachedModel& model = models[0];
  EXPECT_EQ(model.repo, "org/tiny");
  EXPECT_EQ(model.format, "safetensors");
  EXPECT_EQ(model.partial_bytes, 5u);
  EXPECT_EQ(model.size_bytes, kWeightBytes + 2 * kConfigBytes + kTokenizerBytes + 5)
      << "two configs, one tokenizer, weights once, the partial";
  ASSERT_EQ(model.revisions.size(), 2u);
  EXPECT_EQ(model.revisions[0].commit, old_commit_);
  EXPECT_EQ(model.revisions[0].refs, std::vector<std::string>{"v1"});
  EXPECT_EQ(model.revisions[1].refs, std::vector<std::string>{"main"});
  EXPECT_EQ(model.revisions[1].files.size(), 3u);
  EXPECT_NEAR(static_cast<double>(model.last_used), static_cast<double>(std::time(nullptr)), 60);
}

TEST_F(CachedTest, ResolveChecksThatTheModelIsWhole) {
  hub_.add_file("config.json", "{}", false);
  hub_.add_file("model-00001-of-00002.safetensors", noise(100, 1), true);
  hub_.add_file("model-00002-of-00002.safetensors", noise(100, 2), true);
  hub_.add_file("model.safetensors.index.json",
                R"({"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}})", false);
  PullResult result = testing::value_of(pull_it());
  EXPECT_EQ(testing::value_of(resolve("org/tiny")), result.path);
  EXPECT_EQ(testing::value_of(resolve("org/tiny@" + hub_.commit())), result.path);
  EXPECT_ERROR(resolve("org/tiny@v9"), "revision v9 is not in the cache");
  EXPECT_ERROR(resolve("org/tiny:Q4_K_M"), "no GGUF file");
  fs::remove(result.path + "/model-00002-of-00002.safetensors");
  EXPECT_ERROR(resolve("org/tiny"), "model-00002-of-00002.safetensors is missing");
  fs::remove(repo_path("blobs/" + hub_.hash_of("model-00001-of-00002.safetensors")));
  EXPECT_ERROR(resolve("org/tiny"), "model-00001-of-00002.safetensors is a link to a file that is gone");
}

TEST_F(CachedTest, ResolveOfAPartOfTheFiles) {
  hub_.add_file("config.json", "{}", false);
  hub_.add_file("model.safetensors", noise(100, 1), true);
  options_.include = {"config.json"};
  testing::value_of(pull_it());
  EXPECT_ERROR(resolve("org/tiny"), "no weights (safetensors or GGUF) are there: run `minke pull org/tiny`");
}

TEST_F(CachedTest, ResolveGguf) {
  hub_.add_file("a-Q8_0-00001-of-00002.gguf", noise(100, 1), true);
  hub_.add_file("a-Q8_0-00002-of-00002.gguf", noise(100, 2), true);
  hub_.add_file("a-Q2_K.gguf", noise(100, 3), true);
  options_.include = {"*.gguf"};
  PullResult result = testing::value_of(pull_it());
  EXPECT_EQ(testing::value_of(resolve("org/tiny:q8_0")), result.path + "/a-Q8_0-00001-of-00002.gguf");
  EXPECT_EQ(testing::value_of(resolve("org/tiny/a-Q2_K.gguf")), result.path + "/a-Q2_K.gguf");
  EXPECT_ERROR(resolve("org/tiny"), "choose one of Q2_K, Q8_0");
  EXPECT_EQ(testing::value_of(list_cached(options_))[0].quants, (std::vector<std::string>{"Q2_K", "Q8_0"}));
  fs::remove(result.path + "/a-Q8_0-00002-of-00002.gguf");
  EXPECT_ERROR(resolve("org/tiny:Q8_0"), "a-Q8_0-00002-of-00002.gguf");
}

TEST_F(CachedTest, RemoveOfARevisionKeepsSharedBlobs) {
  pull_two_revisions();
  Removed removed = testing::value_of(remove("org/tiny@v1"));
  EXPECT_EQ(removed.n_files, 3u);
  EXPECT_EQ(removed.n_blobs, 1u) << "the old config.json only";
  EXPECT_EQ(removed.freed_bytes, kConfigBytes);
  EXPECT_FALSE(fs::exists(repo_path("snapshots/" + old_commit_)));
  EXPECT_FALSE(fs::exists(repo_path("refs/v1")));
  EXPECT_TRUE(resolve("org/tiny").has_value());
  expect_whole_model();
}

TEST_F(CachedTest, RemoveOfAModelLeavesNothingOfIt) {
  pull_two_revisions();
  testing::value_of(write_file(repo_path("blobs/" + std::string(64, 'e') + ".incomplete"), "12345"));
  fs::create_directories(options_.cache_dir + "/models--org--other/snapshots");
  Removed removed = testing::value_of(remove("org/tiny"));
  EXPECT_EQ(removed.n_files, 6u);
  EXPECT_EQ(removed.freed_bytes, kWeightBytes + 2 * kConfigBytes + kTokenizerBytes + 5);
  EXPECT_FALSE(fs::exists(repo_path("")));
  EXPECT_TRUE(fs::exists(options_.cache_dir + "/models--org--other/snapshots"));
}

TEST_F(CachedTest, RemoveOfOneQuant) {
  hub_.add_file("Q8_0/a-Q8_0-00001-of-00002.gguf", noise(100, 1), true);
  hub_.add_file("Q8_0/a-Q8_0-00002-of-00002.gguf", noise(100, 2), true);
  hub_.add_file("a-Q2_K.gguf", noise(100, 3), true);
  options_.include = {"*.gguf"};
  testing::value_of(pull_it());
  EXPECT_ERROR(remove("org/tiny:Q5_0"), "nothing in the cache matches org/tiny:Q5_0");
  Removed removed = testing::value_of(remove("org/tiny:Q8_0"));
  EXPECT_EQ(removed.n_blobs, 2u);
  EXPECT_FALSE(fs::exists(repo_path("snapshots/" + hub_.commit() + "/Q8_0")));
  EXPECT_TRUE(resolve("org/tiny:Q2_K").has_value());
  testing::value_of(remove("org/tiny/a-Q2_K.gguf"));
  EXPECT_FALSE(fs::exists(repo_path(""))) << "the last file takes the folder with it";
}

TEST_F(CachedTest, RemoveDoesNotFollowLinks) {
  add_safetensors_model();
  testing::value_of(pull_it());
  fs::path outside = directory_.path() / "outside";
  fs::create_directories(outside);
  testing::value_of(write_file((outside / "precious").string(), "x"));
  fs::create_directory_symlink(outside, repo_path("snapshots/" + hub_.commit() + "/folder"));
  fs::create_symlink(outside / "precious", repo_path("snapshots/" + hub_.commit() + "/file"));
  fs::create_symlink(outside / "precious", repo_path("snapshots/" + hub_.commit() + "/blob"));
  testing::value_of(remove("org/tiny"));
  EXPECT_TRUE(fs::exists(outside / "precious"));
  EXPECT_FALSE(fs::exists(repo_path("")));
  // A whole model that is a link to elsewhere is not ours to remove.
  fs::create_directory_symlink(outside, fs::path(options_.cache_dir) / "models--org--tiny");
  EXPECT_ERROR(remove("org/tiny"), "not in the cache");
  EXPECT_TRUE(fs::exists(outside / "precious"));
}

TEST_F(CachedTest, RemoveWaitsForNoPull) {
  add_safetensors_model();
  hub_.set_edit([](const FakeRequest& request, FakeReply& reply) {
    if (!request.is_cdn) return;
    reply.chunk = 1'000;  // four seconds, unless it is cancelled
    reply.chunk_delay_ms = 20;
  });
  Result<PullResult> result = error("not run");
  std::thread puller([&] { result = pull_it(); });
  while (!fs::exists(weight_partial())) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_ERROR(remove("org/tiny"), "a pull of it is under way");
  cancel_ = true;
  puller.join();
  EXPECT_ERROR(result, "cancelled");
  EXPECT_TRUE(remove("org/tiny").has_value());
  EXPECT_FALSE(fs::exists(repo_path("")));
}

}  // namespace
}  // namespace minke::hub
