// A small Hugging Face hub for tests: two HTTP/1.1 servers on 127.0.0.1, the hub itself and the "CDN" that large files are
// redirected to (another port, so another origin). It speaks the protocol well; a test makes it speak it badly by editing
// replies. One thread per connection, one request per connection.
#pragma once

#include <atomic>
#include <functional>
#include <limits>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace minke::testing {

struct FakeRequest {
  bool is_cdn = false;
  std::string method;
  std::string host;                            // of the target when it is absolute, as proxies get it
  std::string path;                            // without query
  std::string query;                           // without '?'
  std::map<std::string, std::string> headers;  // names in lower case
  int n_before = 0;                            // requests for the same path on the same server before this one

  std::string header(const std::string& name) const {
    auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
  bool is_file() const { return path.find("/resolve/") != path.npos || is_cdn; }
};

struct FakeReply {
  static constexpr size_t kAll = std::numeric_limits<size_t>::max();
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;  // content-length is added unless it is there
  std::string body;
  size_t cut_after = kAll;  // close the connection after so many bytes of the body
  size_t chunk = kAll;      // send the body in pieces of this size ...
  int chunk_delay_ms = 0;   // ... with this pause after each

  void set(const std::string& name, const std::string& value);  // replaces
  void erase(const std::string& name);
};

class FakeHub {
 public:
  FakeHub();
  ~FakeHub();

  std::string endpoint() const;  // "http://127.0.0.1:PORT"
  std::string cdn() const;

  // Files of the one repository "org/tiny" at commit().
  void add_file(const std::string& path, const std::string& content, bool is_lfs);
  std::string hash_of(const std::string& path) const;
  const std::string& commit() const { return commit_; }
  void set_commit(const std::string& commit);
  void set_page_size(size_t n_rows);  // of the file list

  // Called for each request, one at a time, with the good reply, which it may change in any way. It must not
  // call the hub (the lock is held).
  using Edit = std::function<void(const FakeRequest&, FakeReply&)>;
  void set_edit(Edit edit);

  std::vector<FakeRequest> requests() const;
  size_t n_connections() const { return n_connections_; }
  // Bytes of the bodies of files that were sent.
  size_t n_body_bytes() const { return n_body_bytes_; }

 private:
  struct File {
    std::string content;
    std::string hash;
    bool is_lfs = false;
  };
  int listen_on_loopback(uint16_t& port);
  void accept_loop(int listener, bool is_cdn);
  void serve(int connection, bool is_cdn);
  void send_reply(int connection, const FakeRequest& request, const FakeReply& reply);
  FakeReply good_reply(const FakeRequest& request) const;
  FakeReply list_reply(const FakeRequest& request) const;
  FakeReply file_reply(const FakeRequest& request, const File& file) const;

  mutable std::mutex mutex_;  // of all that follow, up to the threads
  std::map<std::string, File> files_;
  std::string commit_ = "0123456789abcdef0123456789abcdef01234567";
  size_t page_size_ = 1000;
  Edit edit_;
  std::vector<FakeRequest> requests_;
  std::list<std::thread> threads_;  // one per connection
  std::atomic<bool> stopping_{false};
  std::atomic<size_t> n_connections_{0};
  std::atomic<size_t> n_body_bytes_{0};
  uint16_t hub_port_ = 0;
  uint16_t cdn_port_ = 0;
  int hub_listener_ = -1;
  int cdn_listener_ = -1;
  std::thread hub_acceptor_;
  std::thread cdn_acceptor_;
};

}  // namespace minke::testing
