#include "format/safetensors.h"

#include "base/json.h"
#include "format/bytes.h"
#include "format/check.h"
#include "support/support.h"

namespace minke {
namespace {

using testing::safetensors_bytes;
using testing::span_of;
using testing::value_of;

Result<SafetensorsHeader> parse_bytes(const std::string& bytes) { return parse_safetensors(span_of(bytes), "f"); }
Result<SafetensorsHeader> parse_header(std::string_view header, size_t n_data = 0) {
  return parse_bytes(safetensors_bytes(header, std::string(n_data, 'x')));
}

std::string put(const testing::TemporaryDirectory& folder, const std::string& name, std::string_view bytes) {
  value_of(write_file(folder.file(name), bytes));
  return folder.file(name);
}

TEST(Safetensors, ReadsEntriesAndMetadata) {
  SafetensorsHeader header = value_of(parse_bytes(testing::good_safetensors()));
  ASSERT_EQ(header.entries.size(), 3u);
  EXPECT_EQ(header.entries[1].name, "b");
  EXPECT_EQ(header.entries[1].dtype, "BF16");
  EXPECT_EQ(header.entries[0].shape, (Shape{2, 3}));
  EXPECT_TRUE(header.entries[2].shape.empty());
  EXPECT_EQ(header.entries[1].end - header.entries[1].begin, 4u);
  EXPECT_EQ(header.entries[2].end, testing::good_safetensors().size()) << "offsets count from the start of the file";
  EXPECT_EQ(header.metadata, (StringMap{{"format", "pt"}}));
}

TEST(Safetensors, OrderOfNamesNeedNotBeTheOrderOfData) {
  auto header = value_of(parse_header(
      R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
      R"("e":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}})",
      2));
  EXPECT_EQ(header.entries[0].name, "a");
  EXPECT_EQ(header.entries[1].name, "e") << "an empty tensor between two others";
  EXPECT_EQ(header.entries[2].name, "b");
}

TEST(Safetensors, EveryDTypeOfTheFormatIsAcceptedByCheck) {
  testing::TemporaryDirectory folder;
  struct Case {
    std::string_view dtype;
    int bits;
    bool loads;
  };
  for (Case c : std::initializer_list<Case>{
           {"BOOL", 8, true},    {"F4", 4, false},          {"F6_E2M3", 6, false},     {"F6_E3M2", 6, false},
           {"U8", 8, true},      {"I8", 8, true},           {"F8_E5M2", 8, true},      {"F8_E4M3", 8, true},
           {"F8_E8M0", 8, true}, {"F8_E4M3FNUZ", 8, false}, {"F8_E5M2FNUZ", 8, false}, {"I16", 16, true},
           {"U16", 16, true},    {"F16", 16, true},         {"BF16", 16, true},        {"I32", 32, true},
           {"U32", 32, true},    {"F32", 32, true},         {"C64", 64, false},        {"F64", 64, true},
           {"I64", 64, true},    {"U64", 64, true}}) {
    int n_bytes = 4 * c.bits / 8;
    std::string header = fmt::format(R"({{"w":{{"dtype":"{}","shape":[2,2],"data_offsets":[0,{}]}}}})", c.dtype, n_bytes);
    std::string path = put(folder, "x.safetensors", safetensors_bytes(header, std::string(static_cast<size_t>(n_bytes), 'x')));
    EXPECT_TRUE(check_model_file(path).has_value()) << c.dtype;
    auto file = open_safetensors(path);
    EXPECT_EQ(file.has_value(), c.loads) << c.dtype;
    if (!c.loads)
      EXPECT_ERROR(file, fmt::format("tensor \"w\": dtype {} is valid in safetensors, but minke cannot compute", c.dtype));
  }
  EXPECT_ERROR(parse_header(R"({"w":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})", 1), "12 bits do not end on a byte");
  EXPECT_ERROR(parse_header(R"({"w":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}})", 4), "unknown dtype \"f32\"");
}

TEST(Safetensors, TheHeaderIsStrict) {
  EXPECT_ERROR(parse_header("[]"), "expected an object, got an array");
  EXPECT_ERROR(parse_header(R"({"w":3})"), "tensor \"w\": expected an object, got 3");
  EXPECT_ERROR(parse_header(R"({"w":{"dtype":1}})"), "tensor \"w\": dtype: expected a string, got 1");
  EXPECT_ERROR(parse_header(R"({"w":{"shape":{}}})"), "shape: expected an array, got an object");
  EXPECT_ERROR(parse_header(R"({"w":{"shape":[true]}})"), "shape: expected unsigned integers, got a bool");
  EXPECT_ERROR(parse_header(R"({"w":{"shape":[9223372036854775808]}})"),
               "shape: expected unsigned integers, got 9223372036854775808");
  EXPECT_ERROR(parse_header(R"({"w":{"data_offsets":[1]}})"), "data_offsets: expected two unsigned integers, got 1");
  EXPECT_ERROR(parse_header(R"({"w":{"data_offsets":[0,18446744073709551616]}})"),
               "data_offsets: expected two unsigned integers");
  EXPECT_ERROR(parse_header(R"({"w":{"data_offsets":[[0],1]}})"), "data_offsets: expected two unsigned integers, got an array");
  EXPECT_ERROR(parse_header(R"({"w":{"dtype":"U8","dtype":"U8"}})"), "tensor \"w\": dtype appears twice");
  EXPECT_ERROR(parse_header(R"({"w":{"dtype":"U8","data_offsets":[0,0]}})"), "tensor \"w\": shape is missing");
  EXPECT_ERROR(parse_header(R"({"__metadata__":{},"__metadata__":{}})"), "appears twice");
  EXPECT_ERROR(parse_header(R"({"__metadata__":{"a":"1","a":"2"}})"), "__metadata__ \"a\": appears twice");
  EXPECT_ERROR(parse_header(R"({"__metadata__":{"a":{}}})"), "__metadata__ \"a\": expected a string, got an object");
  EXPECT_ERROR(parse_header(std::string_view("{}\0\0", 4)), "NUL at byte 10");
  EXPECT_ERROR(parse_header("\xEF\xBB\xBF{}"), "not valid JSON at byte 8");
  EXPECT_ERROR(parse_header(R"({"w":{"dtype":"U8","shape":[)" +
                            [] {
                              std::string s;
                              for (int i = 0; i < 70; i++) s += "1,";
                              return s;
                            }() +
                            "1]}}"),
               "more than 64 dimensions");
  EXPECT_ERROR(parse_header("{\"\xC3\":1}"), "ill-formed UTF-8");
  EXPECT_ERROR(parse_header(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[18446744073709551615,0]}})", 1),
               "expected begin <= end");
  EXPECT_TRUE(parse_header("{}   \n").has_value());
}

