// Hubs that are broken or mean harm: wrong bytes, wrong names, wrong redirects, refusals; and disks that refuse.
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "hub/hub_fixture.h"
#include "hub/net/outbound_log.h"

namespace minke::hub {
namespace {

namespace fs = std::filesystem;
using testing::FakeReply;
using testing::FakeRequest;

constexpr const char* kTree = "/tree/";

TEST_F(HubTest, WrongHashIsTriedOnceMoreAndNeverVisible) {
  add_safetensors_model();
  hub_.set_edit([](const FakeRequest& request, FakeReply& reply) {
    if (request.is_cdn) reply.body[100] ^= 1;
  });
  EXPECT_ERROR(pull_it(), "damaged: expected SHA-256 " + hub_.hash_of("model.safetensors"));
  EXPECT_EQ(weight_requests().size(), 2u);
  EXPECT_FALSE(fs::exists(weight_blob()));
  EXPECT_FALSE(fs::exists(weight_partial()));
  EXPECT_FALSE(fs::is_symlink(weight_link()));
  hub_.set_edit([](const FakeRequest& request, FakeReply& reply) {
    if (request.is_cdn && request.n_before == 2) reply.body[100] ^= 1;
  });
  testing::value_of(pull_it());
  EXPECT_TRUE(notes_.has_note("starts again"));
  expect_whole_model();
}

TEST_F(HubTest, WrongHashOfASmallFile) {
  add_safetensors_model();
  hub_.set_edit([](const FakeRequest& request, FakeReply& reply) {
    if (request.path.ends_with("/config.json")) reply.body[5] ^= 1;
  });
  EXPECT_ERROR(pull_it(), "config.json: damaged: expected git SHA-1");
}

TEST_F(HubTest, WrongSizes) {
  add_safetensors_model();
  for (const std::string& body : {weights_ + "more", weights_.substr(1)}) {
    for (bool has_length : {true, false}) {
      hub_.set_edit([&](const FakeRequest& request, FakeReply& reply) {
        if (!request.is_cdn) return;
        reply.status = 200;
        reply.body = body;
        // Without a length the body ends with the connection.
        if (!has_length) reply.set("transfer-encoding", "identity");
      });
      auto result = pull_it();
      ASSERT_FALSE(result.has_value());
      EXPECT_FALSE(fs::exists(weight_blob())) << result.error().message;
      EXPECT_FALSE(fs::is_symlink(weight_link()));
      EXPECT_TRUE(!has_length || result.error().message.find("wrong size") != std::string::npos) << result.error().message;
      fs::remove_all(options_.cache_dir);
    }
  }
}

TEST_F(HubTest, ContentLengthLargerThanTheBody) {
  add_safetensors_model();
  hub_.set_edit([&](const FakeRequest& request, FakeReply& reply) {
    if (request.is_cdn) reply.set("content-length", std::to_string(weights_.size() + 1));
  });
  EXPECT_ERROR(pull_it(), "wrong size: expected 200000 bytes, the server sends 200001");
}

TEST_F(HubTest, ListAndFileDisagree) {
  add_safetensors_model();
  struct Case {
    const char* header;
    std::string value;
    const char* message;
  };
  for (const Case& c : {Case{"x-linked-etag", '"' + std::string(64, 'd') + '"', "disagree: hash"},
                        Case{"x-linked-size", "5", "disagree: 200000 and 5 bytes"},
                        Case{"x-repo-commit", std::string(40, 'd'), "asked for commit"}}) {
    hub_.set_edit([&](const FakeRequest& request, FakeReply& reply) {
      if (request.path.ends_with("/model.safetensors")) reply.set(c.header, c.value);
    });
    EXPECT_ERROR(pull_it(), c.message);
    EXPECT_TRUE(weight_requests().empty());
  }
}

TEST_F(HubTest, UnaskedContentEncoding) {
  add_safetensors_model();
  hub_.set_edit([](const FakeRequest& request, FakeReply& reply) {
    if (request.is_cdn) reply.set("content-encoding", "gzip");
  });
  EXPECT_ERROR(pull_it(), "content-encoding \"gzip\"");
  EXPECT_FALSE(fs::exists(weight_blob()));
}

TEST_F(HubTest, DamagedBlobInTheCache) {
  add_safetensors_model();
  testing::value_of(pull_it());
  testing::value_of(write_file(weight_blob(), "short"));
  testing::value_of(pull_it());
  expect_whole_model();
  std::string damaged = weights_;
  damaged[7] ^= 1;
  testing::value_of(write_file(weight_blob(), damaged));
  options_.verify_reused = true;
  testing::value_of(pull_it());
  EXPECT_TRUE(notes_.has_note("damaged"));
  expect_whole_model();
}

TEST_F(HubTest, RedirectLoop) {
  add_safetensors_model();
  hub_.set_edit([&](const FakeRequest& request, FakeReply& reply) {
    if (!request.is_cdn) return;
    reply = {};
    reply.status = 302;
    reply.set("location", request.path);
  });
  EXPECT_ERROR(pull_it(), "redirected more than 5 times");
  EXPECT_EQ(weight_requests().size(), 5u);
}

TEST_F(HubTest, RedirectsIntoOtherNetworks) {
  add_safetensors_model();
  for (const char* target : {"http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "http://[fe80::1]/",
                             "http://192.168.0.1/", "http://0x0a000001/", "http://[::ffff:10.0.0.1]/", "file:///etc/passwd",
                             "ftp://127.0.0.1/", "http://user:pw@127.0.0.1/", ""}) {
    hub_.set_edit([&](const FakeRequest& request, FakeReply& reply) {
      if (request.path.ends_with("/model.safetensors")) reply.set("location", target);
    });
    auto start = std::chrono::steady_clock::now();
    EXPECT_FALSE(pull_it().has_value()) << target;
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2)) << "refused, not tried: " << target;
  }
}

