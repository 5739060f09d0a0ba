#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "hub/hub_fixture.h"
#include "hub/listing.h"
#include "hub/net/address.h"
#include "hub/net/http_client.h"
#include "hub/net/outbound_log.h"
#include "hub/net/retry.h"
#include "hub/net/url.h"

namespace minke::hub {
namespace {

AddressKind kind_of_ipv6(const char* text) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  EXPECT_EQ(inet_pton(AF_INET6, text, &address.sin6_addr), 1) << text;
  return kind_of_address(reinterpret_cast<const sockaddr&>(address));
}

TEST(Address, Kinds) {
  using enum AddressKind;
  for (auto [text, kind] : {std::pair{"127.0.0.1", kLoopback},
                            {"127.255.0.1", kLoopback},
                            {"0.0.0.0", kLoopback},
                            {"10.1.2.3", kPrivate},
                            {"172.16.0.1", kPrivate},
                            {"172.32.0.1", kPublic},
                            {"192.168.1.1", kPrivate},
                            {"100.64.0.1", kPrivate},
                            {"169.254.169.254", kLinkLocal},
                            {"8.8.8.8", kPublic},
                            {"224.0.0.1", kSpecial},
                            {"255.255.255.255", kSpecial}}) {
    EXPECT_EQ(kind_of_host(text), kind) << text;
    EXPECT_EQ(kind_of_ipv6((std::string("::ffff:") + text).c_str()), kind) << text;
    EXPECT_EQ(kind_of_ipv6((std::string("64:ff9b::") + text).c_str()), kind) << text;
  }
  EXPECT_EQ(kind_of_ipv6("::1"), kLoopback);
  EXPECT_EQ(kind_of_ipv6("::"), kLoopback);
  EXPECT_EQ(kind_of_ipv6("fe80::1"), kLinkLocal);
  EXPECT_EQ(kind_of_ipv6("fd00::1"), kPrivate);
  EXPECT_EQ(kind_of_ipv6("2002:7f00:1::"), kLoopback);  // 6to4 of 127.0.0.1
  EXPECT_EQ(kind_of_ipv6("2606:4700::1"), kPublic);
  EXPECT_EQ(kind_of_host("localhost"), kLoopback);
  EXPECT_EQ(kind_of_host("a.localhost."), kLoopback);
  EXPECT_EQ(kind_of_host("[::1]"), kLoopback);
  EXPECT_EQ(kind_of_host("huggingface.co"), std::nullopt);
}

TEST(Address, RedirectsLeadOutwardsOnly) {
  using enum AddressKind;
  EXPECT_TRUE(redirect_allowed(kPrivate, kPublic));
  EXPECT_TRUE(redirect_allowed(kPrivate, kPrivate));
  for (AddressKind inner : {kPrivate, kLinkLocal, kLoopback, kSpecial}) EXPECT_FALSE(redirect_allowed(kPublic, inner));
  EXPECT_FALSE(redirect_allowed(kPrivate, kLoopback));
  EXPECT_FALSE(redirect_allowed(kLoopback, kLinkLocal));
}

TEST(Url, OneParserNormalises) {
  Url url = testing::value_of(parse_url("HTTPS://HuggingFace.co/a/../b?x=secret"));
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.host, "huggingface.co");
  EXPECT_EQ(url.port, 443);
  EXPECT_EQ(url.path, "/b");
  EXPECT_EQ(testing::value_of(parse_url("http://0x7f.1/")).host, "127.0.0.1");
  EXPECT_TRUE(url.same_origin(testing::value_of(parse_url("https://huggingface.co:443/other"))));
  EXPECT_FALSE(url.same_origin(testing::value_of(parse_url("https://huggingface.co:8443/"))));
  EXPECT_FALSE(url.same_origin(testing::value_of(parse_url("https://huggingface.co.evil.example/"))));
}

TEST(Url, RefusesOtherSchemesAndUsers) {
  for (const char* text : {"file:///etc/passwd", "ftp://x/", "gopher://x/", "huggingface.co", "", "https://",
                           "https://user:pw@host/", "https://host\r\nX: y/", "javascript:1"}) {
    EXPECT_FALSE(parse_url(text).has_value()) << text;
  }
  auto refused = parse_url("https://user:pw@host/?signature=secret");
  EXPECT_EQ(refused.error().message.find("secret"), std::string::npos);
}

