// Sockets: silence, slowness, disconnects, limits, TLS, the end.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "server/app_harness.h"
#include "server/fake_services.h"
#include "server/http_client.h"
#include "server/net/http_server.h"
#include "support/support.h"

namespace minke::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A server that runs until it goes.
class Served {
 public:
  explicit Served(ScriptedBackend::Choose choose, HttpServerOptions options = {}, ServiceOptions service = {},
                  PageServices* services = nullptr)
      : harness(std::move(choose), std::move(service), {}, services, true),
        server(value_of(HttpServer::create(std::move(options), *harness.app))),
        thread([this] { server->run(); }) {}
  ~Served() {
    server->stop();
    server->stop();  // at once
    thread.join();
  }
  uint16_t port() const { return server->port(); }

  Harness harness;
  std::unique_ptr<HttpServer> server;
  std::thread thread;
};

template <typename Condition>
bool comes_true(Condition condition, milliseconds patience = seconds(20)) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(milliseconds(2));
  }
  return true;
}

const std::string kChat = R"({"messages": [{"role": "user", "content": "hi"}]})";
const std::string kStream = R"({"stream": true, "messages": [{"role": "user", "content": "hi"}]})";

Script hello(const ChatRequest&, int) { return {.tokens = words("hello there")}; }

Script endless(const ChatRequest&, int) {
  Script script{.tokens = words("word after word")};
  script.repeats = 1'000'000;
  script.token_delay = milliseconds(2);
  return script;
}