TEST_F(HubTest, PathsThatLeaveTheRepository) {
  for (const char* path : {"../../../../evil.safetensors", "/etc/evil.safetensors", "a/../../evil.safetensors",
                           "a\\..\\evil.safetensors", "C:evil.safetensors", "evil\n.safetensors", "evil\0.safetensors"}) {
    hub_.set_edit([&](const FakeRequest& request, FakeReply& reply) {
      if (request.path.find(kTree) == request.path.npos) return;
      reply.body =
          nlohmann::json::array({{{"type", "file"}, {"path", path}, {"size", 3}, {"oid", std::string(40, 'a')}}}).dump();
    });
    EXPECT_FALSE(pull_it().has_value()) << path;
    EXPECT_FALSE(fs::exists(options_.cache_dir)) << "nothing is written: " << path;
  }
}

TEST_F(HubTest, NamesThatWouldBecomePaths) {
  for (std::string oid :
       {std::string("../../../../../../tmp/evil"), std::string(64, 'A'), std::string(63, 'a'), std::string()}) {
    hub_.set_edit([&](const FakeRequest& request, FakeReply& reply) {
      if (request.path.find(kTree) == request.path.npos) return;
      reply.body =
          nlohmann::json::array({{{"type", "file"}, {"path", "model.safetensors"}, {"lfs", {{"oid", oid}, {"size", 3}}}}})
              .dump();
    });
    EXPECT_ERROR(pull_it(), "oid: expected 64 hex digits");
  }
  hub_.set_edit([](const FakeRequest& request, FakeReply& reply) {
    if (request.path.find("/revision/") != request.path.npos) reply.body = R"({"sha":"../../../../evil"})";
  });
  EXPECT_ERROR(pull_it(), "sha: expected 40 hex digits");
  EXPECT_FALSE(fs::exists(options_.cache_dir));
}

