#include "kernels/attention/attention.h"

#include <algorithm>
#include <atomic>
#include <limits>

#include "base/check.h"
#include "kernels/cpu/dispatch.h"

namespace minke {
namespace {

constexpr int64_t kItemsPerThread = 4;  // fewer, and the partitions of an item are spread over threads too

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

AttentionState rows_of(const AttentionState& state, int64_t row, int64_t value_cols) {
  return {state.max + row, state.sum + row, state.acc + row * value_cols};
}

// Up to kMaxBlockRows rows of one sequence and kv head.
struct Item {
  const CachedSequence* sequence;
  int64_t head;
  int64_t first_row;  // among the sequence's rows of this head, n_tokens * group
  int64_t n_rows;
  int64_t query_row;  // where the first of them lies in `queries`
  int64_t out_token;  // index of the sequence's first token in `out`
  int64_t n_partitions;
  AttentionState* parts;  // [n_partitions] when they are computed apart
};

struct Job {
  float* out;
  const float* queries;
  const CachedLayer& layer;
  int64_t group;
  float softmax_scale;
  const AttentionTable& table;
  CodedQueries coded;  // of all rows, with kQ8
};

struct Scratch {
  float* scores;
  uint8_t* codes;
  AttentionState running, part;
};

int64_t position_of(const Item& item, int64_t row, int64_t group) {
  return item.sequence->first_position + (item.first_row + row) / group;
}

AttentionBlock block_of(const Job& job, const Item& item, const Scratch& scratch, int64_t* n_visible) {
  const KvLayout& layout = job.layer.layout;
  AttentionBlock block = {};
  block.layout = &layout;
  block.n_rows = item.n_rows;
  block.n_visible = n_visible;
  block.softmax_scale = job.softmax_scale;
  block.queries = job.queries + item.query_row * layout.key_cols;
  if (job.coded.codes != nullptr) {
    block.coded = {job.coded.codes + item.query_row * layout.key_cols, job.coded.scales + item.query_row * layout.n_query_groups,
                   job.coded.offsets + item.query_row * layout.n_query_groups};
  }
  block.scores = scratch.scores;
  block.codes = scratch.codes;
  return block;
}

// The keys of one partition.
void run_partition(const AttentionState& state, const Job& job, const Item& item, int64_t partition, const Scratch& scratch) {
  const KvLayout& layout = job.layer.layout;
  int64_t n_visible[kMaxBlockRows];
  AttentionBlock block = block_of(job, item, scratch, n_visible);
  block.state = state;
  attention_begin(state, item.n_rows, layout.value_cols);
  const int64_t end = position_of(item, item.n_rows - 1, job.group) + 1;
  const int64_t first = partition * kPartitionTokens, last = std::min(first + kPartitionTokens, end);
  for (int64_t key = first; key < last; key += kBlockTokens) {
    for (int64_t i = 0; i < item.n_rows; i++) {
      n_visible[i] = std::clamp<int64_t>(position_of(item, i, job.group) + 1 - key, 0, kBlockTokens);
    }
    for (int64_t p = 0; p < kBlockPages; p++) {
      const int64_t token = key + p * kPageTokens;
      block.pages[p] = nullptr;
      if (token >= last) continue;
      const int64_t page = item.sequence->page_table[token / kPageTokens];
      block.pages[p] = job.layer.pages + page * page_bytes(layout) + item.head * layout.head_bytes;
    }
    block.next = nullptr;
    if (key + kBlockTokens < end) {
      const int64_t page = item.sequence->page_table[(key + kBlockTokens) / kPageTokens];
      block.next = job.layer.pages + page * page_bytes(layout) + item.head * layout.head_bytes;
    }
    (layout.is_latent ? job.table.attend_latent : job.table.attend_heads)[static_cast<size_t>(layout.type)](block);
  }
}

void write_row(const Job& job, const Item& item, int64_t row, const AttentionState& state) {
  const KvLayout& layout = job.layer.layout;
  const int64_t in_sequence = item.first_row + row, token = item.out_token + in_sequence / job.group;
  const int64_t head = item.head * job.group + in_sequence % job.group;
  job.table.finish_row(job.out + (token * layout.n_heads * job.group + head) * layout.value_dim,
                       state.acc + row * layout.value_cols, state.sum[row], layout.value_dim);
}

void walk_item(const Job& job, const Item& item, const Scratch& scratch) {
  const int64_t value_cols = job.layer.layout.value_cols;
  attention_begin(scratch.running, item.n_rows, value_cols);
  for (int64_t p = 0; p < item.n_partitions; p++) {
    run_partition(scratch.part, job, item, p, scratch);
    job.table.merge(scratch.running, scratch.part, item.n_rows, value_cols);
  }
  for (int64_t row = 0; row < item.n_rows; row++) write_row(job, item, row, scratch.running);
}

// Calls run(i, scratch) for i < n on all threads, each with a scratch of its own.
template <typename Run>
void run_all(int64_t n, const KvLayout& layout, Arena& arena, const Context& context, Run run) {
  const int64_t n_workers = std::min<int64_t>(context.n_threads(), n);
  Scratch* scratch = arena.allocate<Scratch>(n_workers);
  for (int64_t i = 0; i < n_workers; i++) {
    scratch[i] = {arena.allocate<float>(kMaxBlockRows * kBlockTokens),
                  arena.allocate<uint8_t>(layout.type == KvType::kQ8 ? kMaxBlockRows * 4 * kBlockTokens : 0),
                  allocate_state(arena, kMaxBlockRows, layout.value_cols),
                  allocate_state(arena, kMaxBlockRows, layout.value_cols)};
  }
  std::atomic<int64_t> next{0};
  context.parallel_for(n_workers, 1, [&](int64_t begin, int64_t) {
    // From the end: later tokens see more keys, and the long work is better started first.
    for (int64_t i; (i = n - 1 - next.fetch_add(1, std::memory_order_relaxed)) >= 0;) run(i, scratch[begin]);
  });
}

struct Items {
  Item* items;
  int64_t n;
  int64_t n_partitions;  // of all
};

// Head after head, sequence after sequence, row block after row block.
Items cut_items(const CachedLayer& layer, std::span<const CachedSequence> sequences, int64_t group, Arena& arena) {
  int64_t n = 0, n_tokens = 0;
  for (const CachedSequence& s : sequences) {
    n += ceil_div(s.n_tokens * group, kMaxBlockRows);
    n_tokens += s.n_tokens;
  }
  Items all = {arena.allocate<Item>(n * layer.layout.n_heads), 0, 0};
  for (int64_t head = 0; head < layer.layout.n_heads; head++) {
    int64_t token = 0;
    for (const CachedSequence& s : sequences) {
      const int64_t n_rows = s.n_tokens * group;
      for (int64_t row = 0; row < n_rows; row += kMaxBlockRows) {
        Item item = {&s,    head, row,    std::min(kMaxBlockRows, n_rows - row), (head * n_tokens + token) * group + row,
                     token, 0,    nullptr};
        item.n_partitions = ceil_div(position_of(item, item.n_rows - 1, group) + 1, kPartitionTokens);
        all.n_partitions += item.n_partitions;
        all.items[all.n++] = item;
      }
      token += s.n_tokens;
    }
  }
  return all;
}

// Every (item, partition) apart, then the merges in order, row by row.
void run_apart(const Job& job, const Items& all, Arena& arena, const Context& context) {
  const KvLayout& layout = job.layer.layout;
  struct Place {
    const Item* item;
    int64_t index;  // of the partition or of the row
  };
  Place* partitions = arena.allocate<Place>(all.n_partitions);
  Place* rows = arena.allocate<Place>(all.n * kMaxBlockRows);
  int64_t n_partitions = 0, n_rows = 0;
  for (int64_t i = 0; i < all.n; i++) {
    Item& item = all.items[i];
    item.parts = arena.allocate<AttentionState>(item.n_partitions);
    for (int64_t p = 0; p < item.n_partitions; p++) {
      item.parts[p] = allocate_state(arena, item.n_rows, layout.value_cols);
      partitions[n_partitions++] = {&item, p};
    }
    for (int64_t row = 0; row < item.n_rows; row++) rows[n_rows++] = {&item, row};
  }
  run_all(n_partitions, layout, arena, context, [&](int64_t i, const Scratch& scratch) {
    run_partition(partitions[i].item->parts[partitions[i].index], job, *partitions[i].item, partitions[i].index, scratch);
  });
  const AttentionState merged = allocate_state(arena, n_rows, layout.value_cols);
  context.parallel_for(n_rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const auto [item, row] = rows[i];
      const AttentionState state = rows_of(merged, i, layout.value_cols);
      attention_begin(state, 1, layout.value_cols);
      for (int64_t p = 0; p < item->n_partitions; p++) {
        job.table.merge(state, rows_of(item->parts[p], row, layout.value_cols), 1, layout.value_cols);
      }
      write_row(job, *item, row, rows_of(merged, i - row, layout.value_cols));
    }
  });
}

