// Files that lie about sizes: refused in milliseconds, with memory in proportion to the file and not to the lie.
// Source of the classes: published CVEs of GGUF and safetensors readers (wrapped products, header sums, absurd counts).
#include <atomic>
#include <cstdlib>
#include <ctime>
#include <new>

#include "format/bytes.h"
#include "format/gguf.h"
#include "format/safetensors.h"
#include "support/support.h"

namespace {
std::atomic<size_t> largest_allocation{0};

void* watched(size_t size) {
  size_t seen = largest_allocation.load();
  while (size > seen && !largest_allocation.compare_exchange_weak(seen, size)) {
  }
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace

void* operator new(size_t size) { return watched(size); }
void* operator new[](size_t size) { return watched(size); }
// The library's sorts ask for their buffer with these.
void* operator new(size_t size, const std::nothrow_t&) noexcept { return std::malloc(size == 0 ? 1 : size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return std::malloc(size == 0 ? 1 : size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace minke {
namespace {

using testing::Bytes;
using testing::safetensors_bytes;
using testing::span_of;

// Time of this process, not of the clock on the wall, which a busy machine stretches.
double cpu_seconds_since(std::clock_t start) { return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC; }

// The file is refused, quickly, and no single allocation is larger than a few times the file.
template <typename Parse>
void expect_cheap_refusal(const std::string& bytes, const std::string& what, Parse parse) {
  largest_allocation = 0;
  std::clock_t start = std::clock();
  bool accepted = parse(span_of(bytes), "f").has_value();
  double seconds = cpu_seconds_since(start);
  EXPECT_FALSE(accepted) << what;
  // Milliseconds, and a quarter of a second under the sanitizers; quadratic work would be minutes.
  EXPECT_LT(seconds, 2.0) << what;
  EXPECT_LT(largest_allocation.load(), 64 * bytes.size() + 4096) << what;
}

void expect_refused_gguf(const Bytes& b, const std::string& what) { expect_cheap_refusal(b.text, what, parse_gguf); }
void expect_refused_safetensors(const std::string& bytes, const std::string& what) {
  expect_cheap_refusal(bytes, what, parse_safetensors);
}

// Around every place where a sum or a product of sizes wraps.
std::vector<uint64_t> treacherous_numbers() {
  std::vector<uint64_t> out;
  for (int bit : {31, 32, 40, 56, 59, 60, 61, 62, 63}) {
    for (int64_t delta : {-33, -32, -8, -1, 0, 1, 7, 8, 32}) out.push_back((uint64_t{1} << bit) + static_cast<uint64_t>(delta));
  }
  for (uint64_t delta = 0; delta < 40; delta += 3) out.push_back(~uint64_t{0} - delta);
  return out;
}

TEST(Hostile, TheWatchSeesAllocations) {
  largest_allocation = 0;
  std::vector<char> memory(123456);
  EXPECT_GE(largest_allocation.load(), 123456u);
}

TEST(Hostile, GgufCounts) {
  for (uint64_t n : treacherous_numbers()) {
    std::string what = fmt::format("{}", n);
    expect_refused_gguf(Bytes{}.head(n, 0), "tensors " + what);
    expect_refused_gguf(Bytes{}.head(0, n), "keys " + what);
    expect_refused_gguf(Bytes{}.head(n, n).raw(std::string(4000, 0)), "both " + what);
    expect_refused_gguf(Bytes{}.head(0, 1).u64(n).raw("key"), "key length " + what);
    expect_refused_gguf(Bytes{}.head(0, 1).key("k", 8).u64(n).raw("text"), "string length " + what);
    expect_refused_gguf(Bytes{}.head(0, 1).key("k", 9).u32(8).u64(1).u64(n).raw("text"), "array string length " + what);
    for (uint32_t type = 0; type <= 12; type++) {
      expect_refused_gguf(Bytes{}.head(0, 1).key("k", 9).u32(type).u64(n).raw(std::string(64, 0)),
                          fmt::format("array of {} of type {}", n, type));
    }
    expect_refused_gguf(Bytes{}.head(1, 0).u64(n).raw(std::string(64, 'n')), "tensor name length " + what);
    expect_refused_gguf(Bytes{}.head(1, 0).string("w").u32(static_cast<uint32_t>(n)).raw(std::string(99, '\x7f')),
                        "rank " + what);
  }
}

TEST(Hostile, GgufShapesTypesAndOffsets) {
  for (const DTypeInfo& info : all_dtypes()) {
    if (info.gguf_id < 0) continue;
    uint32_t type = static_cast<uint32_t>(info.gguf_id);
    for (uint64_t n : treacherous_numbers()) {
      std::string what = fmt::format("{} of {}", info.name, n);
      auto file = [&](const std::vector<uint64_t>& dims, uint64_t offset) {
        return Bytes{}.head(1, 0).tensor("w", dims, type, offset).align(32).raw(std::string(4096, 0));
      };
      expect_refused_gguf(file({n}, 0), what);
      expect_refused_gguf(file({256, n}, 0), what);
      expect_refused_gguf(file({256, n, n}, 0), what);
      expect_refused_gguf(file({256, n, n, n}, 0), what);
      expect_refused_gguf(file({0, n, n, n}, 0), what + " with a zero: the product of the others is still a lie");
      expect_refused_gguf(file({256}, n), what + " as offset");
      // A product that wraps to a small number.
      uint64_t half = uint64_t{1} << 32;
      expect_refused_gguf(file({256, half, half}, 0), what);
      expect_refused_gguf(file({256, uint64_t{1} << 57}, 0), what);
    }
  }
}

TEST(Hostile, GgufSumsOfSizesAndAlignments) {
  uint64_t quarter = uint64_t{1} << 59;  // I64: 2^62 bytes each
  expect_refused_gguf(Bytes{}
                          .head(4, 0)
                          .tensor("a", {quarter}, 27, 0)
                          .tensor("b", {quarter}, 27, quarter * 8)
                          .tensor("c", {quarter}, 27, quarter * 16)
                          .tensor("d", {quarter}, 27, quarter * 24)
                          .align(32)
                          .raw(std::string(64, 0)),
                      "four quarters of 2^64");
  expect_refused_gguf(
      Bytes{}.head(1, 1).key("general.alignment", 4).u32(0x80000000u).tensor("a", {4}, 0, 0).raw(std::string(64, 0)),
      "an alignment past the end");
}

TEST(Hostile, GgufManyKeysAreReadInLinearTime) {
  constexpr uint64_t kKeys = 100'000;
  Bytes b;
  b.head(0, kKeys);
  for (uint64_t i = 0; i < kKeys; i++) b.key(fmt::format("k{}", i), 0).put(uint8_t{0});
  std::clock_t start = std::clock();
  EXPECT_TRUE(parse_gguf(span_of(b.text), "f").has_value());
  double seconds = cpu_seconds_since(start);
  EXPECT_LT(seconds, 5.0);
}

TEST(Hostile, SafetensorsNumbers) {
  for (uint64_t n : treacherous_numbers()) {
    std::string what = fmt::format("{}", n);
    expect_refused_safetensors(Bytes{}.u64(n).raw("{}").text, "header length " + what);
    for (std::string_view dtype : {"F32", "I64", "U8", "F4", "C64"}) {
      auto one = [&](const std::string& shape, uint64_t begin, uint64_t end) {
        return safetensors_bytes(
            fmt::format(R"({{"w":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}}}})", dtype, shape, begin, end),
            std::string(16, 0));
      };
      expect_refused_safetensors(one(fmt::format("[{}]", n), 0, 16), "shape " + what);
      expect_refused_safetensors(one(fmt::format("[{},{}]", n, n), 0, 16), "shape^2 " + what);
      expect_refused_safetensors(one(fmt::format("[4294967296,4294967296,{}]", n), 0, 16), "shape wraps " + what);
      expect_refused_safetensors(one(fmt::format("[{}]", n), 0, n), "shape and end " + what);
      expect_refused_safetensors(one("[16]", n, n + 16), "begin " + what);
      expect_refused_safetensors(one("[16]", 0, n), "end " + what);
      expect_refused_safetensors(one("[4]", n, 16), "begin only " + what);
      if (n < uint64_t{1} << 32) continue;  // n x n is a valid shape
      expect_refused_safetensors(
          safetensors_bytes(fmt::format(R"({{"w":{{"dtype":"{}","shape":[0,{},{}],"data_offsets":[0,0]}}}})", dtype, n, n)),
          "zero " + what + ": the product of the others is still a lie");
    }
  }
}

TEST(Hostile, SafetensorsStructuresThatWouldFillMemory) {
  constexpr size_t kSize = 1 << 20;
  std::string deep(kSize, '[');
  expect_refused_safetensors(safetensors_bytes(deep), "deep array");
  std::string deep_objects;
  while (deep_objects.size() < kSize) deep_objects += R"({"a":)";
  expect_refused_safetensors(safetensors_bytes(deep_objects), "deep objects");
  std::string zeros;
  while (zeros.size() < kSize) zeros += "0,";
  expect_refused_safetensors(safetensors_bytes(R"({"w":{"dtype":"U8","shape":[)" + zeros + "0]}}"), "long shape");
  expect_refused_safetensors(safetensors_bytes(R"({"w":{"dtype":"U8","shape":[0],"data_offsets":[)" + zeros + "0]}}"),
                             "many offsets");
  expect_refused_safetensors(safetensors_bytes("{\"w\":\"" + std::string(kSize, 'x')), "long string");
  expect_refused_safetensors(safetensors_bytes("{\"w\":" + std::string(kSize, '9')), "long number");
}

}  // namespace
}  // namespace minke