TEST_F(HubTest, ListsThatAreNotLists) {
  add_safetensors_model();
  std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  std::string twice = R"([{"path":"a.json","size":1,"oid":")" + std::string(40, 'a') +
                      R"("},{"path":"a.json","size":1,"oid":")" + std::string(40, 'a') + R"("}])";
  for (const std::string& body :
       {std::string("{}"), std::string("[1]"), std::string("[null]"), std::string("[{}]"), std::string("[[]]"),
        std::string("<html>"), std::string(), deep, twice, std::string(R"([{"path":"a","size":-1,"oid":"x"}])"),
        std::string(R"([{"path":"a","size":1e300,"oid":"x"}])"),
        std::string(R"([{"path":"a","size":18446744073709551615,"oid":"x"}])"), std::string(R"([{"path":7,"size":1}])"),
        std::string(R"([{"path":"a","lfs":"x"}])"), std::string(R"([{"path":"a","lfs":[],"size":1}])")}) {
    hub_.set_edit([&](const FakeRequest& request, FakeReply& reply) {
      if (request.path.find(kTree) != request.path.npos) reply.body = body;
    });
    auto result = pull_it();
    ASSERT_FALSE(result.has_value()) << body.substr(0, 80);
    EXPECT_EQ(result.error().message.find('\n'), std::string::npos);
    EXPECT_LT(result.error().message.size(), 500u);
  }
}

TEST_F(HubTest, ListWithoutEnd) {
  add_safetensors_model();
  hub_.set_edit([](const FakeRequest& request, FakeReply& reply) {
    if (request.path.find(kTree) != request.path.npos) reply.body = std::string(size_t{40} << 20, ' ');
  });
  EXPECT_ERROR(pull_it(), "the answer is longer than");
  hub_.set_edit([&](const FakeRequest& request, FakeReply& reply) {
    if (request.path.find(kTree) == request.path.npos) return;
    reply.body = "[]";
    reply.set("link", "<" + request.path + "?recursive=true>; rel=\"next\"");
  });
  EXPECT_ERROR(pull_it(), "go round in a circle");
  hub_.set_edit([&](const FakeRequest& request, FakeReply& reply) {
    if (request.path.find(kTree) != request.path.npos) reply.set("link", "<" + hub_.cdn() + "/next>; rel=\"next\"");
  });
  EXPECT_ERROR(pull_it(), "another origin");
}

TEST_F(HubTest, EndlessHeaders) {
  add_safetensors_model();
  hub_.set_edit([](const FakeRequest&, FakeReply& reply) {
    for (int i = 0; i < 3000; i++) reply.headers.emplace_back("x-" + std::to_string(i), std::string(200, 'x'));
  });
  EXPECT_ERROR(pull_it(), "bytes of headers");
}

TEST_F(HubTest, Refusals) {
  add_safetensors_model();
  struct Case {
    int status;
    const char* code;
    const char* token;
    const char* message;
  };
  for (const Case& c :
       {Case{401, "GatedRepo", "", "accept its licence on its page and set HF_TOKEN"},
        Case{403, "GatedRepo", "hf_x", "the token has no access: accept the licence"}, Case{403, "", "", "set HF_TOKEN"},
        Case{401, "RepoNotFound", "", "no such model, or a private one"}, Case{404, "", "hf_x", "check the name and HF_TOKEN"},
        Case{404, "RevisionNotFound", "", "no such revision"}, Case{410, "", "", "HTTP 410"}}) {
    hub_.set_edit([&](const FakeRequest&, FakeReply& reply) {
      reply = {};
      reply.status = c.status;
      reply.set("x-error-code", c.code);
    });
    options_.token = c.token;
    size_t n_before = hub_.requests().size();
    EXPECT_ERROR(pull_it(), c.message);
    EXPECT_EQ(hub_.requests().size(), n_before + 1) << "trying again would not help";
  }
  EXPECT_EQ(testing::value_of(read_outbound_log(options_.outbound_log)).back().outcome->status, 410);
  hub_.set_edit({});
  EXPECT_ERROR(pull_it("org/tiny/none.gguf"), "there is no file none.gguf");
  EXPECT_ERROR(pull_it("org/other"), "org/other: ");
}

TEST_F(HubTest, GatedFileBehindAnOpenList) {
  add_safetensors_model();
  hub_.set_edit([](const FakeRequest& request, FakeReply& reply) {
    if (request.path.find("/resolve/") == request.path.npos) return;
    reply = {};
    reply.status = 401;
    reply.set("x-error-code", "GatedRepo");
  });
  EXPECT_ERROR(pull_it(), "accept its licence");
}

