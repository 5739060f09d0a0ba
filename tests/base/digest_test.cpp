#include "base/digest.h"

#include "support/support.h"

namespace minke {
namespace {

std::string hex_of(Digest digest, std::string_view text) {
  digest.update(text);
  return digest.finish_hex();
}

TEST(Digest, AnswersOfTheStandards) {
  // FIPS 180-4 examples: "abc" and the empty message.
  EXPECT_EQ(hex_of(Digest::sha256(), "abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex_of(Digest::sha256(), ""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex_of(Digest::sha1(), "abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(Digest, GitBlobIsWhatGitHashObjectPrints) {
  EXPECT_EQ(hex_of(Digest::git_blob(0), ""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  EXPECT_EQ(hex_of(Digest::git_blob(6), "hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
}

TEST(Digest, StreamingInAnyPiecesIsTheSame) {
  std::string text;
  for (int i = 0; i < 1000; i++) text += static_cast<char>(i * 31);
  std::string whole = hex_of(Digest::sha256(), text);
  for (size_t piece : {size_t{1}, size_t{63}, size_t{64}, size_t{65}, size_t{999}}) {
    Digest digest = Digest::sha256();
    for (size_t pos = 0; pos < text.size(); pos += piece) digest.update(std::string_view(text).substr(pos, piece));
    EXPECT_EQ(digest.finish_hex(), whole) << piece;
  }
}

}  // namespace
}  // namespace minke
