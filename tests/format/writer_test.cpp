#include <filesystem>

#include "format/bytes.h"
#include "format/gguf_writer.h"
#include "format/model_file.h"
#include "format/safetensors_writer.h"
#include "support/support.h"

namespace minke {
namespace {

using testing::value_of;

std::vector<TensorSource> sources_of(const TensorMap& tensors) {
  std::vector<TensorSource> sources;
  for (const auto& entry : tensors.entries()) sources.push_back(tensor_source(entry.name, entry.view));
  return sources;
}

TensorSource bytes_source(std::string name, size_t n_bytes, char fill) {
  return {std::move(name), DType::kU8, {static_cast<int64_t>(n_bytes)}, [n_bytes, fill](const ByteSink& sink) -> Status {
            std::string chunk(1, fill);
            for (size_t i = 0; i < n_bytes; i++) TRY(sink(testing::span_of(chunk)));
            return {};
          }};
}

size_t n_files(const std::filesystem::path& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

class Writer : public ::testing::Test {
 protected:
  testing::TemporaryDirectory folder_;
  std::string text(const std::string& name) { return value_of(read_file(folder_.file(name), 1 << 20)); }
};

TEST_F(Writer, SafetensorsBytesAreThoseOfTheFormat) {
  std::vector<TensorSource> sources = {bytes_source("a", 3, 'x'), bytes_source("b\n", 2, 'y')};
  value_of(write_safetensors(folder_.file("f"), sources));
  std::string header = R"({"__metadata__":{"format":"pt"},"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
                       R"("b\n":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}})";
  while (header.size() % 8 != 0) header += ' ';
  EXPECT_EQ(text("f"), testing::safetensors_bytes(header, "xxxyy"));
  EXPECT_EQ(n_files(folder_.path()), 1u);
}

TEST_F(Writer, SafetensorsRoundTripIsExact) {
  value_of(write_file(folder_.file("0.safetensors"), testing::good_safetensors()));
  SafetensorsFile first = value_of(open_safetensors(folder_.file("0.safetensors")));
  value_of(write_safetensors(folder_.file("1.safetensors"), sources_of(first.tensors), {first.metadata}));
  SafetensorsFile second = value_of(open_safetensors(folder_.file("1.safetensors")));
  EXPECT_EQ(second.tensors.find("b")->dtype, DType::kBF16);
  EXPECT_TRUE(second.tensors.find("s")->shape.empty());
  value_of(write_safetensors(folder_.file("2.safetensors"), sources_of(second.tensors), {second.metadata}));
  EXPECT_EQ(text("1.safetensors"), text("2.safetensors"));
}

TEST_F(Writer, SafetensorsShards) {
  std::vector<TensorSource> sources = {bytes_source("a", 6, 'a'), bytes_source("b", 4, 'b'), bytes_source("c", 1, 'c'),
                                       bytes_source("big", 25, 'g'), bytes_source("d", 1, 'd')};
  SafetensorsOptions options;
  options.max_shard_bytes = 10;
  value_of(write_safetensors_model(folder_.path().string(), sources, options));
  EXPECT_EQ(n_files(folder_.path()), 5u) << "a b | c | big | d, and the index";
  SafetensorsFile model = value_of(open_safetensors(folder_.path().string()));
  EXPECT_EQ(model.tensors.size(), 5u);
  EXPECT_EQ(model.tensors.find("big")->data[24], std::byte{'g'});
  EXPECT_NE(text("model.safetensors.index.json").find("\"total_size\": 37"), std::string::npos);
  EXPECT_NE(text("model.safetensors.index.json").find("\"b\": \"model-00001-of-00004.safetensors\""), std::string::npos);
  // Fewer shards over the old ones: the index decides what counts.
  options.max_shard_bytes = 30;
  value_of(write_safetensors_model(folder_.path().string(), sources, options));
  EXPECT_EQ(value_of(open_safetensors(folder_.path().string())).tensors.size(), 5u);
  options.max_shard_bytes = 100;
  EXPECT_ERROR(write_safetensors_model(folder_.path().string(), sources, options), "already has model.safetensors.index.json");
}

TEST_F(Writer, OneFileWhenEverythingFits) {
  SafetensorsOptions options;
  options.max_shard_bytes = 10;
  std::vector<TensorSource> sources = {bytes_source("a", 10, 'a')};
  value_of(write_safetensors_model(folder_.path().string(), sources, options));
  EXPECT_TRUE(std::filesystem::exists(folder_.file("model.safetensors")));
  options.max_shard_bytes = 5;
  sources.push_back(bytes_source("b", 1, 'b'));
  EXPECT_ERROR(write_safetensors_model(folder_.path().string(), sources, options), "already has model.safetensors");
}

TEST_F(Writer, AFailureLeavesNothing) {
  TensorSource failing{"z", DType::kF32, {4}, [](const ByteSink& sink) -> Status {
                         TRY(sink(testing::span_of("1234")));
                         return error("the source broke");
                       }};
  std::vector<TensorSource> sources = {bytes_source("a", 6, 'a'), failing};
  SafetensorsOptions options;
  options.max_shard_bytes = 6;
  EXPECT_ERROR(write_safetensors_model(folder_.path().string(), sources, options), "the source broke");
  EXPECT_ERROR(write_safetensors(folder_.file("x"), sources), "the source broke");
  sources[0].dtype = DType::kI8;
  EXPECT_ERROR(write_gguf(folder_.file("x.gguf"), {}, sources), "the source broke");
  EXPECT_ERROR(write_gguf_parts(folder_.file("x"), {}, sources, 6), "the source broke");
  EXPECT_EQ(n_files(folder_.path()), 0u);
}

TEST_F(Writer, AFullDiskLeavesNothing) {
  std::vector<TensorSource> sources = {bytes_source("a", 6, 'a'), bytes_source("b", 6, 'a')};
  std::filesystem::create_symlink("/dev/full", folder_.file("x.incomplete"));  // answers every write with ENOSPC
  EXPECT_ERROR(write_safetensors(folder_.file("x"), sources), "No space left");
  std::filesystem::create_symlink("/dev/full", folder_.file("model-00002-of-00002.safetensors.incomplete"));
  SafetensorsOptions options;
  options.max_shard_bytes = 6;
  EXPECT_ERROR(write_safetensors_model(folder_.path().string(), sources, options), "No space left");
  EXPECT_EQ(n_files(folder_.path()), 0u) << "the first shard was written whole, but must not be seen";
  for (TensorSource& source : sources) source.dtype = DType::kI8;
  std::filesystem::create_symlink("/dev/full", folder_.file("x-00002-of-00002.gguf.incomplete"));
  EXPECT_ERROR(write_gguf_parts(folder_.file("x"), {}, sources, 6), "No space left");
  EXPECT_EQ(n_files(folder_.path()), 0u);
}

TEST_F(Writer, SourcesThatDisagreeWithTheirShapeAreRefused) {
  auto with_bytes = [](size_t n) {
    return TensorSource{
        "w", DType::kF32, {2}, [n](const ByteSink& sink) { return sink(testing::span_of(std::string(n, 'x'))); }};
  };
  std::vector<TensorSource> sources = {with_bytes(7)};
  EXPECT_ERROR(write_safetensors(folder_.file("x"), sources), "tensor \"w\": expected 8 bytes, got 7");
  sources = {with_bytes(9)};
  EXPECT_ERROR(write_gguf(folder_.file("x"), {}, sources), "tensor \"w\": expected 8 bytes, got 9 or more");
  sources = {with_bytes(8), with_bytes(8)};
  EXPECT_ERROR(write_safetensors(folder_.file("x"), sources), "tensor \"w\" appears twice");
  EXPECT_ERROR(write_gguf(folder_.file("x"), {}, sources), "tensor \"w\" appears twice");
}

TEST_F(Writer, WhatAFormatCannotHoldIsRefused) {
  auto one = [](std::string name, DType dtype, Shape shape) {
    return std::vector<TensorSource>{{std::move(name), dtype, std::move(shape), [](const ByteSink&) -> Status { return {}; }}};
  };
  EXPECT_ERROR(write_safetensors(folder_.file("x"), one("w", DType::kQ8_0, {32})), "safetensors has no dtype q8_0");
  EXPECT_ERROR(write_safetensors(folder_.file("x"), one("__metadata__", DType::kF32, {1})), "keeps this name");
  EXPECT_ERROR(write_safetensors(folder_.file("x"), one("\xff", DType::kF32, {1})), "not valid UTF-8");
  EXPECT_ERROR(write_gguf(folder_.file("x"), {}, one("w", DType::kF8E4M3, {32})), "GGUF has no dtype f8e4m3");
  EXPECT_ERROR(write_gguf(folder_.file("x"), {}, one("w", DType::kF32, {1, 1, 1, 1, 1})), "at most 4 dimensions");
  EXPECT_ERROR(write_gguf(folder_.file("x"), {}, one(std::string(64, 'n'), DType::kF32, {1})), "at most 63 bytes");
  EXPECT_ERROR(write_gguf(folder_.file("x"), {}, one("w", DType::kQ8_0, {31})), "not a multiple");
  GgufMetadata odd;
  odd.set("general.alignment", GgufValue::u32(33));
  EXPECT_ERROR(write_gguf(folder_.file("x"), odd, {}), "expected a power of two");
}

TEST_F(Writer, GgufRoundTripIsExact) {
  std::string whole = testing::good_gguf();
  value_of(write_file(folder_.file("a.gguf"), whole));
  GgufFile file = value_of(open_gguf(folder_.file("a.gguf")));
  value_of(write_gguf(folder_.file("b.gguf"), file.metadata, sources_of(file.tensors)));
  EXPECT_EQ(text("b.gguf"), whole);
}

TEST_F(Writer, GgufEveryValueTypeAndAlignmentRoundTrips) {
  testing::Bytes b;
  b.head(1, 14).key("general.alignment", 4).u32(64).key("u8", 0).put(uint8_t{200}).key("i8", 1).put(int8_t{-3});
  b.key("u16", 2).put(uint16_t{60000}).key("i16", 3).put(int16_t{-300}).key("i32", 5).put(int32_t{-5}).key("f32", 6).put(0.1f);
  b.key("bool", 7).put(uint8_t{1}).key("u64", 10).u64(~uint64_t{0}).key("i64", 11).put(int64_t{-7}).key("f64", 12).put(0.1);
  b.key("i8s", 9).u32(1).u64(2).put(int8_t{-1}).put(int8_t{2}).key("bools", 9).u32(7).u64(2).put(uint8_t{0}).put(uint8_t{1});
  b.key("none", 9).u32(8).u64(0).tensor("t", {2, 3}, 1, 0).align(64).raw("0123456789ab").align(64);
  value_of(write_file(folder_.file("a.gguf"), b.text));
  GgufFile file = value_of(open_gguf(folder_.file("a.gguf")));
  value_of(write_gguf(folder_.file("b.gguf"), file.metadata, sources_of(file.tensors)));
  EXPECT_EQ(text("b.gguf"), b.text);
}

TEST_F(Writer, GgufParts) {
  GgufMetadata metadata;
  metadata.set("general.architecture", GgufValue::string("llama"));
  metadata.set("general.alignment", GgufValue::u32(64));
  std::vector<TensorSource> sources = {bytes_source("a", 6, 'a'), bytes_source("b", 5, 'b'), bytes_source("c", 4, 'c')};
  for (TensorSource& source : sources) source.dtype = DType::kI8;
  value_of(write_gguf_parts(folder_.file("m"), metadata, sources, 9));
  EXPECT_EQ(n_files(folder_.path()), 2u);
  GgufFile file = value_of(open_gguf(folder_.file("m-00002-of-00002.gguf")));
  EXPECT_EQ(file.tensors.size(), 3u);
  EXPECT_EQ(file.tensors.find("c")->data[3], std::byte{'c'});
  EXPECT_EQ(value_of(file.metadata.string("general.architecture")), "llama");
  value_of(write_gguf_parts(folder_.file("one"), metadata, sources, 100));
  EXPECT_EQ(value_of(open_gguf(folder_.file("one.gguf"))).tensors.size(), 3u);
}

}  // namespace
}  // namespace minke
