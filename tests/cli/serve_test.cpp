// minke serve and minke up: what is refused before anything listens, and a life from the start to SIGTERM.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>

#include "cli/run_minke.h"
#include "support/support.h"

namespace minke::testing {
namespace {

const std::string kNano = repository_path("models/nano");

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// A port that was free a moment ago.
uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

// The whole reply; empty as long as nobody listens.
std::string ask_server(uint16_t port, const std::string& head, const std::string& body = "") {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = loopback(port);
  std::string reply;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    const std::string request = head +
                                " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n" +
                                "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    EXPECT_EQ(::send(fd, request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
    char buffer[4096];
    for (ssize_t n = 0; (n = ::recv(fd, buffer, sizeof(buffer), 0)) > 0;) reply.append(buffer, static_cast<size_t>(n));
  }
  ::close(fd);
  return reply;
}

TEST(Up, AnswersAndEndsInOrder) {
  TemporaryDirectory home;
  const uint16_t port = free_port();
  std::string page, answer;
  MinkeInput input;
  input.env = {{"MINKE_HOME", home.path().string()}, {"XDG_DATA_HOME", home.path().string()}};
  input.watch = [&](pid_t process) {
    if (!answer.empty()) return true;
    page = ask_server(port, "GET /");
    if (page.empty()) return true;
    answer =
        ask_server(port, "POST /v1/chat/completions",
                   R"({"messages": [{"role": "user", "content": "Is 7 larger than 5?"}], "max_tokens": 30, "temperature": 0})");
    ::kill(process, SIGTERM);
    return true;
  };
  const MinkeRun run = run_minke({"up", kNano, "--port", std::to_string(port)}, input);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.out.find("http://127.0.0.1:" + std::to_string(port)), std::string::npos) << run.out;
  EXPECT_TRUE(page.starts_with("HTTP/1.1 200")) << page;
  EXPECT_NE(page.find("<title>minke</title>"), std::string::npos);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
  EXPECT_NE(answer.find("\"model\":\"nano\""), std::string::npos) << answer;
}

TEST(Serve, RefusesWhatWouldNotBeSafe) {
  TemporaryDirectory home;
  const auto refusal = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "serve");
    const MinkeRun run = run_minke(arguments, {.env = {{"MINKE_HOME", home.path().string()}}});
    EXPECT_EQ(run.exit_code, 1) << run.out;
    return run.err;
  };
  EXPECT_NE(refusal({kNano, "--port", "0", "--host", "0.0.0.0"}).find("API key"), std::string::npos);
  EXPECT_NE(refusal({kNano, "--port", "0", "--tls-cert", "a.pem"}).find("a certificate and a key"), std::string::npos);
  EXPECT_NE(refusal({kNano, kNano}).find("two models have this name"), std::string::npos);
  EXPECT_NE(refusal({kNano, "--ctx", "5000"}).find("1024 tokens"), std::string::npos);
  EXPECT_NE(refusal({kNano, "--cache-memory", "1k"}).find("--cache-memory"), std::string::npos);
  const std::string keys = home.file("keys");
  std::ofstream(keys) << "# none yet\n\n";
  EXPECT_NE(refusal({kNano, "--api-key-file", keys}).find("has no key"), std::string::npos);
  EXPECT_NE(refusal({"nobody/nothing"}).find("minke pull"), std::string::npos);
}

}  // namespace
}  // namespace minke::testing
