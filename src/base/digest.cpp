#include "base/digest.h"

#include <openssl/evp.h>

#include <array>

#include "base/check.h"

namespace minke {
namespace {

EVP_MD_CTX* start(const EVP_MD* kind) {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  CHECK(context != nullptr, "out of memory");
  CHECK(EVP_DigestInit_ex(context, kind, nullptr) == 1, "OpenSSL has no {}", EVP_MD_get0_name(kind));
  return context;
}

}  // namespace

void Digest::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Digest Digest::sha256() {
  Digest digest;
  digest.context_.reset(start(EVP_sha256()));
  return digest;
}

Digest Digest::sha1() {
  Digest digest;
  digest.context_.reset(start(EVP_sha1()));
  return digest;
}

Digest Digest::git_blob(uint64_t n_bytes) {
  Digest digest = sha1();
  std::string header = fmt::format("blob {}", n_bytes);
  digest.update(std::string_view(header.c_str(), header.size() + 1));  // git hashes the NUL as well
  return digest;
}

void Digest::update(std::span<const std::byte> bytes) {
  CHECK(context_ != nullptr, "update after finish_hex");
  CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

std::string Digest::finish_hex() {
  CHECK(context_ != nullptr, "finish_hex called twice");
  std::array<unsigned char, EVP_MAX_MD_SIZE> value{};
  unsigned size = 0;
  CHECK(EVP_DigestFinal_ex(context_.get(), value.data(), &size) == 1);
  context_.reset();
  std::string hex;
  for (unsigned i = 0; i < size; i++) hex += fmt::format("{:02x}", value[i]);
  return hex;
}

}  // namespace minke
