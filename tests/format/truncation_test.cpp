// A good file cut anywhere is refused, never read past its end (the parsers see a copy of exactly the cut size, so that
// AddressSanitizer sees an overrun).
#include <random>

#include "format/bytes.h"
#include "format/gguf.h"
#include "format/safetensors.h"
#include "support/support.h"

namespace minke {
namespace {

using testing::span_of;

// Heap memory of exactly this size.
std::vector<char> exact_copy(std::string_view bytes) { return {bytes.begin(), bytes.end()}; }

TEST(Truncation, GgufAtEveryByte) {
  std::string whole = testing::good_gguf();
  size_t needed = whole.size() - 16;  // the padding behind the last tensor may be missing
  for (size_t n = 0; n < needed; n++) {
    std::vector<char> cut = exact_copy(std::string_view(whole).substr(0, n));
    EXPECT_FALSE(parse_gguf(std::as_bytes(std::span(cut)), "f").has_value()) << "cut at byte " << n;
  }
  EXPECT_TRUE(parse_gguf(span_of(whole), "f").has_value());
}

TEST(Truncation, SafetensorsAtEveryByte) {
  std::string whole = testing::good_safetensors();
  for (size_t n = 0; n < whole.size(); n++) {
    std::vector<char> cut = exact_copy(std::string_view(whole).substr(0, n));
    EXPECT_FALSE(parse_safetensors(std::as_bytes(std::span(cut)), "f").has_value()) << "cut at byte " << n;
  }
  EXPECT_TRUE(parse_safetensors(span_of(whole), "f").has_value());
}

TEST(Truncation, DataOfLargeTensorsAtRandomBytes) {
  std::mt19937_64 random(7);
  std::string gguf = testing::Bytes{}.head(2, 0).tensor("a", {1 << 16}, 0, 0).tensor("b", {1 << 16}, 0, 1 << 18).align(32).text;
  size_t gguf_size = gguf.size() + (1 << 19);
  std::string safetensors = testing::safetensors_bytes(R"({"a":{"dtype":"F32","shape":[65536],"data_offsets":[0,262144]}})");
  size_t safetensors_size = safetensors.size() + (1 << 18);
  for (int i = 0; i < 200; i++) {
    std::string cut = gguf;
    cut.resize(gguf.size() + random() % (gguf_size - gguf.size()));
    EXPECT_ERROR(parse_gguf(span_of(cut), "f"), "truncated");
    cut = safetensors;
    cut.resize(safetensors.size() + random() % (safetensors_size - safetensors.size()));
    EXPECT_ERROR(parse_safetensors(span_of(cut), "f"), "truncated");
  }
  gguf.resize(gguf_size);
  EXPECT_TRUE(parse_gguf(span_of(gguf), "f").has_value());
  safetensors.resize(safetensors_size);
  EXPECT_TRUE(parse_safetensors(span_of(safetensors), "f").has_value());
}

// Every single-byte change of a header either gives a valid file or an error; what is accepted stays inside the file.
TEST(Truncation, AnyByteOfTheHeaderMayBeWrong) {
  for (bool is_gguf : {true, false}) {
    std::string whole = is_gguf ? testing::good_gguf() : testing::good_safetensors();
    for (size_t i = 0; i < whole.size(); i++) {
      for (int flip : {0x01, 0x80, 0xFF}) {
        std::string changed = whole;
        changed[i] = static_cast<char>(changed[i] ^ flip);
        std::span<const std::byte> bytes = span_of(changed);
        if (is_gguf) {
          auto file = parse_gguf(bytes, "f");
          if (!file) continue;
          for (const auto& entry : file->tensors.entries()) {
            EXPECT_LE(entry.view.data + entry.view.n_bytes(), bytes.data() + bytes.size());
          }
        } else {
          auto header = parse_safetensors(bytes, "f");
          if (!header) continue;
          for (const auto& entry : header->entries) EXPECT_LE(entry.end, bytes.size());
        }
      }
    }
  }
}

}  // namespace
}  // namespace minke
