// Downloads that stop: cut, stalled, cancelled, killed, out of space; and servers that are wrong about ranges.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/file.h"
#include "hub/hub_fixture.h"
#include "hub/net/outbound_log.h"

namespace minke::hub {
namespace {

namespace fs = std::filesystem;
using testing::FakeReply;
using testing::FakeRequest;

constexpr size_t kCut = 60'000;

TEST_F(HubTest, CutConnectionIsResumedWhereItStopped) {
  add_safetensors_model();
  hub_.set_edit([](const FakeRequest& request, FakeReply& reply) {
    if (request.is_cdn && request.n_before == 0) reply.cut_after = kCut;
  });
  PullResult result = testing::value_of(pull_it());
  std::vector<FakeRequest> requests = weight_requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].header("range"), "");
  EXPECT_EQ(requests[1].header("range"), "bytes=60000-");
  EXPECT_EQ(requests[1].header("if-range"), "\"cdn-" + hub_.hash_of("model.safetensors").substr(0, 8) + "\"");
  EXPECT_EQ(result.downloaded_bytes, hub_.n_body_bytes());
  EXPECT_EQ(hub_.n_body_bytes(), kWeightBytes + kConfigBytes + kTokenizerBytes) << "no byte twice";
  expect_whole_model();
}

TEST_F(HubTest, PartialFileOfAnEarlierRunIsResumed) {
  add_safetensors_model();
  write_partial(std::string_view(weights_).substr(0, kCut));
  PullResult result = testing::value_of(pull_it());
  ASSERT_EQ(weight_requests().size(), 1u);
  EXPECT_EQ(weight_requests()[0].header("range"), "bytes=60000-");
  EXPECT_EQ(result.reused_bytes, kCut);
  expect_whole_model();
}

TEST_F(HubTest, WholePartialFileNeedsNoRequest) {
  add_safetensors_model();
  write_partial(weights_);
  testing::value_of(pull_it());
  EXPECT_TRUE(weight_requests().empty()) << "a range from the end would be answered with 416 for ever";
  expect_whole_model();
}

TEST_F(HubTest, WrongPartialFilesAreDropped) {
  add_safetensors_model();
  for (const std::string& partial : {weights_ + "more", std::string(weights_.size(), 'x'), std::string(kCut, 'x')}) {
    fs::remove_all(options_.cache_dir);
    write_partial(partial);
    ASSERT_TRUE(pull_it().has_value()) << partial.size();
    expect_whole_model();
  }
}

TEST_F(HubTest, CutsAreBounded) {
  add_safetensors_model();
  hub_.set_edit([](const FakeRequest& request, FakeReply& reply) {
    if (request.is_cdn) reply.cut_after = 100;
  });
  EXPECT_ERROR(pull_it(), "given up after 4 tries");
  EXPECT_EQ(weight_requests().size(), 4u);
  EXPECT_EQ(fs::file_size(weight_partial()), 400u) << "what has arrived is kept";
  EXPECT_FALSE(fs::exists(weight_blob()));
  EXPECT_FALSE(fs::is_symlink(weight_link()));
  EXPECT_FALSE(fs::exists(repo_path("refs/main"))) << "the ref moves when the model is whole";
}

TEST_F(HubTest, ProgressStartsTheCountOfTriesAgain) {
  add_safetensors_model();
  options_.retry.progress_bytes = 20'000;
  hub_.set_edit([](const FakeRequest& request, FakeReply& reply) {
    if (request.is_cdn) reply.cut_after = 20'000;  // ten cuts, three retries
  });
  testing::value_of(pull_it());
  EXPECT_EQ(weight_requests().size(), 10u);
  expect_whole_model();
}

TEST_F(HubTest, ServerWithoutRangesThatAlwaysCutsIsBounded) {
  add_safetensors_model();
  options_.retry.progress_bytes = 20'000;
  hub_.set_edit([&](const FakeRequest& request, FakeReply& reply) {
    if (!request.is_cdn) return;
    reply.status = 200;
    reply.body = weights_;
    reply.cut_after = 50'000;
  });
  EXPECT_ERROR(pull_it(), "given up");
  EXPECT_LE(weight_requests().size(), 6u) << "beginning again and again is no progress";
}

TEST_F(HubTest, ServerThatIgnoresTheRange) {
  add_safetensors_model();
  write_partial(std::string_view(weights_).substr(0, kCut));
  hub_.set_edit([&](const FakeRequest& request, FakeReply& reply) {
    if (!request.is_cdn) return;
    reply.status = 200;
    reply.erase("content-range");
    reply.body = weights_;
  });
  PullResult result = testing::value_of(pull_it());
  EXPECT_EQ(result.reused_bytes, 0u);
  EXPECT_EQ(weight_requests().size(), 1u);
  expect_whole_model();
}

// 206 with other bytes than asked: seen in the header, or only by the hash.
TEST_F(HubTest, ServerThatLiesAboutRanges) {
  add_safetensors_model();
  std::string size = std::to_string(weights_.size());
  std::string last = std::to_string(weights_.size() - 1);
  for (const std::string& lie :
       {"bytes 59999-" + last + "/" + size, "bytes 60000-" + last + "/999999", "bytes 60000-" + size + "/" + size,
        std::string("bytes 60000-5/9"), std::string("nonsense"), std::string(""), "bytes 60000-" + last + "/" + size}) {
    fs::remove_all(options_.cache_dir);
    write_partial(std::string_view(weights_).substr(0, kCut));
    hub_.set_edit([&](const FakeRequest& request, FakeReply& reply) {
      if (!request.is_cdn || reply.status != 206) return;
      reply.set("content-range", lie);
      std::rotate(reply.body.begin(), reply.body.begin() + 1, reply.body.end());
    });
    size_t n_before = weight_requests().size();
    notes_.notes.clear();
    ASSERT_TRUE(pull_it().has_value()) << lie;
    bool is_seen_at_once = lie != "bytes 60000-" + last + "/" + size;
    EXPECT_TRUE(notes_.has_note(is_seen_at_once ? "the server sends" : "damaged")) << lie;
    ASSERT_EQ(weight_requests().size(), n_before + 2) << lie;
    EXPECT_EQ(weight_requests().back().header("range"), "") << "from the first byte the second time";
    expect_whole_model();
  }
}

