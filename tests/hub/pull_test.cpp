// pull() against a well-behaved hub: what is asked, what is written, who gets the token, what the ledger says.
#include "hub/pull.h"

#include <sys/stat.h>

#include <optional>
#include <set>
#include <thread>

#include "base/file.h"
#include "hub/cache/store.h"
#include "hub/hub_fixture.h"
#include "hub/names.h"
#include "hub/net/outbound_log.h"

namespace minke::hub {
namespace {

namespace fs = std::filesystem;
using testing::FakeReply;
using testing::FakeRequest;

// "path -> target" of links, "path = text" of small files, "path (n)" of other files; folders end in '/'.
std::set<std::string> tree_of(const fs::path& root) {
  std::set<std::string> rows;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    std::string path = entry.path().lexically_relative(root).string();
    if (entry.is_symlink()) {
      rows.insert(path + " -> " + fs::read_symlink(entry.path()).string());
    } else if (entry.is_directory()) {
      rows.insert(path + "/");
    } else if (entry.file_size() <= 40 && path.find("/refs/") != path.npos) {
      rows.insert(path + " = " + testing::value_of(read_file(entry.path().string(), 100)));
    } else {
      rows.insert(path + " (" + std::to_string(entry.file_size()) + ")");
    }
  }
  return rows;
}

// The layout that huggingface_hub's documentation ("Understand caching") and its scan_cache_dir() describe, to the last entry.
TEST_F(HubTest, WritesTheCacheLayoutOfHuggingFace) {
  hub_.add_file("config.json", "{}", false);
  hub_.add_file("a/b/model.gguf", noise(1000, 1), true);
  options_.include = {"*"};
  PullResult result = testing::value_of(pull_it());
  std::string small = hub_.hash_of("config.json");
  std::string large = hub_.hash_of("a/b/model.gguf");
  EXPECT_EQ(small, "9e26dfeeb6e641a33dae4961196235bdb965b21b") << "git hash-object of {}";
  EXPECT_EQ(large.size(), 64u);
  const std::string kRepo = "models--org--tiny";
  const std::string kSnapshot = kRepo + "/snapshots/" + hub_.commit();
  EXPECT_EQ(tree_of(options_.cache_dir), (std::set<std::string>{
                                             ".locks/",
                                             ".locks/" + kRepo + "/",
                                             ".locks/" + kRepo + "/" + kRepoLockName + " (0)",
                                             ".locks/" + kRepo + "/" + small + ".lock (0)",
                                             ".locks/" + kRepo + "/" + large + ".lock (0)",
                                             kRepo + "/",
                                             kRepo + "/blobs/",
                                             kRepo + "/blobs/" + small + " (2)",
                                             kRepo + "/blobs/" + large + " (1000)",
                                             kRepo + "/refs/",
                                             kRepo + "/refs/main = " + hub_.commit(),
                                             kRepo + "/snapshots/",
                                             kSnapshot + "/",
                                             kSnapshot + "/a/",
                                             kSnapshot + "/a/b/",
                                             kSnapshot + "/a/b/model.gguf -> ../../../../blobs/" + large,
                                             kSnapshot + "/config.json -> ../../blobs/" + small,
                                         }));
  EXPECT_EQ(result.path, options_.cache_dir + "/" + kSnapshot);
  EXPECT_EQ(result.commit, hub_.commit());
  EXPECT_EQ(testing::value_of(read_file(result.path + "/a/b/model.gguf", 10'000)), noise(1000, 1)) << "through the link";
}

TEST_F(HubTest, SecondPullTransfersNoFile) {
  add_safetensors_model();
  PullResult first = testing::value_of(pull_it());
  EXPECT_EQ(first.files.size(), 3u);
  EXPECT_EQ(first.reused_bytes, 0u);
  EXPECT_EQ(first.downloaded_bytes, hub_.n_body_bytes());
  size_t n_before = hub_.n_body_bytes();
  PullResult second = testing::value_of(pull_it());
  EXPECT_EQ(hub_.n_body_bytes(), n_before);
  EXPECT_EQ(second.downloaded_bytes, 0u);
  EXPECT_EQ(second.reused_bytes, first.downloaded_bytes);
  for (const PulledFile& file : second.files) EXPECT_TRUE(file.was_present) << file.path;
  expect_whole_model();
}

TEST_F(HubTest, NewCommitSharesBlobsAndMovesTheRef) {
  add_safetensors_model();
  std::string old_commit = hub_.commit();
  testing::value_of(pull_it());
  hub_.set_commit(std::string(40, 'c'));
  hub_.add_file("config.json", R"({"model_type":"deepseek_v2"})", false);
  size_t n_before = hub_.n_body_bytes();
  testing::value_of(pull_it());
  EXPECT_EQ(hub_.n_body_bytes() - n_before, kConfigBytes) << "the weights are the same blob";
  EXPECT_EQ(testing::value_of(read_file(repo_path("refs/main"), 100)), hub_.commit());
  EXPECT_TRUE(fs::exists(repo_path("snapshots/" + old_commit + "/config.json")));
  expect_whole_model();
}

TEST_F(HubTest, RevisionByNameAndByCommit) {
  add_safetensors_model();
  testing::value_of(pull_it("org/tiny@v1"));
  EXPECT_EQ(testing::value_of(read_file(repo_path("refs/v1"), 100)), hub_.commit());
  EXPECT_FALSE(fs::exists(repo_path("refs/main")));
  size_t n_before = hub_.requests().size();
  testing::value_of(pull_it("org/tiny@" + hub_.commit()));
  EXPECT_EQ(hub_.requests().size(), n_before + 1) << "the file list only: a commit needs no look-up";
  EXPECT_FALSE(fs::exists(repo_path("refs/" + hub_.commit())));
}

TEST_F(HubTest, PagesOfTheFileListAreJoined) {
  add_safetensors_model();
  hub_.set_page_size(1);
  EXPECT_EQ(testing::value_of(pull_it()).files.size(), 3u);
}

TEST_F(HubTest, MultiPartGguf) {
  for (int part = 1; part <= 3; part++) {
    hub_.add_file(fmt::format("Q4_K_M/tiny-Q4_K_M-{:05}-of-00003.gguf", part), noise(500, static_cast<uint32_t>(part)), true);
  }
  hub_.add_file("tiny-Q8_0.gguf", noise(900, 9), true);
  options_.n_connections = 3;
  PullResult result = testing::value_of(pull_it("org/tiny:q4_k_m"));
  EXPECT_EQ(result.files.size(), 3u);
  EXPECT_EQ(result.downloaded_bytes, 1500u);
  std::string path = testing::value_of(resolve_cached(testing::value_of(parse_reference("org/tiny:Q4_K_M")), options_));
  EXPECT_EQ(path, result.path + "/Q4_K_M/tiny-Q4_K_M-00001-of-00003.gguf");
  EXPECT_ERROR(pull_it("org/tiny:Q2_K"), "choose one of");
}

TEST_F(HubTest, EmptyFileAndEqualFiles) {
  hub_.add_file("model.safetensors", noise(3000, 1), true);
  hub_.add_file("model-copy.safetensors", noise(3000, 1), true);
  hub_.add_file("tokenizer.json", "", false);
  options_.n_connections = 4;
  PullResult result = testing::value_of(pull_it());
  EXPECT_EQ(result.files.size(), 3u);
  EXPECT_EQ(hub_.n_body_bytes(), 3000u) << "one blob, downloaded once";
  EXPECT_EQ(fs::file_size(result.path + "/tokenizer.json"), 0u);
}

TEST_F(HubTest, TokenStaysAtItsOrigin) {
  add_safetensors_model();
  options_.token = "hf_secret";
  testing::value_of(pull_it());
  size_t n_at_cdn = 0;
  for (const FakeRequest& request : hub_.requests()) {
    EXPECT_EQ(request.header("authorization"), request.is_cdn ? "" : "Bearer hf_secret") << request.path;
    EXPECT_EQ(request.header("user-agent"), "minke/0.1.0");
    EXPECT_EQ(request.header("accept-encoding"), "identity");
    EXPECT_EQ(request.header("cookie"), "");
    n_at_cdn += request.is_cdn ? 1 : 0;
  }
  EXPECT_EQ(n_at_cdn, 1u);
}

TEST_F(HubTest, TokenDoesNotComeBackAfterADetour) {
  add_safetensors_model();
  options_.token = "hf_secret";
  hub_.set_edit([&](const FakeRequest& request, FakeReply& reply) {
    if (!request.is_cdn) return;
    reply = {};
    reply.status = 302;  // the other origin sends us back to the hub
    reply.set("location", hub_.endpoint() + "/back");
  });
  EXPECT_FALSE(pull_it().has_value());
  bool has_come_back = false;
  for (const FakeRequest& request : hub_.requests()) {
    if (request.path != "/back") continue;
    has_come_back = true;
    EXPECT_EQ(request.header("authorization"), "");
  }
  EXPECT_TRUE(has_come_back);
}

TEST_F(HubTest, RedirectInsideTheOriginKeepsTheToken) {
  add_safetensors_model();
  options_.token = "hf_secret";
  hub_.set_edit([&](const FakeRequest& request, FakeReply& reply) {
    if (request.path != "/api/models/org/tiny/revision/main" || !request.query.empty()) return;
    reply.status = 307;
    reply.set("location", "/api/models/org/tiny/revision/main?moved");
  });
  testing::value_of(pull_it());
  EXPECT_EQ(hub_.requests().at(1).query, "moved");
  EXPECT_EQ(hub_.requests().at(1).header("authorization"), "Bearer hf_secret");
}

// The fake hub serves as an HTTP proxy here, so that the endpoint can have a name that is not of this machine.
TEST_F(HubTest, TokenIsNotSentOverPlainHttpToAnotherMachine) {
  add_safetensors_model();
  options_.token = "hf_secret";
  options_.endpoint = "http://mirror.example";
  options_.proxies.http = hub_.endpoint();
  EXPECT_ERROR(pull_it(), "127.0.0.1 (loopback)");  // and a mirror out there may not redirect to this machine
  ASSERT_GE(hub_.requests().size(), 3u);
  for (const FakeRequest& request : hub_.requests()) {
    EXPECT_EQ(request.host, "mirror.example");
    EXPECT_EQ(request.header("authorization"), "");
  }
}

// Behind a proxy the socket does not show where a request goes; the address itself is checked.
TEST_F(HubTest, RedirectsBehindAProxyAreChecked) {
  add_safetensors_model();
  options_.endpoint = "http://mirror.example";
  options_.proxies.http = hub_.endpoint();
  hub_.set_edit([](const FakeRequest& request, FakeReply& reply) {
    if (request.path.ends_with("/model.safetensors")) reply.set("location", "http://169.254.169.254/latest/meta-data");
  });
  EXPECT_ERROR(pull_it(), "169.254.169.254 (link-local)");
  for (const FakeRequest& request : hub_.requests()) EXPECT_EQ(request.host, "mirror.example");
}

TEST_F(HubTest, WhatIsMeantForThisMachineTakesNoProxy) {
  add_safetensors_model();
  options_.proxies.http = "http://127.0.0.1:1";
  testing::value_of(pull_it());
  expect_whole_model();
}

TEST_F(HubTest, OutboundLedgerHasEveryRequest) {
  add_safetensors_model();
  testing::value_of(pull_it());
  std::vector<OutboundRecord> records = testing::value_of(read_outbound_log(options_.outbound_log));
  std::vector<FakeRequest> requests = hub_.requests();
  ASSERT_EQ(records.size(), requests.size());
  for (size_t i = 0; i < records.size(); i++) {
    EXPECT_EQ("http://" + records[i].request.host, requests[i].is_cdn ? hub_.cdn() : hub_.endpoint());
    EXPECT_EQ(records[i].request.path, requests[i].path);
    EXPECT_EQ(records[i].request.method, requests[i].method);
    EXPECT_NE(records[i].request.purpose.find("org/tiny"), std::string::npos);
    ASSERT_TRUE(records[i].outcome.has_value());
    EXPECT_GT(records[i].outcome->sent_bytes, 0u);
  }
  std::string text = testing::value_of(read_file(options_.outbound_log, 1 << 20));
  EXPECT_EQ(text.find("secret"), std::string::npos) << "signatures of addresses are not kept";
  EXPECT_GE(records.back().outcome->received_bytes, weights_.size() / 1000);
}

TEST_F(HubTest, WithoutALedgerNothingIsSent) {
  add_safetensors_model();
  testing::value_of(write_file(directory_.file("file"), ""));
  options_.outbound_log = directory_.file("file") + "/outbound.jsonl";
  EXPECT_ERROR(pull_it(), "nothing is sent without it");
  EXPECT_EQ(hub_.n_connections(), 0u);
}

TEST_F(HubTest, OfflineMakesNoConnection) {
  add_safetensors_model();
  options_.offline = true;
  EXPECT_ERROR(pull_it(), "HF_HUB_OFFLINE");
  EXPECT_EQ(hub_.n_connections(), 0u);
  options_.offline = false;
  PullResult online = testing::value_of(pull_it());
  size_t n_before = hub_.n_connections();
  options_.offline = true;
  PullResult offline = testing::value_of(pull_it());
  EXPECT_EQ(offline.path, online.path);
  EXPECT_EQ(offline.reused_bytes, online.downloaded_bytes);
  fs::remove(weight_blob());
  EXPECT_ERROR(pull_it(), "model.safetensors");
  EXPECT_EQ(hub_.n_connections(), n_before);
  EXPECT_EQ(testing::value_of(read_outbound_log(options_.outbound_log)).size(), n_before);
}

TEST_F(HubTest, ProgressAddsUp) {
  add_safetensors_model();
  options_.n_connections = 3;
  PullResult result = testing::value_of(pull_it());
  ASSERT_FALSE(notes_.progress.empty());
  uint64_t last = 0;
  for (const Progress& progress : notes_.progress) {
    EXPECT_GE(progress.done, last);
    EXPECT_LE(progress.file_done, progress.file_total);
    EXPECT_EQ(progress.total, result.downloaded_bytes);
    last = progress.done;
  }
  EXPECT_EQ(last, result.downloaded_bytes);
  EXPECT_TRUE(notes_.notes.empty());
}

TEST_F(HubTest, LocalFolder) {
  add_safetensors_model();
  options_.local_dir = directory_.file("folder");
  PullResult result = testing::value_of(pull_it());
  EXPECT_EQ(result.path, options_.local_dir);
  EXPECT_EQ(testing::value_of(read_file(options_.local_dir + "/model.safetensors", 1 << 20)), weights_);
  EXPECT_FALSE(fs::exists(options_.cache_dir));
  std::string metadata =
      testing::value_of(read_file(options_.local_dir + "/.cache/huggingface/download/config.json.metadata", 1000));
  EXPECT_TRUE(metadata.starts_with(hub_.commit() + "\n" + hub_.hash_of("config.json") + "\n")) << metadata;
  size_t n_before = hub_.n_body_bytes();
  testing::value_of(write_file(options_.local_dir + "/config.json", R"({"model_type":"deepseek_vX"})"));  // same length
  EXPECT_EQ(testing::value_of(pull_it()).downloaded_bytes, kConfigBytes);
  EXPECT_EQ(testing::value_of(read_file(options_.local_dir + "/config.json", 100)), R"({"model_type":"deepseek_v3"})");
  EXPECT_EQ(hub_.n_body_bytes() - n_before, kConfigBytes);
}

TEST_F(HubTest, TwoPullsAtOnceDownloadOnce) {
  add_safetensors_model();
  hub_.set_edit([](const FakeRequest& request, FakeReply& reply) {
    if (!request.is_cdn) return;
    reply.chunk = kWeightBytes / 10;
    reply.chunk_delay_ms = 20;
  });
  Notes other_notes;
  Result<PullResult> other = error("not run");
  std::thread thread([&] { other = pull(testing::value_of(parse_reference("org/tiny")), options_, other_notes, cancel_); });
  Result<PullResult> mine = pull_it();
  thread.join();
  EXPECT_TRUE(mine.has_value());
  EXPECT_TRUE(other.has_value());
  EXPECT_EQ(weight_requests().size(), 1u);
  expect_whole_model();
}

// Gives a lock back when it hears that someone waits for it.
class Unlocker : public ProgressSink {
 public:
  explicit Unlocker(FileLock lock) : lock_(std::move(lock)) {}
  void on_note(const std::string& text) override {
    has_waited = has_waited || text.find("another download of it is under way; waiting") != text.npos;
    lock_.reset();
  }
  bool has_waited = false;

 private:
  std::optional<FileLock> lock_;
};

TEST_F(HubTest, LockOfAnotherProcessIsWaitedFor) {
  add_safetensors_model();
  Directory locks = testing::value_of(open_lock_directory(options_.cache_dir, "org/tiny"));
  auto lock =
      testing::value_of(FileLock::try_acquire(locks, hub_.hash_of("model.safetensors") + ".lock", FileLock::Mode::kExclusive));
  ASSERT_TRUE(lock.has_value());
  Unlocker sink(std::move(*lock));
  testing::value_of(pull(testing::value_of(parse_reference("org/tiny")), options_, sink, cancel_));
  EXPECT_TRUE(sink.has_waited);
  expect_whole_model();
}

}  // namespace
}  // namespace minke::hub
