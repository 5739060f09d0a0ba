// The files of tests/data/edge: what the formats allow and what they forbid.
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "format/check.h"
#include "format/gguf.h"
#include "format/safetensors.h"
#include "support/support.h"

namespace minke {
namespace {

TEST(EdgeFiles, AreAcceptedAndRefusedAsExpected) {
  std::string folder = testing::repository_path("tests/data/edge");
  Json expectations = testing::value_of(read_json_file(folder + "/EXPECT.json"));
  int n_accepted = 0, n_refused = 0;
  for (const Json& row : expectations) {
    std::string file = row["file"].get<std::string>();
    std::string path = folder + "/" + file;
    Status checked = check_model_file(path);
    Status opened;
    if (file.ends_with(".gguf")) {
      auto result = open_gguf(path);
      if (!result) opened = tl::unexpected<Error>(result.error());
    } else {
      auto result = open_safetensors(path);
      if (!result) opened = tl::unexpected<Error>(result.error());
    }
    // The dtypes of the accepted files are all in our table, so that check and loading agree.
    EXPECT_EQ(checked.has_value(), opened.has_value()) << file;
    if (!checked) {
      EXPECT_NE(checked.error().message.find(path), std::string::npos)
          << "the message names the file: " << checked.error().message;
      EXPECT_EQ(checked.error().message.find('\n'), std::string::npos) << "one line: " << checked.error().message;
    }
    if (row["accept"].is_null()) continue;
    bool expected = row["accept"].get<bool>();
    (expected ? n_accepted : n_refused)++;
    EXPECT_EQ(checked.has_value(), expected) << file << ": " << row["why"] << (checked ? "" : checked.error().message);
  }
  EXPECT_EQ(n_accepted, 20);
  EXPECT_EQ(n_refused, 66);
  EXPECT_EQ(expectations.size(), 88u);
}

TEST(EdgeFiles, DuplicateKeysAndUnknownFieldsAreRefused) {
  std::string folder = testing::repository_path("tests/data/edge/safetensors/");
  EXPECT_ERROR(check_model_file(folder + "impl_dup_key_same.safetensors"), "tensor \"w\": appears twice");
  EXPECT_ERROR(check_model_file(folder + "impl_unknown_field.safetensors"), "unknown field \"extra\"");
}

// What fuzzing found worth keeping; a file that once crashed a reader goes there and stays.
TEST(EdgeFiles, TheFuzzingCorpusIsReadWithoutACrash) {
  for (const char* format : {"gguf", "safetensors"}) {
    int n_files = 0;
    for (const auto& file :
         std::filesystem::directory_iterator(testing::repository_path(std::string("tests/fuzz/corpus/") + format))) {
      std::string bytes = testing::value_of(read_file(file.path().string(), 1 << 20));
      std::span<const std::byte> span = std::as_bytes(std::span(bytes));
      bool is_gguf = format == std::string_view("gguf");
      std::string message;
      if (is_gguf) {
        auto result = parse_gguf(span, "f");
        if (!result) message = result.error().message;
      } else {
        auto result = parse_safetensors(span, "f");
        if (!result) message = result.error().message;
      }
      EXPECT_EQ(message.find('\n'), std::string::npos) << file.path();
      EXPECT_LT(message.size(), 2000u) << file.path();
      n_files++;
    }
    EXPECT_GT(n_files, 20) << format;
  }
}

}  // namespace
}  // namespace minke