CodedQueries code_queries(const float* queries, const KvLayout& layout, int64_t n_rows, Arena& arena, const Context& context) {
  const CodedQueries coded = {arena.allocate<int8_t>(n_rows * layout.key_cols),
                              arena.allocate<float>(n_rows * layout.n_query_groups),
                              arena.allocate<int32_t>(n_rows * layout.n_query_groups)};
  const AttentionTable& table = attention_kernels(context.isa);
  context.parallel_for(n_rows, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) table.code_query(coded, layout, i, queries + i * layout.key_cols);
  });
  return coded;
}

}  // namespace

AttentionState allocate_state(Arena& arena, int64_t n_rows, int64_t value_cols) {
  return {arena.allocate<float>(n_rows), arena.allocate<float>(n_rows), arena.allocate<float>(n_rows * value_cols)};
}

void attention_begin(const AttentionState& state, int64_t n_rows, int64_t value_cols) {
  std::fill_n(state.max, n_rows, -std::numeric_limits<float>::infinity());
  std::fill_n(state.sum, n_rows, 0.0f);
  std::fill_n(state.acc, n_rows * value_cols, 0.0f);
}

void attend_block(const AttentionBlock& block, const Context& context) {
  const KvLayout& layout = *block.layout;
  CHECK(block.n_rows >= 0 && block.n_rows <= kMaxBlockRows, "{} rows", block.n_rows);
  for (int64_t i = 0; i < block.n_rows; i++) {
    CHECK(block.n_visible[i] >= 0 && block.n_visible[i] <= kBlockTokens, "{} visible keys", block.n_visible[i]);
  }
  const AttentionTable& table = attention_kernels(context.isa);
  (layout.is_latent ? table.attend_latent : table.attend_heads)[static_cast<size_t>(layout.type)](block);
}

