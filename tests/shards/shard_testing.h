// Small shards for the tests, with tokens that say where they come from.
#pragma once

#include <string>
#include <vector>

#include "base/rng.h"
#include "data/shard_writer.h"
#include "support/support.h"

namespace minke::testing {

constexpr int64_t kTestVocab = 60000;
inline const std::string kTestDigest(64, 'a');

struct TestDocument {
  std::vector<TokenId> tokens;
  std::vector<uint8_t> mask = {};
};

inline void write_shard(const std::string& path, const std::vector<TestDocument>& documents, int64_t vocab = kTestVocab,
                        const std::string& digest = kTestDigest) {
  ShardWriter writer = value_of(ShardWriter::create(path, vocab, digest));
  for (size_t i = 0; i < documents.size(); i++) {
    value_of(writer.append(documents[i].tokens, documents[i].mask));
    writer.end_document(splitmix64(i ^ splitmix64(documents[i].tokens.size())));
  }
  value_of(writer.finish());
}

// Document d has lengths[d] tokens 100 d, 100 d + 1, ...
inline std::vector<TestDocument> numbered_documents(const std::vector<int64_t>& lengths) {
  std::vector<TestDocument> documents(lengths.size());
  for (size_t d = 0; d < lengths.size(); d++) {
    for (int64_t i = 0; i < lengths[d]; i++)
      documents[d].tokens.push_back(static_cast<TokenId>(100 * d) + static_cast<TokenId>(i));
  }
  return documents;
}

// n documents of 1 to 99 tokens.
inline std::vector<TestDocument> varied_documents(int64_t n, uint64_t seed) {
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < n; i++) lengths.push_back(static_cast<int64_t>(mix_seed(seed, static_cast<uint64_t>(i)) % 99) + 1);
  return numbered_documents(lengths);
}

}  // namespace minke::testing
