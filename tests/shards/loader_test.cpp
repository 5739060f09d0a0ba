// The stream of training rows: every token once per epoch, pieces that never cross documents, shares as weighted, the same rows
// from the same seed, and from any cursor on.
#include "data/loader.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "data/epoch_plan.h"
#include "shards/shard_testing.h"

namespace minke::testing {
namespace {

constexpr int64_t kLargeVocab = 400000;

class Loader : public ::testing::Test {
 protected:
  std::string shard(const std::string& name, const std::vector<TestDocument>& documents) {
    write_shard(folder_.file(name), documents, kLargeVocab);
    return folder_.file(name);
  }
  DataOptions options(const std::string& path, int64_t seq_len = 64) {
    DataOptions out;
    out.sources = {{path, std::nullopt}};
    out.seq_len = seq_len;
    out.seed = 7;
    return out;
  }
  TemporaryDirectory folder_;
};

std::vector<TrainingRow> rows_of(DataLoader& loader, int64_t n) { return value_of(loader.next(n)).rows; }

bool same(const TrainingRow& a, const TrainingRow& b) {
  return a.tokens == b.tokens && a.targets == b.targets && a.mask == b.mask && a.piece_lengths == b.piece_lengths;
}
bool same(const std::vector<TrainingRow>& a, const std::vector<TrainingRow>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](auto& x, auto& y) { return same(x, y); });
}

// One epoch, and with it the end of the stream.
std::vector<TrainingRow> epoch_of(DataOptions options) {
  options.n_epochs = 1;
  DataLoader loader = value_of(DataLoader::open(options));
  std::vector<TrainingRow> rows = rows_of(loader, 1 << 20);
  EXPECT_TRUE(rows_of(loader, 3).empty());
  int64_t n_positions = 0;
  for (const TrainingRow& row : rows) {
    n_positions += static_cast<int64_t>(row.tokens.size());
    EXPECT_LE(row.tokens.size(), static_cast<size_t>(options.seq_len));
    EXPECT_EQ(row.tokens.size(), row.targets.size());
    EXPECT_EQ(row.tokens.size(), row.mask.size());
    EXPECT_EQ(std::accumulate(row.piece_lengths.begin(), row.piece_lengths.end(), int64_t{0}),
              static_cast<int64_t>(row.tokens.size()));
    EXPECT_EQ(std::count(row.piece_lengths.begin(), row.piece_lengths.end(), 0), 0);
  }
  EXPECT_EQ(n_positions, loader.n_positions());
  return rows;
}

// In numbered documents, token = 100 document + place: a piece is a run of one document, and the targets are one further.
void expect_pieces_within_documents(const std::vector<TrainingRow>& rows) {
  for (const TrainingRow& row : rows) {
    size_t i = 0;
    for (int64_t length : row.piece_lengths) {
      const TokenId first = row.tokens[i];
      for (int64_t k = 0; k < length; k++, i++) {
        EXPECT_EQ(row.tokens[i], first + k);
        EXPECT_EQ(row.targets[i], first + k + 1);
        EXPECT_EQ(row.targets[i] / 100, first / 100);
      }
    }
  }
}

std::multiset<TokenId> all_targets(const std::vector<TrainingRow>& rows) {
  std::multiset<TokenId> out;
  for (const TrainingRow& row : rows) out.insert(row.targets.begin(), row.targets.end());
  return out;
}

// What an epoch must predict: every token of every document but its first.
std::multiset<TokenId> predictable(const std::vector<TestDocument>& documents) {
  std::multiset<TokenId> out;
  for (const TestDocument& document : documents) out.insert(document.tokens.begin() + 1, document.tokens.end());
  return out;
}

TEST_F(Loader, AnEpochPredictsEveryTokenOnceAndNoPieceCrossesDocuments) {
  const std::vector<TestDocument> documents = varied_documents(300, 1);
  for (bool shuffle : {false, true}) {
    for (Packing packing : {Packing::kIsolated, Packing::kWhole}) {
      for (int64_t seq_len : {98, 128, 1000}) {
        DataOptions wanted = options(shard("a.shard", documents), seq_len);
        wanted.shuffle = shuffle;
        wanted.packing = packing;
        const std::vector<TrainingRow> rows = epoch_of(wanted);
        expect_pieces_within_documents(rows);
        EXPECT_EQ(all_targets(rows), predictable(documents));
      }
    }
  }
}