TEST(Connection, AnswersSeveralRequestsInARow) {
  Served served(hello);
  HttpClient client(served.port());
  for (int i = 0; i < 3; ++i) {
    client.request("POST", "/v1/chat/completions", kChat);
    const HttpAnswer whole = client.read();
    EXPECT_EQ(whole.status, 200);
    EXPECT_EQ(read_reply(Api::kOpenAi, false, whole.body)[0].content, "hello there");
    client.request("POST", "/v1/chat/completions", kStream);
    const HttpAnswer streamed = client.read();
    EXPECT_EQ(streamed.headers.at("content-type"), "text/event-stream; charset=utf-8");
    EXPECT_EQ(read_reply(Api::kOpenAi, true, streamed.body)[0].content, "hello there");
  }
  client.request("HEAD", "/health");
  EXPECT_EQ(client.read(seconds(10), "HEAD").status, 200);
  // Two at once: the second waits in the buffer.
  client.send(
      "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.read().status, 200);
  EXPECT_NE(client.read().body.find("script"), std::string::npos);
  EXPECT_TRUE(client.is_closed(seconds(5)));
}

TEST(Connection, ChunkedBodiesAndExpectations) {
  Served served(hello);
  HttpClient client(served.port());
  client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.send(fmt::format("{:x}\r\n{}\r\n0\r\n\r\n", kChat.size(), kChat));
  EXPECT_EQ(client.read().status, 200);
  client.send(
      fmt::format("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
                  kChat.size()));
  EXPECT_EQ(client.read_some().substr(0, 12), "HTTP/1.1 100");
  client.send(kChat);
  EXPECT_EQ(client.read().status, 200);
}

TEST(Connection, SilenceIsFilledWithComments) {
  HttpServerOptions options;
  options.limits.keep_alive_s = 0.05;
  const auto slow = [](const ChatRequest&, int) {
    Script script{.tokens = words("at last")};
    script.first_delay = milliseconds(400);
    return script;
  };
  Served served(slow, options);
  HttpClient client(served.port());
  client.request("POST", "/v1/chat/completions", kStream);
  const std::string body = client.read().body;
  EXPECT_EQ(body.substr(0, 14), ": keep-alive\n\n");
  EXPECT_EQ(read_reply(Api::kOpenAi, true, body)[0].content, "at last");
  // Anthropic's clients know an event for it, after the message has begun.
  const auto pausing = [](const ChatRequest&, int) {
    Script script{.tokens = words("a b")};
    script.token_delay = milliseconds(300);
    return script;
  };
  Served other(pausing, options);
  HttpClient anthropic(other.port());
  anthropic.request("POST", "/v1/messages",
                    R"({"stream": true, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]})");
  EXPECT_NE(anthropic.read().body.find("event: ping\ndata: {\"type\": \"ping\"}\n\n"), std::string::npos);
}

TEST(Connection, AClientThatGoesFreesItsRequest) {
  for (const std::string& body : {kStream, kChat}) {
    Served served(endless);
    HttpClient client(served.port());
    client.request("POST", "/v1/chat/completions", body);
    ASSERT_TRUE(comes_true([&] { return served.harness.backend.n_tokens_put() > 3; }));
    client.close();
    EXPECT_TRUE(comes_true([&] {
      return served.harness.backend.n_cancelled() == 1 && served.harness.backend.n_running() == 0;
    })) << body;
    EXPECT_TRUE(comes_true([&] { return served.harness.app->n_active() == 0; }));
  }
}

TEST(Connection, AClientThatGoesDuringPrefillFreesItsRequest) {
  const auto waiting = [](const ChatRequest&, int) {
    Script script{.tokens = words("never")};
    script.first_delay = seconds(60);
    return script;
  };
  Served served(waiting);
  HttpClient client(served.port());
  client.request("POST", "/v1/chat/completions", kChat);
  // A next request in the buffer must not hide that the client went.
  client.send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(comes_true([&] { return served.harness.backend.n_running() == 1; }));
  client.close();
  EXPECT_TRUE(comes_true([&] { return served.harness.backend.n_cancelled() == 1; }));
}

TEST(Connection, ASlowReaderIsNotFed) {
  const auto flood = [](const ChatRequest&, int) {
    Script script{.tokens = {{PieceKind::kText, std::string(1000, 'x')}}};
    script.repeats = 100'000;
    return script;
  };
  ServiceOptions service;
  service.max_queued_bytes = 32 << 10;
  Served served(flood, {}, service);
  HttpClient client(served.port(), 128 << 10);
  client.request("POST", "/v1/chat/completions", kStream);
  ScriptedBackend& backend = served.harness.backend;
  ASSERT_TRUE(comes_true([&] { return backend.n_pauses() > 0; }));
  // It stays paused: what the system's socket buffers hold is all that was made.
  int64_t before = -1;
  EXPECT_TRUE(comes_true([&] {
    const int64_t now = backend.n_tokens_put();
    std::this_thread::sleep_for(milliseconds(200));
    return std::exchange(before, now) == now && backend.n_tokens_put() == now;
  }));
  EXPECT_LT(backend.n_tokens_put(), 50'000);
  // Reading makes it go on.
  EXPECT_TRUE(comes_true([&] {
    client.read_some(milliseconds(10));
    return backend.n_tokens_put() > before;
  }));
}

TEST(Connection, SlowClientsAreCutOff) {
  HttpServerOptions options;
  options.limits.header_s = 1;
  options.limits.body_s = 1;
  options.limits.idle_s = 1;
  Served served(hello, options);
  HttpClient nothing(served.port()), dawdler(served.port()), half_body(served.port()), idle(served.port());
  const auto start = std::chrono::steady_clock::now();
  half_body.send("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{");
  idle.request("GET", "/health");
  EXPECT_EQ(idle.read().status, 200);
  dawdler.send("GET /health HTTP/1.1\r\n");
  // A header now and then does not move the deadline.
  bool is_cut = false;
  for (int i = 0; i < 400 && !is_cut; ++i) {
    dawdler.send(fmt::format("X-{}: 1\r\n", i));
    is_cut = dawdler.is_closed(milliseconds(20));
  }
  EXPECT_TRUE(is_cut);
  EXPECT_TRUE(nothing.is_closed(seconds(10)));
  EXPECT_TRUE(half_body.is_closed(seconds(10)));
  EXPECT_TRUE(idle.is_closed(seconds(10)));
  EXPECT_GT(std::chrono::steady_clock::now() - start, milliseconds(900));
}

TEST(Connection, LimitsOfSize) {
  HttpServerOptions options;
  options.limits.max_body_bytes = 1000;
  options.limits.max_header_bytes = 2000;
  Served served(hello, options);
  {
    HttpClient client(served.port());
    client.request("POST", "/v1/messages", std::string(5000, ' '));
    const HttpAnswer answer = client.read();
    EXPECT_EQ(answer.status, 413);
    EXPECT_NE(answer.body.find("request_too_large"), std::string::npos);
    EXPECT_TRUE(client.is_closed(seconds(10)));
  }
  {
    HttpClient client(served.port());
    client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" +
                std::string(2000, ' ') + "\r\n0\r\n\r\n");
    EXPECT_EQ(client.read().status, 413);
  }
  {
    HttpClient client(served.port());
    client.request("GET", "/health", "", "X-Long: " + std::string(5000, 'x') + "\r\n");
    EXPECT_EQ(client.read().status, 431);
  }
  for (const char* nonsense :
       {"hello\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET http://evil/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", "GET /health HTTP/1.1\r\n\r\n"}) {
    HttpClient client(served.port());
    client.send(nonsense);
    EXPECT_EQ(client.read().status, 400) << nonsense;
  }
  HttpClient good(served.port());
  good.request("GET", "/health");
  EXPECT_EQ(good.read().status, 200);
}

TEST(Connection, ConnectionsAreCounted) {
  HttpServerOptions options;
  options.limits.max_connections = 3;
  Served served(hello, options);
  HttpClient a(served.port()), b(served.port()), c(served.port());
  for (HttpClient* client : {&a, &b, &c}) {
    client->request("GET", "/health");
    EXPECT_EQ(client->read().status, 200);
  }
  {
    HttpClient full(served.port());
    EXPECT_EQ(full.read().status, 503);
  }
  a.close();
  EXPECT_TRUE(comes_true([&] {
    HttpClient again(served.port());
    again.request("GET", "/health");
    return again.read().status == 200;
  }));
}

TEST(Connection, AnswerNowEndsTheThought) {
  const auto thinking = [](const ChatRequest&, int) {
    Script script;
    script.starts_in_thought = true;
    for (int i = 0; i < 100'000; ++i) script.tokens.push_back({PieceKind::kText, "hm "});
    script.tokens.push_back({PieceKind::kThoughtEnd});
    script.tokens.push_back({PieceKind::kText, "42"});
    script.token_delay = milliseconds(1);
    return script;
  };
  FakeServices services;
  Served served(thinking, {}, {}, &services);
  HttpClient client(served.port());
  client.request(
      "POST", "/v1/chat/completions",
      R"({"stream": true, "stream_options": {"include_usage": true}, "minke": {"conversation": null}, "messages": [{"role": "user", "content": "hi"}]})");
  std::string text;
  size_t at = std::string::npos;
  while ((at = text.find("\"request\":\"")) == std::string::npos || text.find("hm") == std::string::npos) {
    const std::string piece = client.read_some();
    ASSERT_FALSE(piece.empty());
    text += piece;
  }
  const std::string id = text.substr(at + 11, 32);
  HttpClient control(served.port());
  control.request("POST", "/api/minke/requests/" + id + "/end_thinking");
  EXPECT_EQ(control.read().status, 403);  // without the page's header
  HttpClient page(served.port());
  page.request("POST", "/api/minke/requests/" + id + "/end_thinking", "", "X-Minke: 1\r\n");
  EXPECT_EQ(page.read().status, 200);
  while (text.find("[DONE]") == std::string::npos) {
    const std::string piece = client.read_some();
    ASSERT_FALSE(piece.empty());
    text += piece;
  }
  EXPECT_NE(text.find("\"content\":\"42\""), std::string::npos);
  EXPECT_NE(text.find("\"thinking_end\":\"user\""), std::string::npos);
  page.request("DELETE", "/api/minke/requests/" + id, "", "X-Minke: 1\r\n");
  EXPECT_EQ(page.read().status, 404);
  std::lock_guard lock(services.mutex);
  ASSERT_EQ(services.ends.size(), 1u);
  EXPECT_EQ(services.ends[0].content, "42");
}

TEST(Connection, CancelEndsTheStreamInOrder) {
  Served served(endless);
  HttpClient client(served.port());
  client.request("POST", "/v1/chat/completions", kStream);
  std::string text;
  while (text.find("\"request\":\"") == std::string::npos) text += client.read_some();
  const std::string id = text.substr(text.find("\"request\":\"") + 11, 32);
  HttpClient page(served.port());
  page.request("DELETE", "/api/minke/requests/chatcmpl-" + id, "", "X-Minke: 1\r\n");
  EXPECT_EQ(page.read().status, 200);
  while (text.find("[DONE]") == std::string::npos) {
    const std::string piece = client.read_some();
    ASSERT_FALSE(piece.empty());
    text += piece;
  }
  EXPECT_NE(text.find("\"cancelled\":true"), std::string::npos);
}

TEST(Connection, WhatWasWrittenOfAnAbandonedTurnIsKept) {
  FakeServices services;
  Served served(endless, {}, {}, &services);
  HttpClient client(served.port());
  client.request("POST", "/v1/chat/completions",
                 R"({"stream": true, "minke": {"conversation": null}, "messages": [{"role": "user", "content": "hi"}]})");
  std::string text;
  while (text.find("word") == std::string::npos) text += client.read_some();
  client.close();
  ASSERT_TRUE(comes_true([&] {
    std::lock_guard lock(services.mutex);
    return services.ends.size() == 1;
  }));
  EXPECT_EQ(services.ends[0].finish_reason, "stop");
  EXPECT_EQ(services.ends[0].usage_json, "");
  EXPECT_EQ(services.ends[0].content.substr(0, 4), "word");
}

TEST(Connection, DrainsBeforeItStops) {
  const auto slow = [](const ChatRequest&, int) {
    Script script{.tokens = words("all of this is said to the end")};
    script.token_delay = milliseconds(60);
    return script;
  };
  Served served(slow);
  HttpClient client(served.port()), idle(served.port());
  idle.request("GET", "/health");
  EXPECT_EQ(idle.read().status, 200);
  client.request("POST", "/v1/chat/completions", kStream);
  ASSERT_TRUE(comes_true([&] { return served.harness.backend.n_tokens_put() > 0; }));
  served.server->stop();
  EXPECT_TRUE(idle.is_closed(seconds(5)));
  const HttpAnswer answer = client.read();
  EXPECT_TRUE(answer.complete);
  EXPECT_EQ(read_reply(Api::kOpenAi, true, answer.body)[0].content, "all of this is said to the end");
  EXPECT_TRUE(client.is_closed(seconds(5)));
  EXPECT_EQ(served.harness.backend.n_cancelled(), 0);
}

TEST(Connection, TheDrainHasAnEnd) {
  HttpServerOptions options;
  options.limits.drain_s = 0.2;
  Served served(endless, options);
  HttpClient client(served.port());
  client.request("POST", "/v1/chat/completions", kStream);
  ASSERT_TRUE(comes_true([&] { return served.harness.backend.n_tokens_put() > 0; }));
  served.server->stop();
  EXPECT_TRUE(comes_true([&] { return served.harness.backend.n_cancelled() == 1; }));
  EXPECT_TRUE(client.is_closed(seconds(5)));
}

// A self-signed certificate of this run.
TlsFiles make_certificate(const TemporaryDirectory& folder) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());
  TlsFiles files{folder.file("cert.pem"), folder.file("key.pem")};
  FILE* out = std::fopen(files.certificate_chain.c_str(), "w");
  PEM_write_X509(out, certificate);
  std::fclose(out);
  out = std::fopen(files.private_key.c_str(), "w");
  PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(out);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return files;
}

