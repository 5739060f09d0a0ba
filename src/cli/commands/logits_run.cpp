#include "cli/commands/logits_run.h"

#include <algorithm>
#include <numeric>
#include <span>

#include "cli/terminal.h"

namespace minke::cli {
namespace {

// All logits of a row are held in memory and become about three times as much text.
constexpr int64_t kMaxLogitsBytes = int64_t{4} << 30;

// Which part of a forward call's tokens belongs to which row.
struct Slice {
  size_t row;
  int64_t first, n_tokens;
};

Activation& activation_of(RowLogits& row, std::string_view name, int64_t dim) {
  auto same_name = [&](const auto& entry) { return entry.first == name; };
  auto found = std::find_if(row.layers.begin(), row.layers.end(), same_name);
  if (found != row.layers.end()) return found->second;
  row.layers.emplace_back(std::string(name), Activation{dim, {}, {}});
  return row.layers.back().second;
}

// Hands each row its part of the activations of a forward call.
ActivationSink sink_into(std::vector<RowLogits>& rows, const std::vector<Slice>& slices) {
  ActivationSink sink;
  sink.floats = [&](std::string_view name, const float* values, int64_t, int64_t dim) {
    for (const Slice& slice : slices) {
      std::vector<float>& out = activation_of(rows[slice.row], name, dim).floats;
      out.insert(out.end(), values + slice.first * dim, values + (slice.first + slice.n_tokens) * dim);
    }
  };
  sink.integers = [&](std::string_view name, const int32_t* values, int64_t, int64_t dim) {
    for (const Slice& slice : slices) {
      std::vector<int32_t>& out = activation_of(rows[slice.row], name, dim).integers;
      out.insert(out.end(), values + slice.first * dim, values + (slice.first + slice.n_tokens) * dim);
    }
  };
  return sink;
}

struct Call {
  Batch batch;
  std::vector<Slice> slices;
};

// The next chunk of every row that is not done.
Call next_call(const std::vector<RowLogits>& rows, std::vector<SequenceCache>& caches, const LogitsOptions& options) {
  Call call;
  for (size_t row = 0; row < rows.size(); row++) {
    const std::vector<TokenId>& tokens = rows[row].tokens;
    int64_t done = caches[row].n_tokens, left = static_cast<int64_t>(tokens.size()) - done;
    if (left == 0) continue;
    int64_t n = options.chunk > 0 ? std::min(options.chunk, left) : left;
    int64_t first = static_cast<int64_t>(call.batch.tokens.size());
    call.batch.tokens.insert(call.batch.tokens.end(), tokens.begin() + done, tokens.begin() + done + n);
    call.batch.sequences.push_back({&caches[row], n, options.form});
    call.slices.push_back({row, first, n});
    for (int64_t i = 0; i < n; i++) {
      if (!options.last || done + i + 1 == static_cast<int64_t>(tokens.size())) call.batch.logit_rows.push_back(first + i);
    }
  }
  return call;
}

// Gives the logits of a call to the rows that they belong to; both are in the same order.
void hand_out(std::vector<RowLogits>& rows, const std::vector<float>& logits, const Call& call, int64_t vocab_size) {
  int64_t from = 0;
  for (int64_t token : call.batch.logit_rows) {
    auto owns = [&](const Slice& slice) { return token >= slice.first && token < slice.first + slice.n_tokens; };
    RowLogits& row = rows[std::find_if(call.slices.begin(), call.slices.end(), owns)->row];
    row.logits.insert(row.logits.end(), logits.begin() + from, logits.begin() + from + vocab_size);
    row.n_positions++;
    from += vocab_size;
  }
}

int64_t pages_of(size_t n_tokens) { return (static_cast<int64_t>(n_tokens) + kPageSize - 1) / kPageSize; }

}  // namespace

Status check_row(const std::vector<TokenId>& tokens, const ModelConfig& config, const LogitsOptions& options) {
  if (tokens.empty()) return error("tokens: the list is empty, expected at least one token");
  int64_t n = static_cast<int64_t>(tokens.size());
  if (n > config.max_seq_len) return error("tokens: {} tokens are more than the model's context of {}", n, config.max_seq_len);
  for (size_t i = 0; i < tokens.size(); i++) {
    if (tokens[i] >= 0 && tokens[i] < config.vocab_size) continue;
    return error("tokens[{}]: {} is not in the model's vocabulary, 0 to {}", i, tokens[i], config.vocab_size - 1);
  }
  int64_t bytes = (options.last ? 1 : n) * config.vocab_size * static_cast<int64_t>(sizeof(float));
  if (bytes > kMaxLogitsBytes) {
    return error("tokens: the logits of {} positions are {}; --last gives those of the last one", n,
                 bytes_text(static_cast<uint64_t>(bytes)));
  }
  return {};
}

Result<std::vector<RowLogits>> run_rows(Model& model, std::vector<std::vector<TokenId>> token_rows,
                                        const LogitsOptions& options, const Context& context) {
  int64_t n_pages = 0;
  std::vector<RowLogits> rows(token_rows.size());
  for (size_t i = 0; i < rows.size(); i++) {
    rows[i].tokens = std::move(token_rows[i]);
    n_pages += pages_of(rows[i].tokens.size());
  }
  KvCache cache(model.config(), n_pages * kPageSize, options.kv);
  std::vector<SequenceCache> caches(rows.size());
  std::vector<float> logits;
  for (;;) {
    Call call = next_call(rows, caches, options);
    if (call.batch.tokens.empty()) return rows;
    ActivationSink sink = sink_into(rows, call.slices);
    TRY(model.forward(logits, call.batch, cache, context, options.layers ? &sink : nullptr));
    hand_out(rows, logits, call, model.config().vocab_size);
  }
}

}  // namespace minke::cli
