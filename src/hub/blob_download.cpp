#include "hub/blob_download.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/digest.h"
#include "hub/names.h"

namespace minke::hub {
namespace {

constexpr size_t kReadChunk = size_t{1} << 20;

Digest digest_for(const RemoteFile& file) { return file.hash.size() == 64 ? Digest::sha256() : Digest::git_blob(file.size); }

// The size of a regular file (a link is not one); none when it is not there.
std::optional<uint64_t> size_at(const Directory& directory, const std::string& name) {
  struct stat info {};
  if (::fstatat(directory.fd(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return static_cast<uint64_t>(info.st_size);
}

// `"abc"`, `W/"abc"` -> abc
std::string_view bare_etag(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  return etag;
}

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t value = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct ContentRange {
  uint64_t first = 0;
  uint64_t last = 0;
  std::optional<uint64_t> total;  // none: "*"
};

// "bytes 5-9/10" (RFC 9110, 14.4)
std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  size_t dash = text.find('-');
  size_t slash = text.find('/');
  if (dash == text.npos || slash == text.npos || slash < dash) return std::nullopt;
  auto first = parse_number(text.substr(0, dash));
  auto last = parse_number(text.substr(dash + 1, slash - dash - 1));
  auto total = parse_number(text.substr(slash + 1));
  if (!first || !last || (!total && text.substr(slash + 1) != "*")) return std::nullopt;
  return ContentRange{*first, *last, total};
}

// A descriptor that closes itself.
struct Descriptor {
  int fd = -1;
  Descriptor() = default;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  void close() {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
};

class BlobDownload {
 public:
  BlobDownload(Transport& transport, const BlobJob& job, const HubOptions& options, ProgressMeter& meter, const Cancel& cancel)
      : transport_(transport), job_(job), options_(options), meter_(meter), cancel_(cancel), digest_(digest_for(job.file)) {}

  Result<BlobResult> run();

 private:
  Result<bool> reuse_final();
  Status open_partial();
  Attempt<void> transfer();
  Attempt<void> accept_reply(const HttpReply& reply);
  Attempt<void> accept_linked(const HttpReply& reply) const;
  Attempt<void> write(std::span<const std::byte> bytes);
  Attempt<void> verify();
  Status start_over();
  Status publish();
  Status hash_prefix(int fd, uint64_t n_bytes);
  void report(uint64_t n_received) { meter_.report(job_.file.path, offset_, job_.file.size, n_received); }
  std::string shown() const { return fmt::format("{}: {}", job_.repo, printable(job_.file.path)); }

  Transport& transport_;
  const BlobJob& job_;
  const HubOptions& options_;
  ProgressMeter& meter_;
  const Cancel& cancel_;
  Descriptor partial_;
  uint64_t offset_ = 0;       // bytes in the partial file, all of them in digest_
  uint64_t best_offset_ = 0;  // the most there ever was: a server that begins again and again makes no progress
  Digest digest_;
  std::string strong_etag_;  // of the last reply, for If-Range
  BlobResult result_;
};

Result<BlobResult> BlobDownload::run() {
  FileLock lock =
      TRY(FileLock::acquire(*job_.place.lock_directory, job_.place.lock_name, FileLock::Mode::kExclusive, cancel_, [&] {
        meter_.note(fmt::format("{}: another download of it is under way; waiting", job_.file.path));
      }));
  if (TRY(reuse_final())) return result_;
  TRY(open_partial());
  Retry retry(options_.retry, cancel_, [&](const std::string& text) { meter_.note(text); });
  bool has_started_over = false;
  for (;;) {
    Attempt<void> done;
    if (offset_ < job_.file.size) done = transfer();
    if (done) done = verify();
    if (done) {
      TRY(publish());
      return result_;
    }
    const Failure& reason = done.error();
    if (reason.kind == Failure::Kind::kFatal || reason.kind == Failure::Kind::kCancelled) return error("{}", reason.message);
    if (reason.kind == Failure::Kind::kTransient) {
      if (offset_ >= best_offset_ + options_.retry.progress_bytes) {
        best_offset_ = offset_;
        retry.reset();
      }
      TRY(retry.wait(reason));
      continue;
    }
    TRY(start_over());
    if (has_started_over) {
      TRY(job_.place.partial_directory->remove_file(job_.place.partial_name));
      return error("{} (twice; the partial file is deleted)", reason.message);
    }
    has_started_over = true;
    meter_.note(reason.message + "; what has arrived is dropped and the download starts again");
  }
}

// True: the file is there already. In the cache its name is its hash and the size is checked; in a folder the name promises
// nothing, so the bytes are hashed.
Result<bool> BlobDownload::reuse_final() {
  const Place& place = job_.place;
  auto size = size_at(*place.final_directory, place.final_name);
  if (!size) return false;
  bool is_good = *size == job_.file.size;
  if (is_good && (!place.is_named_by_hash || options_.verify_reused)) {
    Descriptor file;
    file.fd = ::openat(place.final_directory->fd(), place.final_name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file.fd < 0) return storage_error(place.final_directory->path_of(place.final_name), "cannot open", errno);
    TRY(hash_prefix(file.fd, *size));
    is_good = digest_.finish_hex() == job_.file.hash;
    digest_ = digest_for(job_.file);
  }
  if (is_good) {
    offset_ = job_.file.size;
    result_.reused_bytes = offset_;
    report(0);
    return true;
  }
  if (!place.is_named_by_hash) return false;  // another version; it is replaced when the new one is whole
  meter_.note(fmt::format("{}: the copy in the cache is damaged; it is downloaded again", job_.file.path));
  TRY(place.final_directory->remove_file(place.final_name));
  return false;
}

Status BlobDownload::open_partial() {
  const Place& place = job_.place;
  std::string path = place.partial_directory->path_of(place.partial_name);
  partial_.fd =
      ::openat(place.partial_directory->fd(), place.partial_name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (partial_.fd < 0) return storage_error(path, "cannot create", errno);
  struct stat info {};
  if (::fstat(partial_.fd, &info) != 0) return storage_error(path, "cannot stat", errno);
  if (!S_ISREG(info.st_mode)) return error("{}: is not a regular file: remove it", path);
  uint64_t size = static_cast<uint64_t>(info.st_size);
  if (size > job_.file.size) return start_over();
  TRY(hash_prefix(partial_.fd, size));
  offset_ = best_offset_ = size;
  result_.reused_bytes = size;
  report(0);
  return {};
}

Status BlobDownload::hash_prefix(int fd, uint64_t n_bytes) {
  std::vector<std::byte> buffer(std::min<uint64_t>(kReadChunk, n_bytes));
  for (uint64_t pos = 0; pos < n_bytes;) {
    if (cancel_.is_set()) return error("cancelled");
    ssize_t n = ::pread(fd, buffer.data(), std::min<uint64_t>(buffer.size(), n_bytes - pos), static_cast<off_t>(pos));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      return storage_error(job_.place.partial_directory->path(), "cannot read a file of the cache", n < 0 ? errno : EIO);
    digest_.update(std::span(buffer).first(static_cast<size_t>(n)));
    pos += static_cast<uint64_t>(n);
  }
  return {};
}

Attempt<void> BlobDownload::transfer() {
  Fetch fetch;
  std::string path = fmt::format("/{}/resolve/{}/{}", job_.repo, job_.commit, percent_encode(job_.file.path, Slash::kKeep));
  auto url = transport_.endpoint_url(path);
  if (!url) return fatal(url.error());
  fetch.url = std::move(*url);
  fetch.purpose = fmt::format("download {} of {}", printable(job_.file.path), job_.repo);
  if (offset_ > 0) {
    fetch.headers.push_back(fmt::format("Range: bytes={}-", offset_));
    // Known only within one run: the storage behind the hub has entity tags of its own, which are not the hash. Without it
    // the hash at the end finds a changed file.
    if (!strong_etag_.empty()) fetch.headers.push_back("If-Range: " + strong_etag_);
  }
  fetch.on_redirect = [&](const HttpReply& reply) { return accept_linked(reply); };
  fetch.on_reply = [&](const HttpReply& reply) { return accept_reply(reply); };
  fetch.on_body = [&](std::span<const std::byte> bytes) { return write(bytes); };
  auto reply = transport_.get(fetch);
  if (!reply) return tl::unexpected<Failure>(reply.error());
  if (offset_ < job_.file.size) {
    return failure(Failure::Kind::kTransient, "{}: the connection ended after {} of {} bytes", shown(), offset_,
                   job_.file.size);
  }
  return {};
}

// The hub's own reply names size and hash of the file behind the redirect; they must be those of the file list.
Attempt<void> BlobDownload::accept_linked(const HttpReply& reply) const {
  std::string_view etag = bare_etag(reply.header("x-linked-etag"));
  if (!etag.empty() && is_blob_name(etag) && etag != job_.file.hash) {
    return failure(Failure::Kind::kFatal, "{}: the hub's list and its file disagree: hash {} and {}", shown(), job_.file.hash,
                   etag);
  }
  auto size = parse_number(reply.header("x-linked-size"));
  if (size && *size != job_.file.size) {
    return failure(Failure::Kind::kFatal, "{}: the hub's list and its file disagree: {} and {} bytes", shown(), job_.file.size,
                   *size);
  }
  std::string_view commit = reply.header("x-repo-commit");
  if (is_commit(commit) && commit != job_.commit) {
    return failure(Failure::Kind::kFatal, "{}: asked for commit {}, the hub sends {}", shown(), job_.commit, commit);
  }
  return {};
}

Attempt<void> BlobDownload::accept_reply(const HttpReply& reply) {
  if (auto linked = accept_linked(reply); !linked) return linked;
  if (reply.status == 206) {
    auto range = parse_content_range(reply.header("content-range"));
    bool is_asked = range && offset_ > 0 && range->first == offset_ && range->last >= range->first &&
                    range->last < job_.file.size && range->total.value_or(job_.file.size) == job_.file.size;
    if (!is_asked) {
      return failure(Failure::Kind::kRestart, "{}: asked for bytes {}-{} of {}, the server sends \"{}\"", shown(), offset_,
                     job_.file.size - 1, job_.file.size, printable(reply.header("content-range"), 60));
    }
  } else if (reply.status == 200) {
    // The server sends the whole file (it does no ranges, or the file behind If-Range is another one now).
    if (offset_ > 0) {
      if (auto restarted = start_over(); !restarted) return fatal(restarted.error());
    }
  } else {
    return failure(Failure::Kind::kFatal, "{}: HTTP {} where 200 or 206 was expected", shown(), reply.status);
  }
  auto length = parse_number(reply.header("content-length"));
  if (length && *length > job_.file.size - offset_) {
    return failure(Failure::Kind::kCorrupt, "{}: wrong size: expected {} bytes, the server sends {}", shown(),
                   job_.file.size - offset_, *length);
  }
  if (reply.status == 200 && length && *length < job_.file.size) {
    return failure(Failure::Kind::kCorrupt, "{}: wrong size: expected {} bytes, the server sends {}", shown(), job_.file.size,
                   *length);
  }
  std::string_view etag = reply.header("etag");
  strong_etag_ = etag.starts_with('"') && etag.size() <= 256 ? std::string(etag) : "";
  return {};
}

Attempt<void> BlobDownload::write(std::span<const std::byte> bytes) {
  result_.downloaded_bytes += bytes.size();
  if (bytes.size() > job_.file.size - offset_) {
    return failure(Failure::Kind::kCorrupt, "{}: wrong size: the server sends more than {} bytes", shown(), job_.file.size);
  }
  size_t n_received = bytes.size();
  while (!bytes.empty()) {
    ssize_t n = ::pwrite(partial_.fd, bytes.data(), bytes.size(), static_cast<off_t>(offset_));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      int number = errno;
      std::string what =
          fmt::format("cannot write {} after {} of {} bytes", printable(job_.file.path), offset_, job_.file.size);
      return fatal(storage_error(job_.place.partial_directory->path(), what, number).value());
    }
    digest_.update(bytes.first(static_cast<size_t>(n)));
    offset_ += static_cast<uint64_t>(n);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  report(n_received);
  return {};
}

Attempt<void> BlobDownload::verify() {
  CHECK(offset_ == job_.file.size, "{} of {}", offset_, job_.file.size);
  std::string hash = digest_.finish_hex();
  if (hash == job_.file.hash) return {};
  return failure(Failure::Kind::kCorrupt, "{}: damaged: expected {} {}, got {}", shown(),
                 hash.size() == 64 ? "SHA-256" : "git SHA-1", job_.file.hash, hash);
}

// Empties the partial file; the name stays, because the lock and the descriptor are ours.
Status BlobDownload::start_over() {
  if (::ftruncate(partial_.fd, 0) != 0) {
    return storage_error(job_.place.partial_directory->path_of(job_.place.partial_name), "cannot empty", errno);
  }
  digest_ = digest_for(job_.file);
  offset_ = 0;
  result_.reused_bytes = 0;
  strong_etag_.clear();
  report(0);
  return {};
}

Status BlobDownload::publish() {
  const Place& place = job_.place;
  if (::fsync(partial_.fd) != 0)
    return storage_error(place.partial_directory->path_of(place.partial_name), "cannot sync", errno);
  partial_.close();
  TRY(place.partial_directory->rename(place.partial_name, *place.final_directory, place.final_name));
  return place.final_directory->sync();
}

}  // namespace

Result<BlobResult> download_blob(Transport& transport, const BlobJob& job, const HubOptions& options, ProgressMeter& meter,
                                 const Cancel& cancel) {
  return BlobDownload(transport, job, options, meter, cancel).run();
}

uint64_t present_bytes(const BlobJob& job) {
  const Place& place = job.place;
  if (auto size = size_at(*place.final_directory, place.final_name); size == job.file.size) return job.file.size;
  return std::min(size_at(*place.partial_directory, place.partial_name).value_or(0), job.file.size);
}

}  // namespace minke::hub
