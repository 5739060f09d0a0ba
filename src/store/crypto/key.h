// What opens a store: a passphrase or a key file. Neither encrypts chats itself: it wraps the store's random master key, so it
// can be changed without writing the chats again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "store/crypto/cipher.h"

namespace minke::store {

enum class KeyKind { kPassphrase, kKeyFile };
std::string_view key_kind_name(KeyKind kind);  // "passphrase", "key file"

class Key {
 public:
  // UTF-8, brought into one normal form (NFC), so that the same Korean letters open the store whatever typed them.
  static Result<Key> passphrase(std::string_view text);
  // A file of create_key_file() that only its owner may read.
  static Result<Key> file(const std::string& path);

  KeyKind kind() const { return kind_; }
  const Secret& secret() const { return secret_; }

 private:
  Key(KeyKind kind, Secret secret) : kind_(kind), secret_(std::move(secret)) {}
  KeyKind kind_;
  Secret secret_;
};

// Writes 32 random bytes as text, mode 0600. Refuses to replace a file.
Status create_key_file(const std::string& path);

// What Argon2id spends on one guess of a passphrase; libsodium's "moderate" by default, about a second. Unused for key files.
struct KeyCost {
  uint64_t operations = 3;
  uint64_t memory_bytes = uint64_t{256} << 20;
};

// The master key, wrapped; what a store keeps in its file.
struct LockedMaster {
  KeyKind kind = KeyKind::kPassphrase;
  Bytes salt;
  KeyCost cost;
  Bytes wrapped;
  Bytes checksum;  // of all of the above: tells a damaged file from a wrong key
};

Result<LockedMaster> lock_master(const Secret& master, const Key& key, const KeyCost& cost);

// None when the key is wrong; an error when the fields are damaged or the key is of the other kind. `where` is for messages.
Result<std::optional<Secret>> unlock_master(const LockedMaster& locked, const Key& key, std::string_view where);

}  // namespace minke::store
