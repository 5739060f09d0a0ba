// Streaming SHA-256 and SHA-1 (FIPS 180-4) over OpenSSL's EVP, and git's blob hash: sha1("blob <n_bytes>\0" + bytes).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace minke {

class Digest {
 public:
  static Digest sha256();
  static Digest sha1();
  // The name that git gives to a file of n_bytes; exactly that many bytes must follow for the name to be right.
  static Digest git_blob(uint64_t n_bytes);

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text) { update(std::as_bytes(std::span(text))); }

  // Lower-case hex. Ends the digest: no update() afterwards.
  std::string finish_hex();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  Digest() = default;
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace minke