void attention_finish(float* out, int64_t out_stride, const AttentionState& state, int64_t n_rows, const KvLayout& layout,
                      const Context& context) {
  const AttentionTable& table = attention_kernels(context.isa);
  for (int64_t i = 0; i < n_rows; i++) {
    table.finish_row(out + i * out_stride, state.acc + i * layout.value_cols, state.sum[i], layout.value_dim);
  }
}

void read_latents(float* out, const KvLayout& layout, const std::byte* page, int64_t n_tokens, const Context& context) {
  CHECK(layout.is_latent && n_tokens >= 0 && n_tokens <= kPageTokens, "{} tokens", n_tokens);
  attention_kernels(context.isa).read_latents[static_cast<size_t>(layout.type)](out, layout, page, n_tokens);
}

void attend(float* out, const float* queries, const CachedLayer& layer, std::span<const CachedSequence> sequences,
            int64_t group, float softmax_scale, Arena& arena, const Context& context) {
  const KvLayout& layout = layer.layout;
  CHECK(group > 0 && !sequences.empty(), "{} heads a kv head, {} sequences", group, sequences.size());
  int64_t n_tokens = 0;
  for (const CachedSequence& s : sequences) {
    CHECK(s.first_position >= 0 && s.n_tokens > 0, "{} tokens from position {}", s.n_tokens, s.first_position);
    n_tokens += s.n_tokens;
  }
  Job job = {out, queries, layer, group, softmax_scale, attention_kernels(context.isa), {}};
  if (layout.type == KvType::kQ8) job.coded = code_queries(queries, layout, layout.n_heads * n_tokens * group, arena, context);
  const Items all = cut_items(layer, sequences, group, arena);
  if (context.n_threads() > 1 && all.n < kItemsPerThread * context.n_threads() && all.n_partitions > all.n) {
    return run_apart(job, all, arena, context);
  }
  run_all(all.n, layout, arena, context, [&](int64_t i, const Scratch& scratch) { walk_item(job, all.items[i], scratch); });
}

}  // namespace minke
