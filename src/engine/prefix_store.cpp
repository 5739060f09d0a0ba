#include "engine/prefix_store.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <optional>

#include "base/check.h"

namespace minke {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "minkekv1";
constexpr std::string_view kSuffix = ".kv", kPartSuffix = ".part";
constexpr size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr size_t kHeadBytes = kMagic.size() + kNonceBytes;
constexpr char kKeyContext[crypto_kdf_CONTEXTBYTES + 1] = "mnkpages";
constexpr int64_t kMaxWaitingBytes = int64_t{256} << 20;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

timespec time_of(int64_t ns) { return {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)}; }

bool set_time(int fd, int64_t ns) {
  const timespec times[2] = {time_of(ns), time_of(ns)};
  return ::futimens(fd, times) == 0;
}

// 64 hexadecimal digits and the suffix.
std::optional<PrefixStore::Name> name_of(const std::string& file) {
  PrefixStore::Name name;
  size_t n = 0;
  const char* end = nullptr;
  if (file.size() != 2 * name.size() + kSuffix.size() || !file.ends_with(kSuffix)) return std::nullopt;
  const bool is_hex = sodium_hex2bin(name.data(), name.size(), file.data(), 2 * name.size(), nullptr, &n, &end) == 0;
  if (!is_hex || n != name.size()) return std::nullopt;
  return name;
}