TEST_F(Loader, IsolatedRowsAreFullButTheLast) {
  DataOptions wanted = options(shard("a.shard", varied_documents(300, 1)), 7);
  const std::vector<TrainingRow> rows = epoch_of(wanted);
  expect_pieces_within_documents(rows);
  EXPECT_LE(std::count_if(rows.begin(), rows.end(), [](auto& row) { return row.tokens.size() < 7; }), 1);
}

TEST_F(Loader, WholeDocumentsAreNeverCutAndFillTheRows) {
  const std::vector<TestDocument> documents = varied_documents(3000, 2);
  DataOptions wanted = options(shard("a.shard", numbered_documents(std::vector<int64_t>(20, 50))), 120);
  wanted.packing = Packing::kWhole;
  for (const TrainingRow& row : epoch_of(wanted)) EXPECT_EQ(row.piece_lengths, std::vector<int64_t>(2, 49));
  wanted.sources.front().path = shard("b.shard", documents);
  wanted.seq_len = 256;
  const std::vector<TrainingRow> rows = epoch_of(wanted);
  std::multiset<TokenId> pieces;
  size_t n_positions = 0;
  for (const TrainingRow& row : rows) {
    n_positions += row.tokens.size();
    for (size_t i = 0, p = 0; p < row.piece_lengths.size(); i += static_cast<size_t>(row.piece_lengths[p++])) {
      EXPECT_EQ(row.tokens[i] % 100, 0);
      EXPECT_EQ(static_cast<size_t>(row.piece_lengths[p]) + 1,
                documents[static_cast<size_t>(row.tokens[i] / 100)].tokens.size());
    }
  }
  EXPECT_GT(static_cast<double>(n_positions), 0.98 * 256 * static_cast<double>(rows.size()));
}

TEST_F(Loader, LongDocumentsAreRefusedOrCut) {
  DataOptions wanted = options(shard("a.shard", numbered_documents({5, 12, 11})), 10);
  wanted.packing = Packing::kWhole;
  EXPECT_ERROR(DataLoader::open(wanted), "a.shard: document 1 has 12 tokens, a row holds 11");
  wanted.cut_long = true;
  const std::multiset<TokenId> targets = all_targets(epoch_of(wanted));
  EXPECT_EQ(targets.count(110), 1u);
  EXPECT_EQ(targets.count(111), 0u);
  EXPECT_EQ(targets.count(210), 1u);
}

TEST_F(Loader, AStreamGoesOnOverDocuments) {
  const std::vector<TestDocument> documents = varied_documents(100, 3);
  DataOptions wanted = options(shard("a.shard", documents), 64);
  wanted.packing = Packing::kStream;
  wanted.shuffle = false;
  std::vector<TokenId> all, seen;
  for (const TestDocument& document : documents) all.insert(all.end(), document.tokens.begin(), document.tokens.end());
  for (const TrainingRow& row : epoch_of(wanted)) {
    EXPECT_EQ(row.piece_lengths, std::vector<int64_t>{static_cast<int64_t>(row.tokens.size())});
    EXPECT_TRUE(std::equal(row.tokens.begin() + 1, row.tokens.end(), row.targets.begin()));
    seen.insert(seen.end(), row.tokens.begin(), row.tokens.end());
    if (seen.size() == all.size() - 1) seen.push_back(row.targets.back());
  }
  EXPECT_EQ(seen, all);
  wanted.shuffle = true;
  std::multiset<TokenId> shuffled = all_targets(epoch_of(wanted));
  EXPECT_EQ(shuffled.size(), all.size() - 1);
}

TEST_F(Loader, TheMaskIsThatOfTheTarget) {
  std::vector<TestDocument> documents = varied_documents(50, 4);
  for (TestDocument& document : documents) {
    for (TokenId token : document.tokens) document.mask.push_back(token % 3 == 0);
  }
  for (Packing packing : {Packing::kIsolated, Packing::kWhole, Packing::kStream}) {
    DataOptions wanted = options(shard("a.shard", documents), 128);
    wanted.packing = packing;
    DataLoader loader = value_of(DataLoader::open(wanted));
    TrainingBatch batch = value_of(loader.next(5));
    int64_t n = 0;
    for (const TrainingRow& row : batch.rows) {
      for (size_t i = 0; i < row.mask.size(); i++) EXPECT_EQ(row.mask[i], row.targets[i] % 3 == 0);
      n += std::count(row.mask.begin(), row.mask.end(), 1);
    }
    EXPECT_EQ(batch.n_loss_tokens, n);
  }
}

