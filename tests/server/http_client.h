// A client of one socket for tests: sends any bytes, reads replies with and without chunks, and can be as slow as it likes.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

namespace minke::testing {

struct HttpAnswer {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  bool complete = false;  // all of the body came
};

class HttpClient {
 public:
  // receive_buffer: of the socket, in bytes; 0: the system's choice.
  explicit HttpClient(uint16_t port, int receive_buffer = 0);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  bool send(const std::string& bytes);
  // A request with Host and Content-Length.
  bool request(const std::string& method, const std::string& target, const std::string& body = "",
               const std::string& more_headers = "");
  // The next reply; what there was of it when the connection ended or `patience` was over.
  HttpAnswer read(std::chrono::milliseconds patience = std::chrono::seconds(10), const std::string& method = "GET");
  // Bytes as they come, at least one; empty at the end of the connection or after `patience`.
  std::string read_some(std::chrono::milliseconds patience = std::chrono::seconds(10));
  // True when the server closed the connection within `patience`; what came before is dropped.
  bool is_closed(std::chrono::milliseconds patience);
  // Ends the connection at once.
  void close();

 private:
  int fd_ = -1;
  std::string pending_;
};

}  // namespace minke::testing