TEST(Safetensors, WhatIsNotSafetensorsIsNamed) {
  EXPECT_ERROR(parse_bytes(""), "the file is empty");
  EXPECT_ERROR(parse_bytes("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 5\n"), "Git LFS pointer");
  EXPECT_ERROR(parse_bytes("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 5\n"), "minke pull");
  EXPECT_ERROR(parse_bytes("PK\x03\x04\x14\x08\x08\x08 archive/data.pkl"), "can run any code");
  EXPECT_ERROR(parse_bytes(std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20", 10)), "can run any code");
  EXPECT_ERROR(parse_bytes("<!DOCTYPE html><html><body>502 Bad Gateway"), "web page");
  EXPECT_ERROR(parse_bytes("\n\n <HTML><body>"), "web page");
  EXPECT_ERROR(parse_bytes("{\"error\":\"Repository not found\"}"), "JSON text");
  EXPECT_ERROR(parse_bytes("Access to model x is restricted."), "this is text");
  EXPECT_ERROR(parse_bytes(testing::good_gguf()), "this is a GGUF file");
  EXPECT_ERROR(parse_bytes(std::string("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10)), "gzip");
  EXPECT_ERROR(parse_bytes("\x01\x02\x03"), "truncated: expected at least 8 bytes, got 3");
}

TEST(Safetensors, AHeaderLengthThatLooksLikeAPickleIsNone) {
  std::string header = "{}" + std::string(0x280 - 2, ' ');  // the length's first bytes are 80 02, those of a pickle
  EXPECT_TRUE(parse_header(header).has_value());
}

class SafetensorsModel : public ::testing::Test {
 protected:
  testing::TemporaryDirectory folder_;
  // A file with U8 tensors of one byte each.
  void shard(const std::string& name, const std::vector<std::string>& tensors) {
    std::string header = "{";
    for (size_t i = 0; i < tensors.size(); i++) {
      header +=
          fmt::format(R"({}"{}":{{"dtype":"U8","shape":[1],"data_offsets":[{},{}]}})", i == 0 ? "" : ",", tensors[i], i, i + 1);
    }
    put(folder_, name, safetensors_bytes(header + "}", std::string(tensors.size(), 'x')));
  }
  void index(std::string_view weight_map) {
    put(folder_, "model.safetensors.index.json", fmt::format(R"({{"metadata":{{}},"weight_map":{}}})", weight_map));
  }
  Result<SafetensorsFile> open() { return open_safetensors(folder_.path().string()); }
  static constexpr const char* kA = "model-00001-of-00002.safetensors";
  static constexpr const char* kB = "model-00002-of-00002.safetensors";
  void good() {
    shard(kA, {"a", "b"});
    shard(kB, {"c"});
    index(
        R"({"a":"model-00001-of-00002.safetensors","b":"model-00001-of-00002.safetensors","c":"model-00002-of-00002.safetensors"})");
  }
};

TEST_F(SafetensorsModel, OpensShardsFromTheFolderTheIndexOrAShard) {
  good();
  for (std::string path : {folder_.path().string(), folder_.file("model.safetensors.index.json"), folder_.file(kB)}) {
    SafetensorsFile file = value_of(open_safetensors(path));
    EXPECT_EQ(file.tensors.size(), 3u) << path;
    EXPECT_NE(file.tensors.find("c"), nullptr);
  }
  std::filesystem::remove(folder_.file("model.safetensors.index.json"));
  EXPECT_ERROR(open_safetensors(folder_.file(kB)), "is one of several weight files");
}

TEST_F(SafetensorsModel, MissingShardsAreCountedAndNamed) {
  good();
  std::filesystem::remove(folder_.file(kB));
  EXPECT_ERROR(open(), "1 of 2 weight files are missing, the first is model-00002-of-00002.safetensors");
}

TEST_F(SafetensorsModel, TheIndexMustAgreeWithTheShards) {
  good();
  shard(kA, {"a", "b", "extra"});
  EXPECT_ERROR(open(), "tensor \"extra\" is not in the weight_map");
  shard(kA, {"a"});
  EXPECT_ERROR(
      open(),
      "1 of 3 tensors of model.safetensors.index.json are missing, the first is \"b\", expected in model-00001-of-00002");
  shard(kA, {"a", "b", "c"});
  EXPECT_ERROR(open(),
               "tensor \"c\" is in this file, but model.safetensors.index.json places it in model-00002-of-00002.safetensors");
  shard(kA, {"a", "b"});
  shard(kB, {"c", "a"});
  EXPECT_ERROR(open(), "tensor \"a\" is in this file, but");
  good();
  put(folder_, kB, "version https://git-lfs.github.com/spec/v1\n");
  EXPECT_ERROR(open(), "Git LFS pointer");
}

TEST_F(SafetensorsModel, TheIndexCannotReachOutOfTheFolder) {
  shard("model.x.safetensors", {"a"});
  for (const char* name : {"../a.safetensors", "/etc/a.safetensors", "sub/a.safetensors", "..", "", "a..b.safetensors",
                           "a\\\\b.safetensors", "a\\u0000.safetensors", "a.bin"}) {
    index(fmt::format(R"({{"a":"{}"}})", name));
    EXPECT_ERROR(open(), "expected the name of a .safetensors file in the same folder");
  }
  index(R"({"a":7})");
  EXPECT_ERROR(open(), "tensor \"a\": expected a file name");
  index("{}");
  EXPECT_ERROR(open(), "weight_map is empty");
  index("[]");
  EXPECT_ERROR(open(), "weight_map: expected an object");
  put(folder_, "model.safetensors.index.json", "[]");
  EXPECT_ERROR(open(), "expected an object");
  index(R"({"a":"model.x.safetensors","a":"model.x.safetensors"})");
  EXPECT_ERROR(open(), "duplicate key");
}

TEST_F(SafetensorsModel, AFolderMustSayWhichWeightsCount) {
  EXPECT_ERROR(open(), "no model: expected model.safetensors");
  put(folder_, "pytorch_model.bin", "x");
  EXPECT_ERROR(open(), "\"pytorch_model.bin\": PyTorch weights of this kind are a pickle");
  shard("adapter.safetensors", {"a"});
  EXPECT_ERROR(open(), "found only \"adapter.safetensors\"");
  shard("model.safetensors", {"a"});
  EXPECT_EQ(value_of(open()).tensors.size(), 1u);
  index(R"({"a":"model.safetensors"})");
  EXPECT_ERROR(open(), "has both");
}

TEST_F(SafetensorsModel, PickleNamesAreRefused) {
  for (const char* name : {"m.bin", "m.pt", "m.pth", "m.ckpt", "m.pkl"}) {
    EXPECT_ERROR(open_safetensors(put(folder_, name, testing::good_safetensors())), "can run any code");
    EXPECT_ERROR(open_safetensors(put(folder_, name, "\x01\x02\x03\x04\x05\x06\x07\x08\x09")), "can run any code");
    EXPECT_ERROR(open_safetensors(put(folder_, name, "version https://git-lfs.github.com/spec/v1\n")), "LFS pointer");
  }
}

}  // namespace
}  // namespace minke