TEST_F(HubTest, BusyServersAreTriedAgain) {
  add_safetensors_model();
  for (int status : {408, 429, 500, 502, 503, 504}) {
    fs::remove_all(options_.cache_dir);
    std::atomic<int> n_left = 2;
    hub_.set_edit([&](const FakeRequest& request, FakeReply& reply) {
      if (!request.is_file() || n_left-- <= 0) return;
      reply = {};
      reply.status = status;
    });
    ASSERT_TRUE(pull_it().has_value()) << status;
    EXPECT_TRUE(notes_.has_note("HTTP " + std::to_string(status)));
  }
  hub_.set_edit([](const FakeRequest&, FakeReply& reply) { reply.status = 503; });
  size_t n_before = hub_.requests().size();
  EXPECT_ERROR(pull_it(), "HTTP 503 (given up after 4 tries");
  EXPECT_EQ(hub_.requests().size(), n_before + 4);
}

TEST_F(HubTest, RetryAfterIsRespected) {
  add_safetensors_model();
  hub_.set_edit([](const FakeRequest& request, FakeReply& reply) {
    if (!request.is_cdn || request.n_before > 0) return;
    reply.status = 429;
    reply.set("retry-after", "1");
  });
  auto start = std::chrono::steady_clock::now();
  testing::value_of(pull_it());
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(950));
  hub_.set_edit([](const FakeRequest&, FakeReply& reply) {
    reply.status = 429;
    reply.set("retry-after", "86400");
  });
  EXPECT_ERROR(pull_it(), "asks to wait 86400 s");
}

TEST_F(HubTest, NobodyListens) {
  // A port of this machine that was free a moment ago.
  {
    testing::FakeHub gone;
    options_.endpoint = gone.endpoint();
  }
  EXPECT_ERROR(pull_it(), "given up after 4 tries");
}

TEST_F(HubTest, ModelLargerThanTheDisk) {
  add_safetensors_model();
  hub_.set_edit([&](const FakeRequest& request, FakeReply& reply) {
    if (request.path.find(kTree) == request.path.npos) return;
    nlohmann::json row = {
        {"type", "file"}, {"path", "model.safetensors"}, {"lfs", {{"oid", std::string(64, 'a')}, {"size", 1ull << 61}}}};
    reply.body = nlohmann::json::array({row}).dump();
  });
  EXPECT_ERROR(pull_it(), "make room or set HF_HUB_CACHE");
  EXPECT_EQ(hub_.requests().size(), 2u) << "said before the first byte";
}

// The tests may run as root, who may write everywhere but below a file.
TEST_F(HubTest, CacheThatCannotBeWritten) {
  add_safetensors_model();
  testing::value_of(write_file(directory_.file("file"), ""));
  options_.cache_dir = directory_.file("file") + "/cache";
  EXPECT_ERROR(pull_it(), "set HF_HUB_CACHE to a folder that you can write");
}

TEST_F(HubTest, LinksPlantedInTheCacheAreNotFollowed) {
  add_safetensors_model();
  fs::path outside = directory_.path() / "outside";
  for (const char* place : {"blobs", "snapshots", "refs", "."}) {
    fs::remove_all(options_.cache_dir);
    fs::remove_all(outside);
    fs::create_directories(outside);
    fs::path link = fs::path(repo_path(place)).lexically_normal();
    if (link.filename().empty()) link = link.parent_path();
    fs::create_directories(link.parent_path());
    fs::create_directory_symlink(outside, link);
    EXPECT_ERROR(pull_it(), "symbolic link");
    EXPECT_TRUE(fs::is_empty(outside)) << place;
  }
  fs::remove_all(options_.cache_dir);
  fs::create_directories(repo_path("blobs"));
  fs::create_symlink(outside / "target", weight_partial());
  EXPECT_FALSE(pull_it().has_value());
  EXPECT_FALSE(fs::exists(outside / "target"));
}

}  // namespace
}  // namespace minke::hub
