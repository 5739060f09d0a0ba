#include "store/crypto/secret.h"

#include <sodium.h>

#include <cstring>

#include "base/check.h"

namespace minke::store {

void start_sodium() {
  static const bool started = sodium_init() >= 0;
  CHECK(started, "libsodium found no source of random numbers");
}

void Secret::Free::operator()(std::byte* bytes) const { sodium_free(bytes); }

Secret::Secret(size_t n_bytes) : size_(n_bytes) {
  start_sodium();
  bytes_.reset(static_cast<std::byte*>(sodium_malloc(n_bytes)));
  CHECK(bytes_ != nullptr, "no memory for a secret of {} bytes", n_bytes);
}

Secret Secret::zeros(size_t n_bytes) {
  Secret secret(n_bytes);
  sodium_memzero(secret.bytes_.get(), n_bytes);
  return secret;
}

Secret Secret::random(size_t n_bytes) {
  Secret secret(n_bytes);
  randombytes_buf(secret.bytes_.get(), n_bytes);
  return secret;
}

Secret Secret::copy(std::string_view bytes) {
  Secret secret(bytes.size());
  if (!bytes.empty()) std::memcpy(secret.bytes_.get(), bytes.data(), bytes.size());
  return secret;
}

void wipe(std::string& text) {
  sodium_memzero(text.data(), text.size());
  text.clear();
}

}  // namespace minke::store
