#include "data/loader.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/check.h"
#include "base/digest.h"
#include "base/rng.h"
#include "data/epoch_plan.h"
#include "data/shard.h"

namespace minke {
namespace {

// A source's shard, the documents of the split, and its current epoch.
struct Source {
  Shard shard;
  std::vector<int64_t> documents;  // numbers in the shard
  std::vector<int64_t> lengths;    // positions of each
  int64_t n_tokens = 0, n_positions = 0;
  double weight = 0;
  uint64_t key = 0;
  DataCursor::Source at;
  std::shared_ptr<const EpochPlan> plan;  // of at.epoch; null until it is asked for
};

bool in_split(uint64_t hash, const DataOptions& options) {
  if (options.split == Split::kAll) return true;
  // The upper 53 bits as a number in [0, 1).
  const bool validation = static_cast<double>(hash >> 11) * 0x1p-53 < options.validation_fraction;
  return validation == (options.split == Split::kValidation);
}

const char* split_name(Split split) {
  constexpr const char* kNames[] = {"whole", "training", "validation"};
  return kNames[static_cast<size_t>(split)];
}

Status check_options(const DataOptions& options) {
  if (options.sources.empty()) return error("no data: give at least one shard");
  if (options.seq_len < 1 || options.seq_len > (int64_t{1} << 30))
    return error("seq_len: expected 1 to 2^30, got {}", options.seq_len);
  if (!(options.validation_fraction >= 0 && options.validation_fraction < 1))
    return error("validation fraction: expected 0 up to less than 1, got {}", options.validation_fraction);
  if (options.n_epochs < 0) return error("epochs: expected 0 (without end) or more, got {}", options.n_epochs);
  for (const DataSource& source : options.sources) {
    if (source.weight.has_value() != options.sources.front().weight.has_value())
      return error("{}: weights are given for some sources only: give one for each, or for none", source.path);
    if (source.weight && !(*source.weight > 0 && std::isfinite(*source.weight)))
      return error("{}: weight: expected more than 0, got {}", source.path, *source.weight);
  }
  return {};
}

Status check_shard(const Shard& shard, const DataOptions& options) {
  const ShardInfo& info = shard.info();
  if (options.vocab_size > 0 && info.vocab_size > options.vocab_size) {
    return error("byte 16: made for a vocabulary of {}, the model has {}: make the shard with the model's tokenizer",
                 info.vocab_size, options.vocab_size);
  }
  if (!options.tokenizer_digest.empty() && info.tokenizer_digest != options.tokenizer_digest) {
    return error(
        "byte 48: made with another tokenizer (vocabulary {:.12}..., the model's is {:.12}...): make it again with the model's",
        info.tokenizer_digest, options.tokenizer_digest);
  }
  return {};
}

Result<Source> open_source(const DataOptions& options, size_t index) {
  const std::string& path = options.sources[index].path;
  Source source;
  source.shard = TRY(Shard::open(path));
  TRY_IN(path, check_shard(source.shard, options));
  const Shard& shard = source.shard;
  for (int64_t i = 0; i < shard.info().n_documents; i++) {
    if (!in_split(shard.document_hash(i), options)) continue;
    const int64_t n_tokens = shard.document_end(i) - shard.document_begin(i);
    int64_t length = options.packing == Packing::kStream ? n_tokens : n_tokens - 1;
    if (options.packing == Packing::kWhole && length > options.seq_len) {
      if (!options.cut_long) {
        return error("{}: document {} has {} tokens, a row holds {}: use longer rows, or let long documents be cut", path, i,
                     n_tokens, options.seq_len + 1);
      }
      length = options.seq_len;
    }
    source.documents.push_back(i);
    source.lengths.push_back(length);
    source.n_tokens += n_tokens;
  }
  source.n_positions = std::accumulate(source.lengths.begin(), source.lengths.end(), int64_t{0});
  if (options.packing == Packing::kStream) source.n_positions--;  // the last token of a stream has nothing to predict
  if (source.n_positions < 1)
    return error("{}: no document of two tokens or more in the {} split", path, split_name(options.split));
  const uint64_t content = std::stoull(shard.info().digest.substr(0, 16), nullptr, 16);
  source.key = mix_seed(mix_seed(options.seed, content), index);
  source.weight = options.sources[index].weight.value_or(static_cast<double>(source.n_tokens));
  return source;
}

// Everything that decides the order of rows.
std::string fingerprint_of(const DataOptions& options, const std::vector<Source>& sources) {
  Digest digest = Digest::sha256();
  digest.update(fmt::format("{} {} {} {} {} {} {} {};", options.seq_len, static_cast<int>(options.packing), options.cut_long,
                            options.shuffle, options.seed, static_cast<int>(options.split), options.validation_fraction,
                            options.n_epochs));
  for (const Source& source : sources) digest.update(fmt::format("{} {};", source.shard.info().digest, source.weight));
  return digest.finish_hex();
}

}  // namespace

struct DataLoader::State {
  DataOptions options;
  std::vector<Source> sources;
  std::string fingerprint;

