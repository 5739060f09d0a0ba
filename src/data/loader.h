// Batches for training from shards: rows packed from documents, mixed from several sources, in an order that the seed decides
// and from which a cursor resumes. Row r of the run comes from the source that is furthest behind its weight; within a source,
// epoch e is a permutation of its documents, cut or packed into rows, and a permutation of the rows. Nothing depends on how
// many rows a batch takes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/token_id.h"

namespace minke {

// tokens, targets and mask have the same size, at most DataOptions::seq_len: a row is shorter only where its epoch ends, or
// where whole documents leave room. There are no padding tokens.
struct TrainingRow {
  std::vector<TokenId> tokens;
  std::vector<TokenId> targets;  // the token that follows tokens[i] in its document (Packing::kStream: in the stream)
  std::vector<uint8_t> mask;     // 1 where targets[i] counts in the loss
  // Sum to tokens.size(). Each piece is a sequence of its own: attention does not cross it, positions start at 0.
  std::vector<int64_t> piece_lengths;
};

struct TrainingBatch {
  std::vector<TrainingRow> rows;
  int64_t n_loss_tokens = 0;  // ones in all masks
};

enum class Packing {
  kIsolated,  // documents fill rows one after another and are cut where a row ends; the rest goes on as a piece in another row
  kWhole,     // no document is cut: each stands in one row, best fit; for conversations
  kStream,    // as kIsolated, but a row is one piece and documents see what stood before them: DeepSeek-V3's pretraining
};

// Which documents: a document belongs to validation when the hash of its text says so, whatever the seed, file or tokenizer.
enum class Split { kAll, kTrain, kValidation };

struct DataSource {
  std::string path;              // a shard
  std::optional<double> weight;  // share of the rows; given for all sources or for none: then each has the share of its tokens
};

struct DataOptions {
  std::vector<DataSource> sources;
  int64_t seq_len = 0;
  Packing packing = Packing::kIsolated;
  bool cut_long = false;  // kWhole: keep the start of documents that do not fit a row; otherwise they are an error
  bool shuffle = true;
  uint64_t seed = 0;
  Split split = Split::kAll;
  double validation_fraction = 0;
  int64_t n_epochs = 0;          // each source is read so often, then the others go on alone; 0: without end
  int64_t vocab_size = 0;        // rows of the model's embedding; a shard with a larger vocabulary is an error. 0: not checked
  std::string tokenizer_digest;  // vocabulary_digest() of the model's tokenizer; "": not checked
};

// Where the stream stands: as many bytes for a large corpus as for a small one. Valid for the same sources and options only,
// which `fingerprint` tells apart.
struct DataCursor {
  struct Source {
    int64_t epoch = 0;
    int64_t row = 0;     // of the epoch, next to be read
    int64_t n_rows = 0;  // read so far
    bool operator==(const Source&) const = default;
  };
  std::string fingerprint;
  std::vector<Source> sources;
  bool operator==(const DataCursor&) const = default;

  Json to_json() const;
  static Result<DataCursor> from_json(const Json& json, std::string_view where);
};

class DataLoader {
 public:
  static Result<DataLoader> open(const DataOptions& options);
  DataLoader(DataLoader&&) noexcept;
  DataLoader& operator=(DataLoader&&) noexcept;
  ~DataLoader();

  // The next n_rows rows; fewer, at last none, when n_epochs are over.
  Result<TrainingBatch> next(int64_t n_rows);

  DataCursor cursor() const;
  Status seek(const DataCursor& cursor);

  // Of one epoch of all sources, in the chosen split.
  int64_t n_documents() const;
  int64_t n_tokens() const;
  int64_t n_positions() const;  // sum of all rows' sizes

 private:
  struct State;
  explicit DataLoader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace minke
