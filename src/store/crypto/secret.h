// Bytes that must not leak: they lie between guard pages, are kept out of swap and core dumps where the system allows it, and
// are overwritten when they go.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace minke::store {

class Secret {
 public:
  static Secret zeros(size_t n_bytes);
  static Secret random(size_t n_bytes);
  static Secret copy(std::string_view bytes);

  size_t size() const { return size_; }
  std::span<const std::byte> bytes() const { return {bytes_.get(), size_}; }
  std::span<std::byte> bytes() { return {bytes_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const;
  };
  explicit Secret(size_t n_bytes);
  size_t size_;
  std::unique_ptr<std::byte, Free> bytes_;
};

// Must run before any other function of libsodium; may run often and in any thread.
void start_sodium();

// Overwrites a text that is no longer needed. What was copied from it before, or swapped out, is not reached.
void wipe(std::string& text);

}  // namespace minke::store