TEST_F(HubTest, RangeNotAskedFor) {
  add_safetensors_model();
  hub_.set_edit([&](const FakeRequest& request, FakeReply& reply) {
    if (!request.is_cdn) return;
    reply.status = 206;
    reply.set("content-range", "bytes 5-199999/200000");
    reply.body = weights_.substr(5);
  });
  EXPECT_ERROR(pull_it(), "the server sends \"bytes 5-199999/200000\"");
  EXPECT_FALSE(fs::exists(weight_partial()));
}

TEST_F(HubTest, RangeRefused) {
  add_safetensors_model();
  write_partial(std::string_view(weights_).substr(0, kCut));
  hub_.set_edit([](const FakeRequest& request, FakeReply& reply) {
    if (request.is_cdn && !request.header("range").empty()) reply = FakeReply{.status = 416, .headers = {}, .body = {}};
  });
  testing::value_of(pull_it());
  EXPECT_EQ(weight_requests().size(), 2u);
  expect_whole_model();
}

TEST_F(HubTest, StalledConnectionIsCutAndResumed) {
  add_safetensors_model();
  options_.timeouts.stall_s = 1;
  options_.timeouts.min_bytes_per_s = 10'000;
  hub_.set_edit([](const FakeRequest& request, FakeReply& reply) {
    if (!request.is_cdn || request.n_before > 0) return;
    reply.chunk = 10;  // a slow drip: never silent, never done
    reply.chunk_delay_ms = 50;
  });
  testing::value_of(pull_it());
  ASSERT_EQ(weight_requests().size(), 2u);
  EXPECT_TRUE(weight_requests()[1].header("range").starts_with("bytes="));
  EXPECT_TRUE(notes_.has_note("too slow")) << "the reason is told";
  expect_whole_model();
}

TEST_F(HubTest, CancelKeepsWhatHasArrived) {
  add_safetensors_model();
  hub_.set_edit([](const FakeRequest& request, FakeReply& reply) {
    if (!request.is_cdn || request.n_before > 0) return;
    reply.chunk = 5'000;
    reply.chunk_delay_ms = 20;
  });
  std::thread user([&] {
    while (!fs::exists(weight_partial()) || fs::file_size(weight_partial()) < 50'000)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    cancel_ = true;
  });
  EXPECT_ERROR(pull_it(), "cancelled");
  user.join();
  size_t n_kept = fs::file_size(weight_partial());
  EXPECT_GE(n_kept, 50'000u);
  EXPECT_FALSE(fs::exists(weight_blob()));
  cancel_ = false;
  EXPECT_EQ(testing::value_of(pull_it()).reused_bytes, n_kept + kConfigBytes);
  expect_whole_model();
}

// Runs a pull in a child process; one connection, so that the child makes no threads.
template <typename Function>
pid_t in_child(Function function) {
  pid_t child = ::fork();
  if (child == 0) {
    function();
    ::_exit(0);
  }
  return child;
}

TEST_F(HubTest, KilledProcessResumes) {
  add_safetensors_model();
  hub_.set_edit([](const FakeRequest& request, FakeReply& reply) {
    if (!request.is_cdn || request.n_before > 0) return;
    reply.chunk = 5'000;
    reply.chunk_delay_ms = 20;
  });
  pid_t child = in_child([&] { (void)pull_it(); });
  ASSERT_GT(child, 0);
  while (!fs::exists(weight_partial()) || fs::file_size(weight_partial()) < 50'000)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_FALSE(fs::exists(weight_blob()));
  EXPECT_FALSE(fs::is_symlink(weight_link()));
  size_t n_kept = fs::file_size(weight_partial());
  std::vector<OutboundRecord> records = testing::value_of(read_outbound_log(options_.outbound_log));
  EXPECT_FALSE(records.back().outcome.has_value()) << "the ledger has the request that was cut short";

  EXPECT_EQ(testing::value_of(pull_it()).reused_bytes, n_kept + kConfigBytes);
  EXPECT_EQ(weight_requests().back().header("range"), "bytes=" + std::to_string(n_kept) + "-");
  expect_whole_model();
}

// A full disk cannot be had without mounting one. RLIMIT_FSIZE stands in: write() fails in the middle with EFBIG, on the
// same path as ENOSPC.
TEST_F(HubTest, FullDiskInTheMiddle) {
  add_safetensors_model();
  std::string message_path = directory_.file("message");
  pid_t child = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto result = pull_it();
    (void)write_file(message_path, result ? "no error" : result.error().message);
  });
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  std::string message = testing::value_of(read_file(message_path, 10'000));
  EXPECT_NE(message.find("cannot write model.safetensors after 100000 of 200000 bytes"), std::string::npos) << message;
  EXPECT_NE(message.find("will be resumed"), std::string::npos) << message;
  EXPECT_FALSE(fs::exists(weight_blob()));
  EXPECT_EQ(fs::file_size(weight_partial()), 100'000u);
  EXPECT_EQ(testing::value_of(pull_it()).reused_bytes, 100'000u + kConfigBytes);
  expect_whole_model();
}

}  // namespace
}  // namespace minke::hub
