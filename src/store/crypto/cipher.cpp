#include "store/crypto/cipher.h"

#include <sodium.h>

#include <cstring>

#include "base/check.h"

namespace minke::store {
namespace {

constexpr size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
static_assert(kSealBytes == kNonceBytes + crypto_aead_xchacha20poly1305_ietf_ABYTES);
static_assert(kKeyBytes == crypto_aead_xchacha20poly1305_ietf_KEYBYTES && kKeyBytes == crypto_kdf_KEYBYTES);
constexpr char kSubkeyContext[crypto_kdf_CONTEXTBYTES + 1] = "mnkechat";

const unsigned char* raw(std::span<const std::byte> bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* raw(std::span<std::byte> bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

// Into `out`, which has sealed.size() - kSealBytes bytes.
bool open_into(std::span<std::byte> out, std::span<const std::byte> sealed, std::string_view bound_to, const Secret& key) {
  const auto context = bytes_of(bound_to);
  const auto text = sealed.subspan(kNonceBytes);
  return crypto_aead_xchacha20poly1305_ietf_decrypt(raw(out), nullptr, nullptr, raw(text), text.size(), raw(context),
                                                    context.size(), raw(sealed), raw(key.bytes())) == 0;
}

}  // namespace

Bytes seal(std::span<const std::byte> plain, std::string_view bound_to, const Secret& key) {
  CHECK(key.size() == kKeyBytes, "a key of {} bytes", key.size());
  start_sodium();
  Bytes sealed(plain.size() + kSealBytes);
  randombytes_buf(sealed.data(), kNonceBytes);
  const auto context = bytes_of(bound_to);
  crypto_aead_xchacha20poly1305_ietf_encrypt(raw(std::span(sealed).subspan(kNonceBytes)), nullptr, raw(plain), plain.size(),
                                             raw(context), context.size(), nullptr, raw(std::span<const std::byte>(sealed)),
                                             raw(key.bytes()));
  return sealed;
}

std::optional<std::string> unseal(std::span<const std::byte> sealed, std::string_view bound_to, const Secret& key) {
  CHECK(key.size() == kKeyBytes, "a key of {} bytes", key.size());
  if (sealed.size() < kSealBytes) return std::nullopt;
  std::string plain(sealed.size() - kSealBytes, '\0');
  if (!open_into(std::as_writable_bytes(std::span(plain)), sealed, bound_to, key)) return std::nullopt;
  return plain;
}

Bytes wrap_key(const Secret& inner, std::string_view bound_to, const Secret& outer) {
  return seal(inner.bytes(), bound_to, outer);
}

std::optional<Secret> unwrap_key(std::span<const std::byte> wrapped, std::string_view bound_to, const Secret& outer) {
  if (wrapped.size() != kKeyBytes + kSealBytes) return std::nullopt;
  Secret inner = Secret::zeros(kKeyBytes);
  if (!open_into(inner.bytes(), wrapped, bound_to, outer)) return std::nullopt;
  return inner;
}

Secret subkey(const Secret& key, uint64_t number) {
  CHECK(key.size() == kKeyBytes, "a key of {} bytes", key.size());
  Secret derived = Secret::zeros(kKeyBytes);
  crypto_kdf_derive_from_key(raw(derived.bytes()), kKeyBytes, number, kSubkeyContext, raw(key.bytes()));
  return derived;
}

Bytes digest(std::span<const std::byte> bytes, size_t n_bytes, const Secret* key) {
  start_sodium();
  Bytes out(n_bytes);
  const unsigned char* key_bytes = key == nullptr ? nullptr : raw(key->bytes());
  crypto_generichash(raw(std::span(out)), n_bytes, raw(bytes), bytes.size(), key_bytes, key == nullptr ? 0 : key->size());
  return out;
}

}  // namespace minke::store