  const EpochPlan& plan(Source& source) const;
  Source* next_source();
  void build_row(TrainingRow& row, const Source& source, const std::vector<RowPart>& parts) const;
  void build_stream(TrainingRow& row, const Source& source, const std::vector<RowPart>& parts) const;
  TrainingRow take_row(Source& source) const;
};

const EpochPlan& DataLoader::State::plan(Source& source) const {
  if (source.plan == nullptr) {
    EpochOptions epoch{.seq_len = options.seq_len, .whole = options.packing == Packing::kWhole, .shuffle = options.shuffle};
    epoch.n_overlap = options.packing == Packing::kStream ? 1 : 0;
    epoch.key = mix_seed(source.key, static_cast<uint64_t>(source.at.epoch));
    source.plan = std::make_shared<const EpochPlan>(source.lengths, epoch);
  }
  return *source.plan;
}

// The one with the least (rows + 1/2) / weight, as Webster's method gives seats: shares stay within about a row of the weights
// at every moment, also among those that are left when another has ended.
Source* DataLoader::State::next_source() {
  Source* best = nullptr;
  double best_rank = 0;
  for (Source& source : sources) {
    if (options.n_epochs > 0 && source.at.epoch >= options.n_epochs) continue;
    const double rank = (static_cast<double>(source.at.n_rows) + 0.5) / source.weight;
    if (best != nullptr && rank >= best_rank) continue;
    best = &source;
    best_rank = rank;
  }
  return best;
}

void DataLoader::State::build_row(TrainingRow& row, const Source& source, const std::vector<RowPart>& parts) const {
  const Shard& shard = source.shard;
  for (const RowPart& part : parts) {
    const int64_t first = shard.document_begin(source.documents[static_cast<size_t>(part.document)]);
    shard.append_tokens(row.tokens, first + part.begin, first + part.end);
    shard.append_tokens(row.targets, first + part.begin + 1, first + part.end + 1);
    shard.append_mask(row.mask, first + part.begin + 1, first + part.end + 1);
    row.piece_lengths.push_back(part.end - part.begin);
  }
}

// The parts hold one token more than the row has positions.
void DataLoader::State::build_stream(TrainingRow& row, const Source& source, const std::vector<RowPart>& parts) const {
  const Shard& shard = source.shard;
  for (const RowPart& part : parts) {
    const int64_t first = shard.document_begin(source.documents[static_cast<size_t>(part.document)]);
    shard.append_tokens(row.tokens, first + part.begin, first + part.end);
    shard.append_mask(row.mask, first + part.begin, first + part.end);
  }
  row.targets.assign(row.tokens.begin() + 1, row.tokens.end());
  row.tokens.pop_back();
  row.mask.erase(row.mask.begin());
  row.piece_lengths = {static_cast<int64_t>(row.tokens.size())};
}

TrainingRow DataLoader::State::take_row(Source& source) const {
  TrainingRow row;
  const EpochPlan& epoch = plan(source);
  const std::vector<RowPart> parts = epoch.row(source.at.row);
  if (options.packing == Packing::kStream) {
    build_stream(row, source, parts);
  } else {
    build_row(row, source, parts);
  }
  source.at.n_rows++;
  if (++source.at.row == epoch.n_rows()) {
    source.at.row = 0;
    source.at.epoch++;
    source.plan = nullptr;
  }
  return row;
}

DataLoader::DataLoader(std::unique_ptr<State> state) : state_(std::move(state)) {}
DataLoader::DataLoader(DataLoader&&) noexcept = default;
DataLoader& DataLoader::operator=(DataLoader&&) noexcept = default;
DataLoader::~DataLoader() = default;

Result<DataLoader> DataLoader::open(const DataOptions& options) {
  TRY(check_options(options));
  auto state = std::make_unique<State>();
  state->options = options;
  for (size_t i = 0; i < options.sources.size(); i++) {
    Source source = TRY(open_source(options, i));
    const std::string& digest = source.shard.info().tokenizer_digest;
    const std::string& first_digest = i == 0 ? digest : state->sources.front().shard.info().tokenizer_digest;
    if (digest != first_digest) {
      return error("{}: byte 48: made with another tokenizer than {}: make both with one", options.sources[i].path,
                   options.sources.front().path);
    }
    state->sources.push_back(std::move(source));
  }
  state->fingerprint = fingerprint_of(options, state->sources);
  return DataLoader(std::move(state));
}

Result<TrainingBatch> DataLoader::next(int64_t n_rows) {
  CHECK(n_rows >= 0, "{}", n_rows);
  TrainingBatch batch;
  for (int64_t i = 0; i < n_rows; i++) {
    Source* source = state_->next_source();
    if (source == nullptr) break;
    batch.rows.push_back(state_->take_row(*source));
    for (uint8_t counts : batch.rows.back().mask) batch.n_loss_tokens += counts;
  }
  return batch;
}

DataCursor DataLoader::cursor() const {
  DataCursor cursor;
  cursor.fingerprint = state_->fingerprint;
  for (const Source& source : state_->sources) cursor.sources.push_back(source.at);
  return cursor;
}

Status DataLoader::seek(const DataCursor& cursor) {
  if (cursor.fingerprint != state_->fingerprint) {
    return error(
        "the cursor belongs to other data: shards, weights, seed, row length, packing, split and epochs must be those it was "
        "saved with");
  }
  if (cursor.sources.size() != state_->sources.size())
    return error("the cursor has {} sources, expected {}", cursor.sources.size(), state_->sources.size());
  for (size_t i = 0; i < cursor.sources.size(); i++) {
    Source& source = state_->sources[i];
    const DataCursor::Source before = std::exchange(source.at, cursor.sources[i]);
    if (source.at.epoch != before.epoch) source.plan = nullptr;
    if (source.at.row < state_->plan(source).n_rows()) continue;
    return error("the cursor is at row {} of source {}, whose epoch has {}", source.at.row, i, source.plan->n_rows());
  }
  return {};
}

int64_t DataLoader::n_documents() const {
  int64_t n = 0;
  for (const Source& source : state_->sources) n += static_cast<int64_t>(source.documents.size());
  return n;
}

int64_t DataLoader::n_tokens() const {
  int64_t n = 0;
  for (const Source& source : state_->sources) n += source.n_tokens;
  return n;
}

int64_t DataLoader::n_positions() const {
  int64_t n = 0;
  for (const Source& source : state_->sources) n += source.n_positions;
  return n;
}

Json DataCursor::to_json() const {
  Json list = Json::array();
  for (const Source& source : sources)
    list.push_back({{"epoch", source.epoch}, {"row", source.row}, {"n_rows", source.n_rows}});
  return {{"fingerprint", fingerprint}, {"sources", list}};
}

Result<DataCursor> DataCursor::from_json(const Json& json, std::string_view where) {
  DataCursor cursor;
  if (!json.is_object() || !json.contains("fingerprint") || !json["fingerprint"].is_string() || !json.contains("sources") ||
      !json["sources"].is_array())
    return error("{}: expected an object with \"fingerprint\" and a list \"sources\"", where);
  cursor.fingerprint = json["fingerprint"].get<std::string>();
  for (const Json& entry : json["sources"]) {
    Source source;
    for (auto [key, value] : {std::pair("epoch", &source.epoch), {"row", &source.row}, {"n_rows", &source.n_rows}}) {
      const bool fits =
          entry.is_object() && entry.contains(key) && entry[key].is_number_integer() && entry[key].get<int64_t>() >= 0;
      if (!fits) return error("{}: sources[{}].{}: expected an integer from 0", where, cursor.sources.size(), key);
      *value = entry[key].get<int64_t>();
    }
    cursor.sources.push_back(source);
  }
  return cursor;
}

}  // namespace minke
