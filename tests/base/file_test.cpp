#include "base/file.h"

#include "support/support.h"

namespace minke {
namespace {

TEST(AtomicFile, IsSeenOnlyWhenCommitted) {
  testing::TemporaryDirectory directory;
  std::string path = directory.file("out");
  {
    AtomicFile file = testing::value_of(AtomicFile::create(path));
    testing::value_of(file.write("half"));
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory.path())) << "an abandoned write must leave nothing";
  testing::value_of(write_file(path, "whole"));
  EXPECT_EQ(testing::value_of(read_file(path, 100)), "whole");
}

TEST(AtomicFile, FullDiskIsAnErrorAndLeavesNothing) {
  // /dev/full answers every write with ENOSPC.
  testing::TemporaryDirectory directory;
  std::string path = directory.file("out");
  std::filesystem::create_symlink("/dev/full", path + ".incomplete");
  {
    AtomicFile file = testing::value_of(AtomicFile::create(path));
    EXPECT_ERROR(file.write("x"), "No space left");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(File, ReadsPipesWithinTheBound) {
  EXPECT_ERROR(read_file("/dev/zero", 100000), "more than 100000 bytes");
  EXPECT_EQ(testing::value_of(read_file("/dev/null", 10)), "");
  EXPECT_ERROR(MappedFile::open("/dev/null"), "not a regular file");
}

TEST(File, MissingAndDirectoryAndTooLarge) {
  testing::TemporaryDirectory directory;
  EXPECT_ERROR(read_file(directory.file("none"), 10), "No such file");
  EXPECT_ERROR(MappedFile::open(directory.path().string()), "is a directory");
  testing::value_of(write_file(directory.file("big"), "12345"));
  EXPECT_ERROR(read_file(directory.file("big"), 4), "expected at most 4");
  testing::value_of(write_file(directory.file("empty"), ""));
  EXPECT_EQ(testing::value_of(MappedFile::open(directory.file("empty")))->bytes().size(), 0u);
}

}  // namespace
}  // namespace minke
