#include "hub/fake_hub.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/digest.h"

namespace minke::testing {
namespace {

constexpr int kPollMs = 20;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

bool send_all(int connection, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

// The request up to its empty line; "" when the peer went away.
std::string read_head(int connection, const std::atomic<bool>& stopping) {
  std::string head;
  while (head.find("\r\n\r\n") == head.npos && !stopping) {
    pollfd wait{connection, POLLIN, 0};
    if (::poll(&wait, 1, kPollMs) == 0) continue;
    char buffer[4096];
    ssize_t n = ::recv(connection, buffer, sizeof buffer, 0);
    if (n <= 0) return "";
    head.append(buffer, static_cast<size_t>(n));
  }
  return head;
}

FakeRequest parse_head(const std::string& head) {
  FakeRequest request;
  size_t end = head.find("\r\n");
  std::string line = head.substr(0, end);
  size_t first = line.find(' ');
  size_t second = line.find(' ', first + 1);
  request.method = line.substr(0, first);
  std::string target = line.substr(first + 1, second - first - 1);
  if (target.starts_with("http://")) {
    size_t slash = target.find('/', 7);
    request.host = target.substr(7, slash - 7);
    target = target.substr(slash);
  }
  size_t question = std::min(target.find('?'), target.size());
  request.path = target.substr(0, question);
  request.query = question < target.size() ? target.substr(question + 1) : "";
  while (end != head.npos) {
    size_t start = end + 2;
    end = head.find("\r\n", start);
    if (end == head.npos || end == start) break;
    std::string header = head.substr(start, end - start);
    size_t colon = header.find(": ");
    request.headers[lower(header.substr(0, colon))] = header.substr(colon + 2);
  }
  return request;
}

}  // namespace

void FakeReply::erase(const std::string& name) {
  std::erase_if(headers, [&](const auto& header) { return header.first == name; });
}

void FakeReply::set(const std::string& name, const std::string& value) {
  erase(name);
  headers.emplace_back(name, value);
}

FakeHub::FakeHub() {
  hub_listener_ = listen_on_loopback(hub_port_);
  cdn_listener_ = listen_on_loopback(cdn_port_);
  hub_acceptor_ = std::thread([this] { accept_loop(hub_listener_, false); });
  cdn_acceptor_ = std::thread([this] { accept_loop(cdn_listener_, true); });
}

FakeHub::~FakeHub() {
  stopping_ = true;
  hub_acceptor_.join();
  cdn_acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  ::close(hub_listener_);
  ::close(cdn_listener_);
}

int FakeHub::listen_on_loopback(uint16_t& port) {
  int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (listener < 0 || ::bind(listener, generic, size) != 0 || ::listen(listener, 64) != 0) std::abort();
  if (::getsockname(listener, generic, &size) != 0) std::abort();
  port = ntohs(address.sin_port);
  return listener;
}

std::string FakeHub::endpoint() const { return "http://127.0.0.1:" + std::to_string(hub_port_); }
std::string FakeHub::cdn() const { return "http://127.0.0.1:" + std::to_string(cdn_port_); }

void FakeHub::add_file(const std::string& path, const std::string& content, bool is_lfs) {
  Digest digest = is_lfs ? Digest::sha256() : Digest::git_blob(content.size());
  digest.update(content);
  std::lock_guard lock(mutex_);
  files_[path] = File{content, digest.finish_hex(), is_lfs};
}

std::string FakeHub::hash_of(const std::string& path) const {
  std::lock_guard lock(mutex_);
  return files_.at(path).hash;
}

void FakeHub::set_commit(const std::string& commit) {
  std::lock_guard lock(mutex_);
  commit_ = commit;
}

void FakeHub::set_page_size(size_t n_rows) {
  std::lock_guard lock(mutex_);
  page_size_ = n_rows;
}

void FakeHub::set_edit(Edit edit) {
  std::lock_guard lock(mutex_);
  edit_ = std::move(edit);
}

std::vector<FakeRequest> FakeHub::requests() const {
  std::lock_guard lock(mutex_);
  return requests_;
}

void FakeHub::accept_loop(int listener, bool is_cdn) {
  while (!stopping_) {
    pollfd wait{listener, POLLIN, 0};
    if (::poll(&wait, 1, kPollMs) <= 0) continue;
    int connection = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    n_connections_++;
    std::lock_guard lock(mutex_);
    threads_.emplace_back([this, connection, is_cdn] {
      serve(connection, is_cdn);
      ::close(connection);
    });
  }
}

void FakeHub::serve(int connection, bool is_cdn) {
  std::string head = read_head(connection, stopping_);
  if (head.empty()) return;
  FakeRequest request = parse_head(head);
  FakeReply reply;
  request.is_cdn = is_cdn;
  {
    std::lock_guard lock(mutex_);
    request.n_before = static_cast<int>(std::count_if(requests_.begin(), requests_.end(), [&](const FakeRequest& other) {
      return other.is_cdn == is_cdn && other.path == request.path;
    }));
    requests_.push_back(request);
    reply = good_reply(request);
    if (edit_) edit_(request, reply);
  }
  send_reply(connection, request, reply);
}

void FakeHub::send_reply(int connection, const FakeRequest& request, const FakeReply& reply) {
  std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " X\r\nConnection: close\r\n";
  bool has_length = false;
  for (const auto& [name, value] : reply.headers) {
    head += name + ": " + value + "\r\n";
    has_length |= name == "content-length" || name == "transfer-encoding";
  }
  if (!has_length) head += "content-length: " + std::to_string(reply.body.size()) + "\r\n";
  if (!send_all(connection, head + "\r\n")) return;
  std::string_view body = std::string_view(reply.body).substr(0, std::min(reply.cut_after, reply.body.size()));
  while (!body.empty() && !stopping_) {
    std::string_view piece = body.substr(0, std::min(reply.chunk, body.size()));
    if (!send_all(connection, piece)) return;
    if (request.is_file() && (reply.status == 200 || reply.status == 206)) n_body_bytes_ += piece.size();
    body.remove_prefix(piece.size());
    if (reply.chunk_delay_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(reply.chunk_delay_ms));
  }
  ::shutdown(connection, SHUT_WR);
}

FakeReply FakeHub::good_reply(const FakeRequest& request) const {
  FakeReply reply;
  const std::string kApi = "/api/models/org/tiny/";
  if (request.path == kApi + "revision/main" || request.path == kApi + "revision/v1") {
    nlohmann::json info = {{"id", "org/tiny"}, {"sha", commit_}, {"siblings", nlohmann::json::array()}};
    for (const auto& [path, file] : files_) info["siblings"].push_back({{"rfilename", path}});
    reply.body = info.dump();
    return reply;
  }
  if (request.path == kApi + "tree/" + commit_) return list_reply(request);
  if (request.is_cdn) {
    for (const auto& [path, file] : files_) {
      if (request.path == "/cdn/" + file.hash) return file_reply(request, file);
    }
  }
  const std::string kResolve = "/org/tiny/resolve/" + commit_ + "/";
  if (request.path.starts_with(kResolve) && files_.contains(request.path.substr(kResolve.size()))) {
    const File& file = files_.at(request.path.substr(kResolve.size()));
    reply = file.is_lfs ? FakeReply{} : file_reply(request, file);
    reply.set("x-repo-commit", commit_);
    if (!file.is_lfs) return reply;
    reply.status = 302;
    reply.set("location", cdn() + "/cdn/" + file.hash + "?signature=secret");
    reply.set("x-linked-etag", '"' + file.hash + '"');
    reply.set("x-linked-size", std::to_string(file.content.size()));
    reply.set("etag", '"' + file.hash + '"');  // what huggingface_hub reads from HEAD
    return reply;
  }
  reply.status = 404;
  reply.set("x-error-code", request.path.starts_with(kResolve) ? "EntryNotFound" : "RepoNotFound");
  return reply;
}

FakeReply FakeHub::list_reply(const FakeRequest& request) const {
  nlohmann::json rows = nlohmann::json::array();
  for (const auto& [path, file] : files_) {
    nlohmann::json row = {{"type", "file"}, {"path", path}, {"size", file.content.size()}, {"oid", file.hash}};
    if (file.is_lfs) {
      row["oid"] = std::string(40, 'a');
      row["lfs"] = {{"oid", file.hash}, {"size", file.content.size()}, {"pointerSize", 134}};
    }
    rows.push_back(row);
  }
  rows.push_back({{"type", "directory"}, {"path", "folder"}, {"size", 0}, {"oid", std::string(40, 'b')}});
  size_t cursor = 0;
  size_t found = request.query.find("cursor=");
  if (found != request.query.npos) cursor = std::strtoull(request.query.c_str() + found + 7, nullptr, 10);
  nlohmann::json page = nlohmann::json::array();
  for (size_t i = cursor; i < std::min(cursor + page_size_, rows.size()); i++) page.push_back(rows[i]);
  FakeReply reply;
  reply.body = page.dump();
  if (cursor + page_size_ < rows.size()) {
    reply.set("link", "<" + endpoint() + request.path + "?recursive=true&cursor=" + std::to_string(cursor + page_size_) +
                          ">; rel=\"next\"");
  }
  return reply;
}

// Whole, or the range that is asked when If-Range allows it.
FakeReply FakeHub::file_reply(const FakeRequest& request, const File& file) const {
  FakeReply reply;
  // A CDN has entity tags of its own, which are not the hash.
  std::string etag = file.is_lfs ? "\"cdn-" + file.hash.substr(0, 8) + "\"" : '"' + file.hash + '"';
  reply.set("etag", etag);
  reply.set("accept-ranges", "bytes");
  reply.body = file.content;
  std::string range = request.header("range");
  std::string if_range = request.header("if-range");
  if (!range.starts_with("bytes=") || (!if_range.empty() && if_range != etag)) return reply;
  size_t first = std::strtoull(range.c_str() + 6, nullptr, 10);
  std::string size = std::to_string(file.content.size());
  if (first >= file.content.size()) {
    reply.status = 416;
    reply.body.clear();
    reply.set("content-range", "bytes */" + size);
    return reply;
  }
  reply.status = 206;
  reply.body = file.content.substr(first);
  reply.set("content-range", "bytes " + std::to_string(first) + "-" + std::to_string(file.content.size() - 1) + "/" + size);
  return reply;
}

}  // namespace minke::testing
