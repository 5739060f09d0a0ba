#include "store/crypto/key.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utf8proc.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "base/utf8.h"

namespace minke::store {
namespace {

constexpr std::string_view kFileMark = "minke-key-1:";
constexpr size_t kChecksumBytes = 32;
constexpr size_t kMaxPassphraseBytes = 4096;
// Numbers of a file that somebody else may have written must not make the machine swap or hang.
constexpr uint64_t kMaxOperations = 1000;
constexpr uint64_t kMaxMemoryBytes = uint64_t{4} << 30;

std::string bound_to_master(KeyKind kind) { return fmt::format("minke-store-1/master/{}", key_kind_name(kind)); }

Bytes checksum_of(const LockedMaster& locked) {
  std::string text = fmt::format("{}/{}/{}/{}/", key_kind_name(locked.kind), locked.cost.operations, locked.cost.memory_bytes,
                                 locked.salt.size());
  for (const Bytes* part : {&locked.salt, &locked.wrapped}) {
    text.append(reinterpret_cast<const char*>(part->data()), part->size());
  }
  return digest(bytes_of(text), kChecksumBytes);
}

// The key that wraps the master key.
Result<Secret> outer_key(const LockedMaster& locked, const Key& key) {
  if (key.kind() == KeyKind::kKeyFile) return subkey(key.secret(), 1);
  Secret outer = Secret::zeros(kKeyBytes);
  const auto passphrase = key.secret().bytes();
  const int code = crypto_pwhash(reinterpret_cast<unsigned char*>(outer.bytes().data()), kKeyBytes,
                                 reinterpret_cast<const char*>(passphrase.data()), passphrase.size(),
                                 reinterpret_cast<const unsigned char*>(locked.salt.data()), locked.cost.operations,
                                 static_cast<size_t>(locked.cost.memory_bytes), crypto_pwhash_ALG_ARGON2ID13);
  if (code != 0) {
    return error("cannot turn the passphrase into a key: Argon2id needs {} MiB of memory, which the system did not give",
                 locked.cost.memory_bytes >> 20);
  }
  return outer;
}

}  // namespace

std::string_view key_kind_name(KeyKind kind) { return kind == KeyKind::kPassphrase ? "passphrase" : "key file"; }

Result<Key> Key::passphrase(std::string_view text) {
  if (text.empty()) return error("the passphrase is empty: expected at least one character");
  if (text.size() > kMaxPassphraseBytes) {
    return error("the passphrase has {} bytes: expected at most {}", text.size(), kMaxPassphraseBytes);
  }
  if (!utf8_valid(text)) return error("the passphrase is not valid UTF-8: set the terminal to UTF-8 and type it again");
  const Secret typed = Secret::copy(text);
  utf8proc_uint8_t* normal = nullptr;
  const auto n =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(typed.bytes().data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &normal, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (n < 0) return error("the passphrase cannot be normalised: {}", utf8proc_errmsg(n));
  Key key(KeyKind::kPassphrase, Secret::copy({reinterpret_cast<const char*>(normal), static_cast<size_t>(n)}));
  sodium_memzero(normal, static_cast<size_t>(n));
  std::free(normal);
  return key;
}

Result<Key> Key::file(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return error("{}: cannot read the key file: {}", path, std::strerror(errno));
  if ((info.st_mode & 077) != 0) {
    return error(
        "{}: others may read this key file (mode {:04o}): expected 0600; chmod 600 it, and make a new key if others "
        "had a login here",
        path, info.st_mode & 07777);
  }
  std::string text = TRY(read_file(path, 1024));
  Secret secret = Secret::zeros(kKeyBytes);
  std::string_view hex = text;
  size_t n_decoded = 0;
  bool well_formed = hex.starts_with(kFileMark);
  if (well_formed) {
    hex.remove_prefix(kFileMark.size());
    if (hex.ends_with('\n')) hex.remove_suffix(1);
    well_formed = hex.size() == 2 * kKeyBytes &&
                  sodium_hex2bin(reinterpret_cast<unsigned char*>(secret.bytes().data()), kKeyBytes, hex.data(), hex.size(),
                                 nullptr, &n_decoded, nullptr) == 0 &&
                  n_decoded == kKeyBytes;
  }
  wipe(text);
  if (!well_formed) return error("{}: not a key file: expected \"{}\" and {} hex digits", path, kFileMark, 2 * kKeyBytes);
  return Key(KeyKind::kKeyFile, std::move(secret));
}

Status create_key_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return error("{}: cannot make the key file: {}", path, std::strerror(errno));
  const Secret key = Secret::random(kKeyBytes);
  std::string text(2 * kKeyBytes + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), reinterpret_cast<const unsigned char*>(key.bytes().data()), kKeyBytes);
  text.back() = '\n';
  text.insert(0, kFileMark);
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  const int code = errno;
  ::close(fd);
  wipe(text);
  if (!written) {
    ::unlink(path.c_str());
    return error("{}: cannot write the key file: {}", path, std::strerror(code));
  }
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return sync_directory(folder.empty() ? "." : folder);
}

Result<LockedMaster> lock_master(const Secret& master, const Key& key, const KeyCost& cost) {
  start_sodium();
  LockedMaster locked;
  locked.kind = key.kind();
  locked.salt.resize(crypto_pwhash_SALTBYTES);
  randombytes_buf(locked.salt.data(), locked.salt.size());
  locked.cost = cost;
  const Secret outer = TRY(outer_key(locked, key));
  locked.wrapped = wrap_key(master, bound_to_master(locked.kind), outer);
  locked.checksum = checksum_of(locked);
  return locked;
}

Result<std::optional<Secret>> unlock_master(const LockedMaster& locked, const Key& key, std::string_view where) {
  const bool whole = locked.salt.size() == crypto_pwhash_SALTBYTES && locked.wrapped.size() == kKeyBytes + kSealBytes &&
                     locked.checksum == checksum_of(locked);
  if (!whole) return error("{}: the record of the store's key is damaged: put a copy of the file back", where);
  if (locked.cost.operations > kMaxOperations || locked.cost.memory_bytes > kMaxMemoryBytes) {
    return error("{}: asks Argon2id for {} passes over {} MiB: expected at most {} over {} MiB", where, locked.cost.operations,
                 locked.cost.memory_bytes >> 20, kMaxOperations, kMaxMemoryBytes >> 20);
  }
  if (locked.kind != key.kind()) {
    return error("{}: opens with a {}, got a {}", where, key_kind_name(locked.kind), key_kind_name(key.kind()));
  }
  const Secret outer = TRY(outer_key(locked, key));
  return unwrap_key(locked.wrapped, bound_to_master(locked.kind), outer);
}

}  // namespace minke::store
