// The shard file: what is written is read, and whatever is wrong with a file is an error that says where.
#include "data/shard.h"

#include <gtest/gtest.h>

#include <cstring>

#include "data/shard_format.h"
#include "shards/shard_testing.h"

namespace minke::testing {
namespace {

std::string shard_bytes(const std::vector<TestDocument>& documents, int64_t vocab = kTestVocab) {
  TemporaryDirectory folder;
  write_shard(folder.file("a.shard"), documents, vocab);
  return value_of(read_file(folder.file("a.shard"), 1 << 24));
}

Result<Shard> parse(const std::string& bytes) { return Shard::parse(std::as_bytes(std::span(bytes)), "a.shard"); }

// Changes the header and makes its digest right again, as a hostile file would.
std::string with_header(std::string bytes, const std::function<void(ShardHeader&)>& change) {
  ShardHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  change(header);
  auto all = std::as_bytes(std::span(bytes));
  header.tokens.digest = shard_digest(all.subspan(256, std::min<size_t>(header.tokens.n_bytes, bytes.size() - 256)));
  header.digest = shard_digest(std::as_bytes(std::span(&header, 1)).first(224));
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

TEST(Shard, WhatIsWrittenIsRead) {
  for (int64_t vocab : {int64_t{60000}, int64_t{65536}, int64_t{65537}, int64_t{129280}}) {
    const auto last = static_cast<TokenId>(vocab - 1);
    const std::string bytes =
        shard_bytes({{{1, 2, 3}}, {{7}}, {{5, last, 5, 9, 11, 12, 13}, {0, 1, 1, 0, 0, 1, 0}}, {{4, 4}}}, vocab);
    Shard shard = value_of(parse(bytes));
    EXPECT_EQ(shard.info().token_bytes, vocab <= 65536 ? 2 : 4);
    EXPECT_EQ(shard.info().n_tokens, 13);
    EXPECT_EQ(shard.info().n_documents, 4);
    EXPECT_EQ(shard.info().n_loss_tokens, 9);
    EXPECT_EQ(shard.info().tokenizer_digest, kTestDigest);
    std::vector<TokenId> tokens;
    std::vector<uint8_t> mask;
    shard.append_tokens(tokens, 2, 7);
    shard.append_mask(mask, 0, 13);
    EXPECT_EQ(tokens, (std::vector<TokenId>{3, 7, 5, last, 5}));
    EXPECT_EQ(mask, (std::vector<uint8_t>{1, 1, 1, 1, 0, 1, 1, 0, 0, 1, 0, 1, 1}));
    EXPECT_EQ(shard.document_begin(2), 4);
    EXPECT_EQ(shard.document_end(2), 11);
  }
}

TEST(Shard, WithoutAMaskAllTokensCount) {
  const std::string bytes = shard_bytes({{{1, 2, 3}, {1, 1, 1}}, {{7}}});
  Shard shard = value_of(parse(bytes));
  EXPECT_FALSE(shard.info().has_mask);
  EXPECT_EQ(shard.info().n_loss_tokens, 4);
  EXPECT_TRUE(shard.counts(3));
}

TEST(Shard, EveryCutAndEveryFlippedBitIsSeen) {
  const std::string bytes = shard_bytes({{{1, 2, 3}}, {{5, 6, 5}, {0, 1, 1}}});
  for (size_t n = 0; n < bytes.size(); n++) EXPECT_FALSE(parse(bytes.substr(0, n)).has_value()) << n;
  EXPECT_ERROR(parse(bytes + "x"), "bytes too many");
  for (size_t i = 0; i < bytes.size(); i++) {
    std::string flipped = bytes;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    const bool padding = (i >= 268 && i < 320) || (i >= 321 && i < 384);  // behind tokens and mask; nobody reads it
    EXPECT_EQ(parse(flipped).has_value(), padding) << i;
  }
}

TEST(Shard, ErrorsNameFileAndByte) {
  const std::string bytes = shard_bytes({{{1, 2, 3}}, {{5, 6, 5}, {0, 1, 1}}});
  EXPECT_ERROR(parse(bytes.substr(0, 100)), "a.shard: byte 100: the file ends inside the header");
  EXPECT_ERROR(parse(bytes.substr(0, 300)), "a.shard: byte 300: the file ends here, expected 416 bytes");
  EXPECT_ERROR(parse("{\"text\": 1}" + std::string(300, ' ')), "a.shard: byte 0: this is not a shard");
  std::string damaged = bytes;
  damaged[257] = 9;
  EXPECT_ERROR(parse(damaged), "a.shard: byte 256: the SHA-256 of the 12 bytes of the token section does not match");
}

TEST(Shard, HeadersThatLieAreRefused) {
  const std::string bytes = shard_bytes({{{1, 2, 3}}, {{5, 6, 5}, {0, 1, 1}}});
  ASSERT_TRUE(parse(with_header(bytes, [](ShardHeader&) {})).has_value());
  EXPECT_ERROR(parse(with_header(bytes, [](ShardHeader& h) { h.vocab_size = 6; })), "byte 264: token 4 is 6, expected less");
  EXPECT_ERROR(parse(with_header(bytes, [](ShardHeader& h) { h.vocab_size = 0; })), "byte 16");
  EXPECT_ERROR(parse(with_header(bytes, [](ShardHeader& h) { h.version = 2; })), "byte 8: version 2");
  EXPECT_ERROR(parse(with_header(bytes, [](ShardHeader& h) { h.token_bytes = 3; })), "byte 12");
  EXPECT_ERROR(parse(with_header(bytes, [](ShardHeader& h) { h.n_documents = 0; })), "byte 32: no documents");
  EXPECT_ERROR(parse(with_header(bytes, [](ShardHeader& h) { h.n_loss_tokens = 4; })), "the mask has 5 tokens, the header 4");
  EXPECT_ERROR(parse(with_header(bytes, [](ShardHeader& h) { h.n_loss_tokens = 1000; })), "byte 40");
  for (uint64_t n : {uint64_t{5}, uint64_t{7}, uint64_t{1} << 62, uint64_t{1} << 63, ~uint64_t{0}}) {
    EXPECT_FALSE(parse(with_header(bytes, [&](ShardHeader& h) { h.n_tokens = n; })).has_value()) << n;
    EXPECT_FALSE(parse(with_header(bytes, [&](ShardHeader& h) { h.n_documents = n; })).has_value()) << n;
    EXPECT_FALSE(parse(with_header(bytes, [&](ShardHeader& h) { h.tokens.n_bytes = n; })).has_value()) << n;
    EXPECT_FALSE(parse(with_header(bytes, [&](ShardHeader& h) { h.documents.offset = n; })).has_value()) << n;
    EXPECT_FALSE(parse(with_header(bytes, [&](ShardHeader& h) { h.mask.offset = n; })).has_value()) << n;
  }
}

TEST(ShardWriter, AnUnfinishedShardLeavesNoFile) {
  TemporaryDirectory folder;
  {
    ShardWriter writer = value_of(ShardWriter::create(folder.file("a.shard"), 10, kTestDigest));
    value_of(writer.append(std::vector<TokenId>{1, 2}, {}));
    writer.end_document(0);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  ShardWriter writer = value_of(ShardWriter::create(folder.file("a.shard"), 10, kTestDigest));
  EXPECT_ERROR(writer.finish(), "there are no documents");
  EXPECT_ERROR(ShardWriter::create(folder.file("no/such/a.shard"), 10, kTestDigest), "cannot create");
}

}  // namespace
}  // namespace minke::testing
