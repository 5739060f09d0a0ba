// XChaCha20-Poly1305 (libsodium's crypto_aead_xchacha20poly1305_ietf). Sealed bytes are a random nonce of 24 bytes, the
// ciphertext, and a tag of 16 bytes. `bound_to` says where the bytes belong (which table, conversation, row); they open nowhere
// else, so that rows cannot be swapped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/crypto/secret.h"

namespace minke::store {

using Bytes = std::vector<std::byte>;

constexpr size_t kKeyBytes = 32;
constexpr size_t kSealBytes = 24 + 16;  // how much longer sealed bytes are

Bytes seal(std::span<const std::byte> plain, std::string_view bound_to, const Secret& key);
// None when the bytes were changed, belong elsewhere, or were sealed with another key.
std::optional<std::string> unseal(std::span<const std::byte> sealed, std::string_view bound_to, const Secret& key);

// Keys under keys: the plain bytes never leave a Secret.
Bytes wrap_key(const Secret& inner, std::string_view bound_to, const Secret& outer);
std::optional<Secret> unwrap_key(std::span<const std::byte> wrapped, std::string_view bound_to, const Secret& outer);

// A key for one purpose out of another key; `number` names the purpose (crypto_kdf).
Secret subkey(const Secret& key, uint64_t number);

// BLAKE2b; without a key a checksum against accidents, with one a name that tells nothing about the text.
Bytes digest(std::span<const std::byte> bytes, size_t n_bytes, const Secret* key = nullptr);

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace minke::store
