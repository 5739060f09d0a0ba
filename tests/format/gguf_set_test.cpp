#include "base/file.h"
#include "format/bytes.h"
#include "format/gguf.h"
#include "support/support.h"

namespace minke {
namespace {

using testing::Bytes;
using testing::value_of;

class GgufSet : public ::testing::Test {
 protected:
  struct Part {
    std::string tensor;
    uint16_t no = 0, count = 3;
    int32_t n_tensors = 3;
    uint32_t alignment = 32;
  };
  testing::TemporaryDirectory folder_;

  std::string path(int i) { return folder_.file(fmt::format("m-{:05}-of-00003.gguf", i + 1)); }
  void write(const std::string& file, const Part& p, bool with_keys = true) {
    Bytes b;
    b.head(1, with_keys ? 5 : 2).key("general.alignment", 4).u32(p.alignment).key("part", 8).string(p.tensor);
    if (with_keys)
      b.key("split.no", 2).put(p.no).key("split.count", 2).put(p.count).key("split.tensors.count", 5).put(p.n_tensors);
    b.tensor(p.tensor, {1}, 0, 0).align(p.alignment).put(1.0f);
    value_of(write_file(file, b.text));
  }
  void good() {
    for (int i = 0; i < 3; i++) write(path(i), {fmt::format("t{}", i), static_cast<uint16_t>(i)});
  }
};

TEST_F(GgufSet, OpensFromAnyPart) {
  good();
  for (int i = 0; i < 3; i++) {
    GgufFile file = value_of(open_gguf(path(i)));
    EXPECT_EQ(file.tensors.size(), 3u);
    EXPECT_EQ(*reinterpret_cast<const float*>(file.tensors.find("t2")->data), 1.0f);
    EXPECT_EQ(value_of(file.metadata.string("part")), "t0") << "the metadata is that of the first part";
  }
}

TEST_F(GgufSet, MissingPartsAreCountedAndNamed) {
  good();
  std::filesystem::remove(path(1));
  EXPECT_ERROR(open_gguf(path(0)), "1 of 3 parts are missing, the first is");
  EXPECT_ERROR(open_gguf(path(2)), "m-00002-of-00003.gguf");
}

TEST_F(GgufSet, PartsMustAgree) {
  good();
  write(path(1), {"t1", 1, 4});
  EXPECT_ERROR(open_gguf(path(0)), "key \"split.count\": expected 3, got 4");
  write(path(1), {"t1", 2});
  EXPECT_ERROR(open_gguf(path(0)), "m-00002-of-00003.gguf: key \"split.no\": expected 1, got 2");
  write(path(1), {"t1", 1, 3, 5});
  EXPECT_ERROR(open_gguf(path(0)), "key \"split.tensors.count\": expected 3, got 5");
  write(path(1), {"t1", 1, 3, 3, 64});
  EXPECT_ERROR(open_gguf(path(0)), "key \"general.alignment\": expected 32 as in the first part, got 64");
  write(path(1), {"t0", 1});
  EXPECT_ERROR(open_gguf(path(0)), "tensor \"t0\" is also in another part");
  write(path(1), {"t1", 1}, false);
  EXPECT_ERROR(open_gguf(path(0)), "key \"split.count\" is missing");
  for (int i = 0; i < 3; i++) write(path(i), {fmt::format("t{}", i), static_cast<uint16_t>(i), 3, 4});
  EXPECT_ERROR(open_gguf(path(0)), "expected 4 tensors in 3 parts, got 3");
  good();
  EXPECT_TRUE(open_gguf(path(0)).has_value());
}

TEST_F(GgufSet, ADamagedPartIsNamed) {
  good();
  std::filesystem::resize_file(path(2), 100);
  EXPECT_ERROR(open_gguf(path(0)), "m-00003-of-00003.gguf: ");
}

TEST_F(GgufSet, AnUnnamedPartIsRefused) {
  write(folder_.file("part.gguf"), {"t0", 0});
  EXPECT_ERROR(open_gguf(folder_.file("part.gguf")), "is one of 3 parts, but is not named like one");
  write(folder_.file("one.gguf"), {"t0", 0, 1, 1});
  EXPECT_TRUE(open_gguf(folder_.file("one.gguf")).has_value()) << "a set of one may have any name";
  write(folder_.file("x-00001-of-00001.gguf"), {"t0", 0}, false);
  EXPECT_TRUE(open_gguf(folder_.file("x-00001-of-00001.gguf")).has_value());
  write(folder_.file("x-00004-of-00003.gguf"), {"t0", 0}, false);
  EXPECT_TRUE(open_gguf(folder_.file("x-00004-of-00003.gguf")).has_value()) << "not a part of anything: an ordinary name";
}

}  // namespace
}  // namespace minke