TEST_F(Loader, TheSeedDecidesAndEpochsDiffer) {
  DataOptions wanted = options(shard("a.shard", varied_documents(300, 1)));
  DataLoader a = value_of(DataLoader::open(wanted)), b = value_of(DataLoader::open(wanted));
  const std::vector<TrainingRow> first = rows_of(a, 400);
  std::vector<TrainingRow> one_by_one;
  for (int i = 0; i < 400; i++) one_by_one.push_back(rows_of(b, 1).front());
  EXPECT_TRUE(same(first, one_by_one));
  const auto per_epoch = static_cast<std::ptrdiff_t>(epoch_of(wanted).size());
  EXPECT_FALSE(same({first.begin(), first.begin() + 10}, {first.begin() + per_epoch, first.begin() + per_epoch + 10}));
  wanted.seed = 8;  // neighbouring seeds have nothing in common
  DataLoader c = value_of(DataLoader::open(wanted));
  const std::vector<TrainingRow> other = rows_of(c, 400);
  int n_same = 0;
  for (size_t i = 0; i < other.size(); i++) n_same += same(first[i], other[i]);
  EXPECT_EQ(n_same, 0);
}

TEST_F(Loader, AnyCursorGoesOnWithTheSameRows) {
  DataOptions wanted = options(shard("a.shard", varied_documents(120, 1)));
  wanted.sources = {{wanted.sources[0].path, 2.0}, {shard("b.shard", varied_documents(50, 2)), 1.0}};
  for (Packing packing : {Packing::kIsolated, Packing::kWhole, Packing::kStream}) {
    wanted.packing = packing;
    wanted.seq_len = 128;
    DataLoader whole = value_of(DataLoader::open(wanted));
    std::vector<DataCursor> cursors;
    std::vector<TrainingRow> rows;
    for (int i = 0; i < 300; i++) {
      cursors.push_back(whole.cursor());
      rows.push_back(rows_of(whole, 1).front());
    }
    DataLoader resumed = value_of(DataLoader::open(wanted));
    for (uint64_t i = 0; i < 60; i++) {
      const size_t at = mix_seed(5, i) % 290;
      const std::string saved = dump_json(cursors[at].to_json());
      const DataCursor cursor = value_of(DataCursor::from_json(value_of(parse_json(saved, "cursor")), "cursor"));
      EXPECT_EQ(cursor, cursors[at]);
      value_of(resumed.seek(cursor));
      EXPECT_TRUE(same(rows_of(resumed, 10),
                       {rows.begin() + static_cast<std::ptrdiff_t>(at), rows.begin() + static_cast<std::ptrdiff_t>(at) + 10}))
          << at;
    }
  }
}

TEST_F(Loader, ACursorOfOtherDataIsRefused) {
  DataOptions wanted = options(shard("a.shard", varied_documents(120, 1)));
  const DataCursor cursor = value_of(DataLoader::open(wanted)).cursor();
  auto refused = [&](DataOptions other) {
    DataLoader loader = value_of(DataLoader::open(other));
    EXPECT_ERROR(loader.seek(cursor), "the cursor belongs to other data");
  };
  DataOptions other = wanted;
  other.seed++;
  refused(other);
  other = wanted;
  other.seq_len++;
  refused(other);
  other = wanted;
  other.sources.front().path = shard("b.shard", varied_documents(120, 2));
  refused(other);
  DataLoader loader = value_of(DataLoader::open(wanted));
  DataCursor beyond = cursor;
  beyond.sources[0].row = 1 << 20;
  EXPECT_ERROR(loader.seek(beyond), "row 1048576 of source 0");
  for (const char* text : {"[]", "{}", "{\"fingerprint\": \"a\", \"sources\": [1]}",
                           "{\"fingerprint\": \"a\", \"sources\": [{\"epoch\": -1, \"row\": 0, \"n_rows\": 0}]}"})
    EXPECT_ERROR(DataCursor::from_json(value_of(parse_json(text, "cursor")), "cursor.json"), "cursor.json: ");
}

// Documents of different sources begin with different thousands.
std::map<int, int> shares(const std::vector<TrainingRow>& rows, size_t n) {
  std::map<int, int> out;
  for (size_t i = 0; i < n; i++) out[rows[i].tokens.front() >= 30000]++;
  return out;
}

