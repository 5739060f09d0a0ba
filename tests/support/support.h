// What several test folders need: files of the repository, gzip, temporary directories, results in EXPECT.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"

namespace minke::testing {

// A path below the repository root, wherever the test was started from.
std::string repository_path(const std::string& relative);

// The text of a file; *.gz is decompressed. Fails the process with the path when it cannot be read.
std::string read_test_file(const std::string& path);
std::vector<std::string> read_test_lines(const std::string& path);

// A directory that is removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  const std::filesystem::path& path() const { return path_; }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// auto x = ASSERT_OK_VALUE(f()) is not possible in gtest; use: auto x = value_of(f()); it throws with the message.
template <typename T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}
inline void value_of(Status status) {
  if (!status) throw std::runtime_error(status.error().message);
}

}  // namespace minke::testing

// The result is an error whose message contains the text.
#define EXPECT_ERROR(expression, text)                                                                         \
  do {                                                                                                         \
    auto expect_result_ = (expression);                                                                        \
    ASSERT_FALSE(expect_result_.has_value()) << #expression << " succeeded";                                   \
    EXPECT_NE(expect_result_.error().message.find(text), std::string::npos) << expect_result_.error().message; \
  } while (false)
