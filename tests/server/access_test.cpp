// Who gets in: keys on every route, hosts, origins, the page's header, limits.
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "server/access/gate.h"
#include "server/app_harness.h"
#include "support/support.h"

namespace minke::testing {
namespace {

constexpr const char* kKey = "sk-0123456789abcdef";
constexpr const char* kOther = "sk-fedcba9876543210";

Script hello_script(const ChatRequest&, int) { return {.tokens = words("hello")}; }

GateOptions with_keys() {
  GateOptions gate;
  gate.keys = {{"alice", kKey}, {"bob", kOther}};
  return gate;
}

std::string path_of(std::string_view pattern) {
  std::string out(pattern);
  for (size_t brace = out.find('{'); brace != std::string::npos; brace = out.find('{'))
    out.replace(brace, out.find('}') - brace + 1, "some");
  return out;
}

TEST(Access, EveryRouteWantsAKeyInEveryForm) {
  Harness harness(hello_script, {}, with_keys());
  std::vector<std::string> open;
  for (const Route& route : harness.app->routes()) {
    const std::string method(route.method), path = path_of(route.pattern);
    SCOPED_TRACE(method + " " + path);
    if (route.access == Access::kOpen) {
      open.push_back(path);
      EXPECT_EQ(harness.call(method, path).status, 200);
      continue;
    }
    const std::vector<Headers> wrong = {
        {},
        {{"authorization", "Bearer"}},
        {{"authorization", "Bearer "}},
        {{"authorization", "Bearer sk-0123456789abcdeF"}},
        {{"authorization", std::string("Basic ") + kKey}},
        {{"authorization", kKey}},
        {{"x-api-key", "sk-0123456789abcde"}},
        {{"x-api-key", ""}},
        {{"api-key", "wrong"}},
        {{"authorization", std::string("Bearer ") + kKey}, {"x-api-key", "wrong"}},
        {{"x-api-key", kKey}, {"x-api-key", kOther}},
    };
    for (Headers headers : wrong) {
      headers.emplace_back("x-minke", "1");
      const Answer answer = harness.call(method, path, "{}", headers);
      EXPECT_EQ(answer.status, 401) << answer.body;
      EXPECT_EQ(answer.body.find("0123456789"), std::string::npos);
    }
    for (Headers headers : std::vector<Headers>{{{"authorization", std::string("Bearer ") + kKey}},
                                                {{"x-api-key", kOther}},
                                                {{"authorization", std::string("bearer ") + kOther}}}) {
      headers.emplace_back("x-minke", "1");
      EXPECT_NE(harness.call(method, path, "{}", headers).status, 401);
    }
  }
  EXPECT_EQ(open, std::vector<std::string>{"/health"});
}

TEST(Access, WithoutKeysAnyKeyWillDo) {
  Harness harness(hello_script);
  EXPECT_EQ(harness.call("GET", "/v1/models", "", {{"authorization", "Bearer ollama"}}).status, 200);
}

TEST(Access, RefusesToBeReachableWithoutAKey) {
  for (const char* address : {"0.0.0.0", "192.168.1.5", "::", "fe80::1", "10.0.0.1"}) {
    GateOptions gate;
    gate.address = address;
    EXPECT_ERROR(Gate::create(gate), "API key");
    gate.keys = {{"a", kKey}};
    EXPECT_TRUE(Gate::create(gate).has_value());
  }
  for (const char* address : {"127.0.0.1", "127.8.8.8", "::1"}) {
    GateOptions gate;
    gate.address = address;
    EXPECT_TRUE(Gate::create(gate).has_value()) << address;
  }
  GateOptions gate;
  gate.keys = {{"short", "abc"}};
  EXPECT_ERROR(Gate::create(gate), "at least 16");
  gate.keys = {{"a", kKey}, {"b", kKey}};
  EXPECT_ERROR(Gate::create(gate), "the same");
}

TEST(Access, HostsOfOtherNamesAreRefused) {
  Harness harness(hello_script);
  const auto status = [&](const std::string& host) { return harness.call("GET", "/v1/models", "", {{"host", host}}).status; };
  for (const char* host : {"localhost", "LocalHost:80", "127.0.0.1:1234", "[::1]:80", "127.0.0.2"})
    EXPECT_EQ(status(host), 200) << host;
  for (const char* host : {"evil.example", "evil.example:1234", "localhost.evil.example", "192.168.1.5",
                           "127.0.0.1.evil.example", "[::2]", "0.0.0.0"})
    EXPECT_EQ(status(host), 403) << host;
  EXPECT_EQ(harness.call("GET", "/v1/models", "", {{"host", "localhost"}, {"host", "evil.example"}}).status, 400);
  EXPECT_EQ(harness.call("GET", "/health", "", {{"host", "evil.example"}}).status, 403);
}

TEST(Access, ScriptsOfOtherOriginsAreRefused) {
  GateOptions gate;
  gate.allowed_origins = {"https://app.example"};
  Harness harness(hello_script, {}, gate);
  const auto call = [&](Headers headers) {
    headers.emplace_back("host", "localhost:1234");
    return harness.call("GET", "/v1/models", "", headers);
  };
  EXPECT_EQ(call({{"origin", "http://localhost:1234"}}).status, 200);
  for (const char* origin : {"https://evil.example", "null", "http://localhost:9", "https://localhost:1234", "file://"}) {
    const Answer answer = call({{"origin", origin}});
    EXPECT_EQ(answer.status, 403) << origin;
    EXPECT_EQ(answer.headers.count("Access-Control-Allow-Origin"), 0u);
  }
  EXPECT_EQ(call({{"sec-fetch-site", "cross-site"}, {"sec-fetch-mode", "no-cors"}}).status, 403);
  EXPECT_EQ(call({{"sec-fetch-site", "cross-site"}, {"sec-fetch-mode", "navigate"}}).status, 200);
  const Answer allowed = call({{"origin", "https://app.example"}});
  EXPECT_EQ(allowed.status, 200);
  EXPECT_EQ(allowed.headers.at("Access-Control-Allow-Origin"), "https://app.example");
  EXPECT_EQ(allowed.headers.count("Access-Control-Allow-Credentials"), 0u);
  EXPECT_EQ(harness.call("OPTIONS", "/v1/chat/completions", "", {{"origin", "https://app.example"}}).status, 204);
  EXPECT_EQ(harness.call("OPTIONS", "/v1/chat/completions", "", {{"origin", "https://evil.example"}}).status, 403);
}

TEST(Access, WhatChangesStateWantsThePagesHeader) {
  Harness harness(hello_script);
  for (const Route& route : harness.app->routes()) {
    if (!route.pattern.starts_with("/api/minke/") || route.method == "GET") continue;
    const std::string path = path_of(route.pattern);
    EXPECT_EQ(harness.call(std::string(route.method), path, "{}").status, 403) << path;
    EXPECT_NE(harness.call(std::string(route.method), path, "{}", {{"x-minke", "1"}}).status, 403) << path;
  }
}

TEST(Access, NoGetChangesState) {
  Harness harness(hello_script);
  for (const Route& route : harness.app->routes()) {
    if (route.method != "POST" && route.method != "DELETE" && route.method != "PUT" && route.method != "PATCH") continue;
    const int status = harness.call("GET", path_of(route.pattern)).status;
    EXPECT_TRUE(status == 405 || status == 404 || status == 501 || status == 200) << route.pattern;
    EXPECT_EQ(harness.backend.n_tokens_put(), 0);
  }
}

TEST(Access, RatesAreLimitedForEveryFormOfTheKey) {
  GateOptions gate = with_keys();
  gate.requests_per_minute = 60;
  gate.burst = 2;
  Harness harness(hello_script, {}, gate);
  const Json body = Json::parse(R"({"messages": [{"role": "user", "content": "hi"}]})");
  const auto post = [&](const char* header, const std::string& value) {
    return harness.post("/v1/chat/completions", body, {{header, value}});
  };
  EXPECT_EQ(post("x-api-key", kKey).status, 200);
  EXPECT_EQ(post("authorization", std::string("Bearer ") + kKey).status, 200);
  const Answer limited = post("x-api-key", kKey);
  EXPECT_EQ(limited.status, 429);
  EXPECT_EQ(limited.headers.at("Retry-After"), "1");
  EXPECT_EQ(post("authorization", std::string("Bearer ") + kKey).status, 429);
  EXPECT_EQ(post("x-api-key", kOther).status, 200);
}

// Whose a request is decides when it runs and which beginnings it may go on from.
TEST(Access, AGenerationKnowsWhoseItIs) {
  std::set<std::string> callers;
  Harness harness(
      [&](const ChatRequest& request, int choice) {
        callers.insert(request.caller);
        return hello_script(request, choice);
      },
      {}, with_keys());
  const Json openai = Json::parse(R"({"model": "script", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9})");
  const Json ollama = Json::parse(R"({"model": "script", "messages": [{"role": "user", "content": "hi"}]})");
  for (const char* path : {"/v1/chat/completions", "/v1/messages", "/api/chat"}) {
    const Json& body = path[1] == 'a' ? ollama : openai;
    for (const auto& [name, key] : {std::pair("alice", kKey), std::pair("bob", kOther)}) {
      callers.clear();
      EXPECT_EQ(harness.post(path, body, {{"x-api-key", key}}).status, 200) << path;
      EXPECT_EQ(callers, (std::set<std::string>{name})) << path;
    }
  }
}

TEST(RateLimit, RefillsWithTime) {
  RateLimit limit(60, 1);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(limit.take("a", start).has_value());
  EXPECT_FALSE(limit.take("a", start).has_value());
  EXPECT_FALSE(limit.take("a", start + std::chrono::milliseconds(900)).has_value());
  EXPECT_TRUE(limit.take("a", start + std::chrono::milliseconds(1100)).has_value());
}

TEST(GenerationSlots, AreBoundedForAllAndForEach) {
  GenerationSlots slots(3, 2);
  auto first = slots.take("a");
  auto second = slots.take("a");
  EXPECT_EQ(slots.take("a").error().kind, ErrorKind::kRateLimited);
  auto third = slots.take("b");
  const auto fourth = slots.take("b");
  EXPECT_EQ(fourth.error().kind, ErrorKind::kOverloaded);
  EXPECT_GT(fourth.error().retry_after_s, 0);
  first->reset();
  EXPECT_TRUE(slots.take("a").has_value());
}

}  // namespace
}  // namespace minke::testing