TEST_F(Loader, SourcesTakeTurnsAsWeighted) {
  std::vector<TestDocument> other = varied_documents(200, 2);
  for (TestDocument& document : other) {
    for (TokenId& token : document.tokens) token += 30000;
  }
  DataOptions wanted = options(shard("a.shard", varied_documents(200, 1)), 32);
  wanted.sources = {{wanted.sources[0].path, 0.7}, {shard("b.shard", other), 0.3}};
  DataLoader loader = value_of(DataLoader::open(wanted));
  const std::vector<TrainingRow> rows = rows_of(loader, 1000);
  for (size_t n = 1; n <= rows.size(); n++) EXPECT_NEAR(shares(rows, n)[0], 0.7 * static_cast<double>(n), 1.0) << n;
  // Without weights a source has the share of its tokens, and an epoch of both ends together.
  wanted.sources[0].weight = wanted.sources[1].weight = std::nullopt;
  wanted.n_epochs = 1;
  const std::vector<TrainingRow> natural = epoch_of(wanted);
  const double share = static_cast<double>(shares(natural, natural.size())[0]) / static_cast<double>(natural.size());
  EXPECT_NEAR(shares(natural, 100)[0], 100 * share, 2);
  // The one that is over leaves the stream to the other.
  wanted.sources[0].weight = 10;
  wanted.sources[1].weight = 1;
  EXPECT_EQ(epoch_of(wanted).size(), natural.size());
}

TEST_F(Loader, SplitsAreDisjointAndWholeWhateverTheSeed) {
  const std::vector<TestDocument> documents = varied_documents(500, 1);
  DataOptions wanted = options(shard("a.shard", documents));
  wanted.validation_fraction = 0.1;
  wanted.split = Split::kTrain;
  DataLoader loader = value_of(DataLoader::open(wanted));
  const std::multiset<TokenId> train = all_targets(epoch_of(wanted));
  wanted.split = Split::kValidation;
  wanted.seed = 99;
  const std::multiset<TokenId> validation = all_targets(epoch_of(wanted));
  EXPECT_NEAR(static_cast<double>(loader.n_documents()), 450, 30);  // 4.5 standard deviations of a binomial draw
  std::multiset<TokenId> both = train;
  both.insert(validation.begin(), validation.end());
  EXPECT_EQ(both, predictable(documents));
  for (TokenId token : validation) EXPECT_EQ(train.count(token), 0u);
  wanted.validation_fraction = 0;
  EXPECT_ERROR(DataLoader::open(wanted), "a.shard: no document of two tokens or more in the validation split");
}

TEST_F(Loader, BadOptionsAndShardsThatDoNotFitAreErrors) {
  DataOptions good = options(shard("a.shard", varied_documents(5, 1)));
  DataOptions wanted = good;
  wanted.sources.clear();
  EXPECT_ERROR(DataLoader::open(wanted), "give at least one shard");
  wanted = good;
  wanted.seq_len = 0;
  EXPECT_ERROR(DataLoader::open(wanted), "seq_len: expected 1");
  wanted = good;
  wanted.validation_fraction = std::nan("");
  EXPECT_ERROR(DataLoader::open(wanted), "validation fraction");
  wanted = good;
  wanted.vocab_size = 1000;
  EXPECT_ERROR(DataLoader::open(wanted), "a.shard: byte 16: made for a vocabulary of 400000, the model has 1000");
  wanted = good;
  wanted.tokenizer_digest = std::string(64, 'b');
  EXPECT_ERROR(DataLoader::open(wanted), "a.shard: byte 48: made with another tokenizer");
  write_shard(folder_.file("b.shard"), varied_documents(5, 1), kLargeVocab, std::string(64, 'b'));
  wanted = good;
  wanted.sources.push_back({folder_.file("b.shard"), std::nullopt});
  EXPECT_ERROR(DataLoader::open(wanted), "b.shard: byte 48: made with another tokenizer than");
  wanted.sources[1].weight = 1;
  EXPECT_ERROR(DataLoader::open(wanted), "weights are given for some sources only");
  wanted.sources[0].weight = -1;
  EXPECT_ERROR(DataLoader::open(wanted), "weight: expected more than 0, got -1");
  wanted = good;
  wanted.sources.front().path = shard("c.shard", numbered_documents({1, 1}));
  EXPECT_ERROR(DataLoader::open(wanted), "no document of two tokens");
}

TEST(Permutation, IsOneAndDependsOnItsKey) {
  for (int64_t n : {0, 1, 2, 1000}) {
    std::vector<int64_t> order = permutation(n, 3);
    EXPECT_EQ(std::set<int64_t>(order.begin(), order.end()).size(), static_cast<size_t>(n));
    EXPECT_EQ(order, permutation(n, 3));
  }
  EXPECT_NE(permutation(1000, 3), permutation(1000, 4));
  std::vector<int> first(4);
  for (uint64_t key = 0; key < 4000; key++) first[static_cast<size_t>(permutation(4, key).front())]++;
  for (int n : first) EXPECT_NEAR(n, 1000, 150);  // 5.5 standard deviations
}

}  // namespace
}  // namespace minke::testing