TEST(Url, Redirects) {
  Url from = testing::value_of(parse_url("https://hub.example/a/b"));
  EXPECT_EQ(testing::value_of(resolve_redirect(from, "/c?d")).text, "https://hub.example/c?d");
  EXPECT_EQ(testing::value_of(resolve_redirect(from, "//cdn.example/x")).text, "https://cdn.example/x");
  EXPECT_ERROR(resolve_redirect(from, "http://hub.example/c"), "from https to plain http");
  EXPECT_ERROR(resolve_redirect(from, "file:///etc/passwd"), "expected an http or https address");
  EXPECT_ERROR(resolve_redirect(from, ""), "without a location");
}

TEST(Url, PercentEncoding) {
  EXPECT_EQ(percent_encode("a b/모?#%", Slash::kKeep), "a%20b/%EB%AA%A8%3F%23%25");
  EXPECT_EQ(percent_encode("refs/pr/1", Slash::kEncode), "refs%2Fpr%2F1");
}

TEST(NextLink, FindsRelNext) {
  EXPECT_EQ(next_link("<https://a/1>; rel=\"prev\", <https://a/2?x=1,2>; rel=\"next\""), "https://a/2?x=1,2");
  EXPECT_EQ(next_link("<https://a/2>; REL=next"), "https://a/2");
  for (const char* none : {"", "<", "<a", "<a>; rel=\"last\"", "rel=\"next\""}) EXPECT_EQ(next_link(none), "") << none;
}

// The check at the socket holds whatever the name in the address was.
TEST_F(HubTest, SocketToARefusedAddressIsNotMade) {
  Cancel cancel(cancel_);
  HttpClient client(options_, cancel);
  HttpRequest request;
  request.url = testing::value_of(parse_url(hub_.endpoint() + "/api/models/org/tiny/revision/main"));
  request.may_connect = [](AddressKind kind) { return kind != AddressKind::kLoopback; };
  request.on_reply = [](const HttpReply&) { return Attempt<void>(); };
  request.on_body = [](std::span<const std::byte>) { return Attempt<void>(); };
  auto reply = client.get(request);
  ASSERT_FALSE(reply.has_value());
  EXPECT_NE(reply.error().message.find("127.0.0.1 (loopback)"), std::string::npos) << reply.error().message;
  EXPECT_EQ(hub_.n_connections(), 0u);
}

TEST(Retry, IsBoundedAndCancelled) {
  RetryPolicy policy;
  policy.max_retries = 2;
  policy.first_wait_s = 0;
  std::atomic<bool> user{false};
  Cancel cancel(user);
  int n_notes = 0;
  Retry retry(policy, cancel, [&](const std::string&) { n_notes++; });
  Failure failure{Failure::Kind::kTransient, "busy", 0};
  EXPECT_TRUE(retry.wait(failure).has_value());
  EXPECT_TRUE(retry.wait(failure).has_value());
  EXPECT_ERROR(retry.wait(failure), "given up after 3 tries");
  retry.reset();
  EXPECT_TRUE(retry.wait(failure).has_value());
  EXPECT_EQ(n_notes, 3);
  failure.retry_after_s = 1e6;
  EXPECT_ERROR(retry.wait(failure), "asks to wait 1000000 s");
  user = true;
  failure.retry_after_s = 100;
  EXPECT_ERROR(retry.wait(failure), "cancelled");
}

TEST(OutboundLog, TwoLinesPerRequestAndAReader) {
  testing::TemporaryDirectory directory;
  std::string path = directory.file("state/minke/outbound.jsonl");
  EXPECT_TRUE(testing::value_of(read_outbound_log(path)).empty());
  {
    OutboundFile log = testing::value_of(OutboundFile::open(path));
    std::string id = testing::value_of(log.begin({"GET", "hub:443", "/a", "list"}));
    testing::value_of(log.end(id, {200, 10, 20, ""}));
    testing::value_of(log.begin({"GET", "hub:443", "/b", "killed"}));
  }
  std::string text = testing::value_of(read_file(path, 10'000));
  testing::value_of(write_file(path, text + "{\"cut"));
  std::vector<OutboundRecord> records = testing::value_of(read_outbound_log(path));
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].request.path, "/a");
  EXPECT_EQ(records[0].request.purpose, "list");
  EXPECT_EQ(records[0].outcome->status, 200);
  EXPECT_EQ(records[0].outcome->received_bytes, 20u);
  EXPECT_EQ(records[0].time.size(), std::string("2025-01-01T00:00:00.000Z").size());
  EXPECT_FALSE(records[1].outcome.has_value()) << "begun and never ended";
  auto mode = std::filesystem::status(directory.file("state/minke")).permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_all);
}

}  // namespace
}  // namespace minke::hub