TEST(Connection, SpeaksTls) {
  const TemporaryDirectory folder;
  HttpServerOptions options;
  options.tls = make_certificate(folder);
  Served served(hello, options);
  EXPECT_EQ(served.server->url().substr(0, 8), "https://");
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  BIO* bio = BIO_new_ssl_connect(context);
  BIO_set_conn_hostname(bio, fmt::format("127.0.0.1:{}", served.port()).c_str());
  ASSERT_EQ(BIO_do_handshake(bio), 1);
  const std::string request =
      fmt::format("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{}",
                  kStream.size(), kStream);
  BIO_write(bio, request.data(), static_cast<int>(request.size()));
  std::string text;
  char buffer[4096];
  for (int n = 0; (n = BIO_read(bio, buffer, sizeof(buffer))) > 0;) text.append(buffer, static_cast<size_t>(n));
  EXPECT_EQ(text.substr(0, 15), "HTTP/1.1 200 OK");
  EXPECT_NE(text.find("[DONE]"), std::string::npos);
  BIO_free_all(bio);
  SSL_CTX_free(context);
  // Plain HTTP on the port of TLS is cut off, and nobody else is hurt.
  HttpClient plain(served.port());
  plain.request("GET", "/health");
  EXPECT_TRUE(plain.is_closed(seconds(10)));
  options.tls.private_key = options.tls.certificate_chain;
  EXPECT_ERROR(HttpServer::create(options, *served.harness.app), "no PEM key");
  options.tls.private_key = "";
  EXPECT_ERROR(HttpServer::create(options, *served.harness.app), "got one of them");
}

TEST(Connection, RefusesAnAddressThatIsTaken) {
  Served served(hello);
  HttpServerOptions options;
  options.port = served.port();
  EXPECT_ERROR(HttpServer::create(options, *served.harness.app), "cannot listen");
  options.address = "localhost";
  EXPECT_ERROR(HttpServer::create(options, *served.harness.app), "expected an IP address");
}

TEST(Connection, ManyAtOnceAndNoneForgotten) {
  HttpServerOptions options;
  options.limits.keep_alive_s = 1000;  // whatever waits for a ring that was missed waits for ever
  Served served(hello, options);
  std::vector<std::thread> threads;
  std::atomic<int> n_good{0};
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 10; ++j) {
        HttpClient client(served.port());
        client.request("POST", "/v1/chat/completions", i % 2 == 0 ? kStream : kChat);
        const HttpAnswer answer = client.read(seconds(60));
        if (answer.complete && read_reply(Api::kOpenAi, i % 2 == 0, answer.body)[0].content == "hello there") ++n_good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(n_good, 160);
}

}  // namespace
}  // namespace minke::testing