bool read_whole(int fd, std::span<uint8_t> out) {
  while (!out.empty()) {
    const ssize_t n = ::read(fd, out.data(), out.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    out = out.subspan(static_cast<size_t>(n));
  }
  return true;
}

bool write_whole(int fd, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

PrefixStore::PrefixStore(std::string folder, int64_t max_bytes, int lock)
    : folder_(std::move(folder)), max_bytes_(max_bytes), lock_(lock) {}

Result<std::unique_ptr<PrefixStore>> PrefixStore::open(const PrefixStoreOptions& options) {
  static_assert(sizeof(Key) == crypto_kdf_KEYBYTES && sizeof(Key) == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
  const int started = sodium_init();
  CHECK(started >= 0, "libsodium does not start: {}", started);
  if (options.key.size() != sizeof(Key)) return error("a key of {} bytes: expected {}", options.key.size(), sizeof(Key));
  if (options.max_bytes <= 0) return error("{}: {} bytes for pages: expected more than 0", options.folder, options.max_bytes);
  std::error_code failure;
  fs::create_directories(options.folder, failure);
  if (failure || ::chmod(options.folder.c_str(), S_IRWXU) != 0) {
    return error("{}: cannot be used as a private folder: {}", options.folder,
                 failure ? failure.message() : std::strerror(errno));
  }
  const std::string lock_path = options.folder + "/lock";
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (lock < 0) return error("{}: {}", lock_path, std::strerror(errno));
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock);
    return error("{}: another process uses this folder; give it a folder of its own", options.folder);
  }
  std::unique_ptr<PrefixStore> store(new PrefixStore(options.folder, options.max_bytes, lock));
  const auto* key = reinterpret_cast<const uint8_t*>(options.key.data());
  crypto_kdf_derive_from_key(store->name_key_.data(), sizeof(Key), 1, kKeyContext, key);
  crypto_kdf_derive_from_key(store->page_key_.data(), sizeof(Key), 2, kKeyContext, key);
  TRY(store->list_files());
  store->writer_ = std::thread([raw = store.get()] { raw->write_all(); });
  return store;
}

PrefixStore::~PrefixStore() {
  if (writer_.joinable()) {
    {
      std::lock_guard guard(mutex_);
      ends_ = true;
    }
    changed_.notify_all();
    writer_.join();
  }
  sodium_memzero(name_key_.data(), sizeof(Key));
  sodium_memzero(page_key_.data(), sizeof(Key));
  ::close(lock_);
}

Status PrefixStore::list_files() {
  std::lock_guard guard(mutex_);
  std::error_code failure;
  for (fs::directory_iterator entry(folder_, failure), end; !failure && entry != end; entry.increment(failure)) {
    const std::string file = entry->path().filename().string();
    struct stat about = {};
    if (::lstat(entry->path().c_str(), &about) != 0 || !S_ISREG(about.st_mode)) continue;
    if (file.ends_with(kPartSuffix)) ::unlink(entry->path().c_str());
    const std::optional<Name> name = name_of(file);
    if (!name) continue;
    remember(*name, {about.st_size, int64_t{about.st_mtim.tv_sec} * 1'000'000'000 + about.st_mtim.tv_nsec});
  }
  if (failure) return error("{}: {}", folder_, failure.message());
  make_room(0);
  return {};
}

PrefixStore::Name PrefixStore::start(std::string_view origin) const {
  Name name;
  crypto_generichash_state state;
  crypto_generichash_init(&state, name_key_.data(), sizeof(Key), name.size());
  crypto_generichash_update(&state, reinterpret_cast<const uint8_t*>(origin.data()), origin.size());
  crypto_generichash_final(&state, name.data(), name.size());
  return name;
}

PrefixStore::Name PrefixStore::next(const Name& before, std::span<const TokenId> tokens_of_page) const {
  Name name;
  crypto_generichash_state state;
  crypto_generichash_init(&state, name_key_.data(), sizeof(Key), name.size());
  crypto_generichash_update(&state, before.data(), before.size());
  crypto_generichash_update(&state, reinterpret_cast<const uint8_t*>(tokens_of_page.data()), tokens_of_page.size_bytes());
  crypto_generichash_final(&state, name.data(), name.size());
  return name;
}

std::string PrefixStore::path_of(const Name& name) const {
  std::string hex(2 * name.size() + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), name.data(), name.size());
  hex.pop_back();
  return folder_ + "/" + hex + std::string(kSuffix);
}

bool PrefixStore::contains(const Name& name) const {
  std::lock_guard guard(mutex_);
  return files_.contains(name);
}

bool PrefixStore::read(std::span<std::byte> page, const Name& name, int64_t index) {
  std::lock_guard guard(mutex_);
  const auto found = files_.find(name);
  if (found == files_.end()) return false;
  const Descriptor file(::open(path_of(name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() < 0 && errno == ENOENT) {  // somebody tidied up
    forget(name);
    return false;
  }
  struct stat about = {};
  std::vector<uint8_t> bytes(kHeadBytes + page.size() + kTagBytes);
  const bool is_whole = file.get() >= 0 && ::fstat(file.get(), &about) == 0 &&
                        about.st_size == static_cast<int64_t>(bytes.size()) && read_whole(file.get(), bytes);
  const uint8_t* nonce = bytes.data() + kMagic.size();
  if (!is_whole || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0 ||
      crypto_aead_xchacha20poly1305_ietf_decrypt(reinterpret_cast<uint8_t*>(page.data()), nullptr, nullptr,
                                                 bytes.data() + kHeadBytes, page.size() + kTagBytes, name.data(), name.size(),
                                                 nonce, page_key_.data()) != 0) {
    stats_.n_refused++;
    remove_file(name);
    return false;
  }
  // Earlier pages of a beginning count as used a little later: without them the others are worth nothing.
  const File used = {found->second.n_bytes, now_ns() - index};
  set_time(file.get(), used.time);
  remember(name, used);
  stats_.n_read++;
  return true;
}

void PrefixStore::write(std::vector<std::byte> page, const Name& name, int64_t index) {
  {
    std::lock_guard guard(mutex_);
    if (files_.contains(name)) return;
    if (std::any_of(waiting_.begin(), waiting_.end(), [&](const Waiting& w) { return w.name == name; })) return;
    const auto n_bytes = static_cast<int64_t>(page.size());
    if (n_waiting_bytes_ + n_bytes > kMaxWaitingBytes) {
      stats_.n_skipped++;
      return;
    }
    n_waiting_bytes_ += n_bytes;
    waiting_.push_back({name, std::move(page), index});
  }
  changed_.notify_all();
}

void PrefixStore::write_all() {
  std::unique_lock guard(mutex_);
  while (true) {
    changed_.wait(guard, [&] { return ends_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const Waiting& next = waiting_.front();
    const auto n_bytes = static_cast<int64_t>(kHeadBytes + next.page.size() + kTagBytes);
    const int64_t time = now_ns() - next.index;
    bool is_written = make_room(n_bytes);
    if (is_written) {
      stats_.n_bytes += n_bytes;  // the room is taken while others may look
      guard.unlock();
      is_written = write_file(next, time);
      guard.lock();
      stats_.n_bytes -= n_bytes;
    }
    if (is_written) remember(next.name, {n_bytes, time});
    (is_written ? stats_.n_written : stats_.n_skipped)++;
    n_waiting_bytes_ -= static_cast<int64_t>(next.page.size());
    waiting_.pop_front();
    changed_.notify_all();
  }
}

bool PrefixStore::write_file(const Waiting& waiting, int64_t time) {
  std::vector<uint8_t> bytes(kHeadBytes + waiting.page.size() + kTagBytes);
  std::copy(kMagic.begin(), kMagic.end(), bytes.begin());
  uint8_t* nonce = bytes.data() + kMagic.size();
  randombytes_buf(nonce, kNonceBytes);
  crypto_aead_xchacha20poly1305_ietf_encrypt(bytes.data() + kHeadBytes, nullptr,
                                             reinterpret_cast<const uint8_t*>(waiting.page.data()), waiting.page.size(),
                                             waiting.name.data(), waiting.name.size(), nullptr, nonce, page_key_.data());
  const std::string path = path_of(waiting.name), part = path + std::string(kPartSuffix);
  bool is_written = false;
  {
    const Descriptor file(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
    is_written = file.get() >= 0 && write_whole(file.get(), bytes) && set_time(file.get(), time);
  }
  // Nothing is synced: what a power cut leaves behind is refused when it is read.
  if (is_written && ::rename(part.c_str(), path.c_str()) == 0) return true;
  ::unlink(part.c_str());
  return false;
}

bool PrefixStore::make_room(int64_t n_bytes) {
  if (n_bytes > max_bytes_) return false;
  while (stats_.n_bytes + n_bytes > max_bytes_) {
    if (by_time_.empty()) return false;
    const Name oldest = by_time_.begin()->second;
    remove_file(oldest);
  }
  return true;
}

void PrefixStore::remember(const Name& name, const File& file) {
  forget(name);
  files_[name] = file;
  by_time_.emplace(file.time, name);
  stats_.n_files++;
  stats_.n_bytes += file.n_bytes;
}

void PrefixStore::forget(const Name& name) {
  const auto found = files_.find(name);
  if (found == files_.end()) return;
  stats_.n_files--;
  stats_.n_bytes -= found->second.n_bytes;
  by_time_.erase({found->second.time, name});
  files_.erase(found);
}

void PrefixStore::remove_file(const Name& name) {
  ::unlink(path_of(name).c_str());
  forget(name);
}

void PrefixStore::flush() {
  std::unique_lock guard(mutex_);
  changed_.wait(guard, [&] { return waiting_.empty(); });
}

Status PrefixStore::clear() {
  std::unique_lock guard(mutex_);
  while (waiting_.size() > 1) {  // the first one may be on its way
    n_waiting_bytes_ -= static_cast<int64_t>(waiting_.back().page.size());
    waiting_.pop_back();
  }
  changed_.wait(guard, [&] { return waiting_.empty(); });
  while (!files_.empty()) {
    const Name name = files_.begin()->first;
    const std::string path = path_of(name);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return error("{}: cannot be removed: {}", path, std::strerror(errno));
    forget(name);
  }
  return {};
}

PrefixStore::Stats PrefixStore::stats() const {
  std::lock_guard guard(mutex_);
  return stats_;
}

}  // namespace minke
