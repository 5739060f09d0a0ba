#include "server/http_client.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace minke::testing {

HttpClient::HttpClient(uint16_t port, int receive_buffer) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_buffer > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) throw std::runtime_error("cannot connect");
}

HttpClient::~HttpClient() { close(); }

void HttpClient::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool HttpClient::send(const std::string& bytes) {
  for (size_t n = 0; n < bytes.size();) {
    const ssize_t sent = ::send(fd_, bytes.data() + n, bytes.size() - n, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    n += static_cast<size_t>(sent);
  }
  return true;
}

bool HttpClient::request(const std::string& method, const std::string& target, const std::string& body,
                         const std::string& more_headers) {
  std::string text = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + more_headers;
  if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return send(text + "\r\n" + body);
}

std::string HttpClient::read_some(std::chrono::milliseconds patience) {
  if (!pending_.empty()) return std::exchange(pending_, {});
  pollfd state{fd_, POLLIN, 0};
  if (::poll(&state, 1, static_cast<int>(patience.count())) != 1) return "";
  std::string out(65536, '\0');
  const ssize_t n = ::recv(fd_, out.data(), out.size(), 0);
  out.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return out;
}

bool HttpClient::is_closed(std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < deadline) {
    pollfd state{fd_, POLLIN, 0};
    if (::poll(&state, 1, 10) != 1) continue;
    char waste[4096];
    if (::recv(fd_, waste, sizeof(waste), 0) <= 0) return true;
  }
  return false;
}

HttpAnswer HttpClient::read(std::chrono::milliseconds patience, const std::string& method) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  std::string text;
  const auto more = [&] {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const std::string piece = left.count() > 0 ? read_some(left) : "";
    text += piece;
    return !piece.empty();
  };
  HttpAnswer answer;
  size_t head = 0;
  while ((head = text.find("\r\n\r\n")) == std::string::npos) {
    if (!more()) return answer;
  }
  answer.status = std::stoi(text.substr(9, 3));
  for (size_t at = text.find("\r\n") + 2; at < head;) {
    const size_t end = text.find("\r\n", at), colon = text.find(':', at);
    std::string name = text.substr(at, colon - at);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    answer.headers[name] = text.substr(colon + 2, end - colon - 2);
    at = end + 2;
  }
  text.erase(0, head + 4);
  if (answer.headers["transfer-encoding"] == "chunked") {
    while (true) {
      size_t line = 0;
      while ((line = text.find("\r\n")) == std::string::npos) {
        if (!more()) return answer;
      }
      const size_t size = std::stoul(text.substr(0, line), nullptr, 16);
      while (text.size() < line + 2 + size + 2) {
        if (!more()) return answer;
      }
      answer.body += text.substr(line + 2, size);
      text.erase(0, line + 2 + size + 2);
      if (size == 0) break;
    }
  } else {
    const size_t size =
        method == "HEAD" || answer.headers["content-length"].empty() ? 0 : std::stoul(answer.headers["content-length"]);
    while (text.size() < size) {
      if (!more()) return answer;
    }
    answer.body = text.substr(0, size);
    text.erase(0, size);
  }
  pending_ = text;
  answer.complete = true;
  return answer;
}

}  // namespace minke::testing
