#include "support/support.h"

#include <unistd.h>
#include <zlib.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace minke::testing {

std::string repository_path(const std::string& relative) {
  return (std::filesystem::path(MINKE_REPOSITORY) / relative).string();
}

std::string read_test_file(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rb");  // reads plain files as they are
  if (file == nullptr) {
    std::fprintf(stderr, "test file %s cannot be opened\n", path.c_str());
    std::abort();
  }
  std::string text;
  std::vector<char> buffer(1 << 20);
  int n = 0;
  while ((n = gzread(file, buffer.data(), static_cast<unsigned>(buffer.size()))) > 0)
    text.append(buffer.data(), static_cast<size_t>(n));
  bool ok = n == 0;
  gzclose(file);
  if (!ok) {
    std::fprintf(stderr, "test file %s cannot be read\n", path.c_str());
    std::abort();
  }
  return text;
}

std::vector<std::string> read_test_lines(const std::string& path) {
  std::istringstream text(read_test_file(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "minke-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) std::abort();
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace minke::testing
