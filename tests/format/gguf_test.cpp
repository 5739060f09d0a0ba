#include "format/gguf.h"

#include "format/bytes.h"
#include "support/support.h"

namespace minke {
namespace {

using testing::Bytes;
using testing::span_of;
using testing::value_of;

Result<GgufFile> parse(const std::string& bytes) { return parse_gguf(span_of(bytes), "f"); }

TEST(Gguf, ReadsEveryValueType) {
  Bytes b;
  b.head(0, 13).key("u8", 0).put(uint8_t{200}).key("i8", 1).put(int8_t{-3}).key("u16", 2).put(uint16_t{60000});
  b.key("i16", 3).put(int16_t{-300}).key("u32", 4).u32(4000000000u).key("i32", 5).put(int32_t{-5}).key("f32", 6).put(0.5f);
  b.key("bool", 7)
      .put(uint8_t{1})
      .key("string", 8)
      .string("text")
      .key("u64", 10)
      .u64(~uint64_t{0})
      .key("i64", 11)
      .put(int64_t{-7});
  b.key("f64", 12).put(0.1).key("array", 9).u32(3).u64(2).put(int16_t{-1}).put(int16_t{2});
  GgufMetadata m = value_of(parse(b.text)).metadata;
  EXPECT_EQ(value_of(m.integer("u8")), 200);
  EXPECT_EQ(value_of(m.integer("i8")), -3);
  EXPECT_EQ(value_of(m.integer("u16")), 60000);
  EXPECT_EQ(value_of(m.integer("i16")), -300);
  EXPECT_EQ(value_of(m.integer("u32")), 4000000000);
  EXPECT_EQ(value_of(m.integer("i32")), -5);
  EXPECT_EQ(value_of(m.number("f32")), 0.5);
  EXPECT_TRUE(value_of(m.boolean("bool")));
  EXPECT_EQ(value_of(m.string("string")), "text");
  EXPECT_ERROR(m.integer("u64"), "at most 2^63-1");
  EXPECT_EQ(value_of(m.integer("i64")), -7);
  EXPECT_EQ(value_of(m.number("f64")), 0.1);
  EXPECT_EQ(value_of(m.number("i64")), -7.0) << "an integer is a number";
  EXPECT_EQ(value_of(m.integers("array")), (std::vector<int64_t>{-1, 2}));
  EXPECT_EQ(m.entries()[0].first, "u8") << "file order";
}

TEST(Gguf, LookUpsNameTheKeyAndTheTypes) {
  GgufMetadata m;
  m.set("a", GgufValue::string("x"));
  m.set("b", GgufValue::f32s({1, 2}));
  m.set("flags", {GgufType::kArray, GgufType::kBool, std::vector<uint64_t>{1}});
  EXPECT_ERROR(m.integer("none"), "key \"none\" is missing");
  EXPECT_ERROR(m.integer("a"), "key \"a\": expected an integer, got string");
  EXPECT_ERROR(m.integers("b"), "key \"b\": expected array of integers, got array of f32");
  EXPECT_ERROR(m.integers("flags"), "got array of bool");
  EXPECT_ERROR(m.boolean("a"), "expected bool");
  EXPECT_ERROR(m.strings("a"), "expected array of string, got string");
  m.set("a", GgufValue::u32(5));
  EXPECT_EQ(value_of(m.integer("a")), 5) << "set replaces";
  EXPECT_EQ(m.entries().size(), 3u);
}

TEST(Gguf, ReadsTensorsWithReversedShapes) {
  std::string bytes = testing::good_gguf();
  GgufFile file = value_of(parse(bytes));
  ASSERT_EQ(file.tensors.size(), 3u);
  const TensorView* a = file.tensors.find("a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->shape, (Shape{2, 3})) << "the file says [3, 2], contiguous axis first";
  EXPECT_EQ(a->dtype, DType::kF32);
  EXPECT_EQ(a->data[0], std::byte{0x11});
  EXPECT_EQ(file.tensors.find("b")->dtype, DType::kQ8_0);
  EXPECT_EQ(file.tensors.find("b")->data[33], std::byte{0x22});
  EXPECT_EQ(file.tensors.find("c")->data[15], std::byte{0x33});
  EXPECT_EQ(value_of(file.metadata.strings("tokens")), (std::vector<std::string>{"a", "bc"}));
}

TEST(Gguf, MayEndWithoutThePaddingOfTheLastTensor) {
  std::string bytes = testing::good_gguf();
  EXPECT_TRUE(parse(bytes.substr(0, bytes.size() - 16)).has_value());
  EXPECT_ERROR(parse(bytes.substr(0, bytes.size() - 17)), "tensor \"c\": truncated");
}

TEST(Gguf, AScalarHasNoDimensions) {
  std::string bytes = Bytes{}.head(1, 0).tensor("s", {}, 0, 0).align(32).put(3.0f).text;
  EXPECT_TRUE(value_of(parse(bytes)).tensors.find("s")->shape.empty());
}

TEST(Gguf, TypesOfGgmlThatAreNotOursAreNamed) {
  auto with_type = [](uint32_t type) {
    return Bytes{}.head(1, 0).tensor("w", {256}, type, 0).align(32).raw(std::string(4096, 0)).text;
  };
  EXPECT_ERROR(parse(with_type(16)), "tensor \"w\": type IQ2_XXS (16) is not supported");
  EXPECT_ERROR(parse(with_type(34)), "type TQ1_0 (34) is not supported");
  EXPECT_ERROR(parse(with_type(39)), "MXFP4");
  EXPECT_ERROR(parse(with_type(4)), "it was removed from the format");
  EXPECT_ERROR(parse(with_type(77)), "unknown tensor type 77");
  EXPECT_ERROR(parse(with_type(~0u)), "unknown tensor type 4294967295");
  for (const DTypeInfo& info : all_dtypes()) {
    if (info.gguf_id < 0) continue;
    EXPECT_TRUE(parse(with_type(static_cast<uint32_t>(info.gguf_id))).has_value()) << info.name;
  }
}

TEST(Gguf, RefusalsSayWhatIsWrong) {
  EXPECT_ERROR(parse(Bytes{}.raw("GGUF").put(uint32_t{0x03000000}).u64(0).u64(0).text), "big-endian");
  EXPECT_ERROR(parse(Bytes{}.head(0, 0, 1).text), "expected GGUF version 2 or 3, got 1");
  EXPECT_TRUE(parse(Bytes{}.head(0, 0, 2).text).has_value());
  EXPECT_ERROR(parse(Bytes{}.head(0, 1).key("k", 7).put(uint8_t{2}).raw("xx").text), "expected a bool of 0 or 1, got 2");
  EXPECT_ERROR(parse(Bytes{}.head(0, 1).key("k", 9).u32(7).u64(2).raw(std::string_view("\1\3", 2)).text),
               "expected a bool of 0 or 1, got 3");
  EXPECT_ERROR(parse(Bytes{}.head(0, 2).key("k", 4).u32(1).key("k", 4).u32(1).text), "key \"k\" appears twice");
  EXPECT_ERROR(parse(Bytes{}.head(0, 1).key("", 4).u32(1).text), "has no name");
  EXPECT_ERROR(parse(Bytes{}.head(0, 1).key("\xff", 4).u32(1).text), "key \"\\xff\" is not valid UTF-8");
  EXPECT_ERROR(parse(Bytes{}.head(0, 1).key("general.alignment", 10).u64(32).text), "expected u32, got u64");
  EXPECT_ERROR(parse(Bytes{}.head(1, 0).tensor("\x1b[2J", {1}, 99, 0).text), "tensor \"\\x1b[2J\": unknown tensor type");
  EXPECT_ERROR(parse(Bytes{}.head(1, 0).tensor("w", {1, ~uint64_t{0}}, 0, 0).text), "tensor \"w\": dimension 1 is -1");
  std::string twice = Bytes{}.head(2, 0).tensor("w", {8}, 0, 0).tensor("w", {8}, 0, 32).align(32).raw(std::string(64, 0)).text;
  EXPECT_ERROR(parse(twice), "tensor \"w\": appears twice");
  EXPECT_ERROR(parse(testing::good_safetensors()), "this is a safetensors file");
}

}  // namespace
}  // namespace minke
