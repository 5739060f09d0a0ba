#include "kernels/attention/attention.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <limits>
#include <new>

#include "base/check.h"
#include "kernels/cpu/dispatch.h"

namespace minke {
namespace {

constexpr int64_t kItemsPerThread = 4;  // fewer, and the partitions of an item are spread over threads too

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Up to kMaxBlockRows rows of one sequence and kv head.
struct Item {
  const CachedSequence* sequence;
  int64_t head;
  int64_t first_row;  // among the sequence's rows of this head, n_tokens * group
  int64_t n_rows;
  int64_t query_row;  // where the first of them lies in `queries`
  int64_t out_token;  // index of the sequence's first token in `out`
  int64_t n_partitions;
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
  AttentionState* states;  // what walk() needs; null when partitions are computed apart
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
    block.coded = {job.coded.codes + item.query_row * layout.key_cols,
                   job.coded.scales + item.query_row * layout.n_query_groups,
                   job.coded.offsets + item.query_row * layout.n_query_groups};
  }
  block.scores = scratch.scores;
  block.codes = scratch.codes;
  return block;
}

// The bytes of the item's head where `token` lies; null from `end` on.
const std::byte* page_of(const Job& job, const Item& item, int64_t token, int64_t end) {
  if (token >= end) return nullptr;
  const KvLayout& layout = job.layer.layout;
  const int64_t page = item.sequence->page_table[token / kPageTokens];
  return job.layer.pages + page * page_bytes(layout) + item.head * layout.head_bytes;
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
    for (int64_t p = 0; p < kBlockPages; p++) block.pages[p] = page_of(job, item, key + p * kPageTokens, last);
    for (int64_t p = 0; p < kBlockPages; p++) block.next[p] = page_of(job, item, key + kBlockTokens + p * kPageTokens, end);
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

// The state of partitions [first, first + n) into states[0]. n partitions are a tree, so that threads can merge those of their
// own before they exchange any: the left half has the largest power of two below n.
void walk(const Job& job, const Item& item, const Scratch& scratch, AttentionState* states, int64_t first, int64_t n) {
  if (n == 1) return run_partition(states[0], job, item, first, scratch);
  const auto half = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(n - 1)));
  walk(job, item, scratch, states, first, half);
  walk(job, item, scratch, states + 1, first + half, n - half);
  job.table.merge(states[0], states[1], item.n_rows, job.layer.layout.value_cols);
}

void write_rows(const Job& job, const Item& item, const AttentionState& state) {
  for (int64_t row = 0; row < item.n_rows; row++) write_row(job, item, row, state);
}

Scratch* allocate_scratch(int64_t n_workers, const KvLayout& layout, Arena& arena) {
  Scratch* scratch = arena.allocate<Scratch>(n_workers);
  for (int64_t i = 0; i < n_workers; i++) {
    scratch[i] = {arena.allocate<float>(kMaxBlockRows * kBlockTokens),
                  arena.allocate<uint8_t>(layout.type == KvType::kQ8 ? kMaxBlockRows * 4 * kBlockTokens : 0), nullptr};
  }
  return scratch;
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
        Item item = {&s, head, row, std::min(kMaxBlockRows, n_rows - row), (head * n_tokens + token) * group + row, token, 0};
        item.n_partitions = ceil_div(position_of(item, item.n_rows - 1, group) + 1, kPartitionTokens);
        all.n_partitions += item.n_partitions;
        all.items[all.n++] = item;
      }
      token += s.n_tokens;
    }
  }
  return all;
}

// Items as they are, a thread takes one after the other.
void run_items(const Job& job, const Items& all, Arena& arena, const Context& context) {
  const KvLayout& layout = job.layer.layout;
  int64_t most_partitions = 1;
  for (int64_t i = 0; i < all.n; i++) most_partitions = std::max(most_partitions, all.items[i].n_partitions);
  const int64_t n_states = std::bit_width(static_cast<uint64_t>(most_partitions - 1)) + 1;
  const int64_t n_workers = std::min<int64_t>(context.n_threads(), all.n);
  Scratch* scratch = allocate_scratch(n_workers, layout, arena);
  for (int64_t i = 0; i < n_workers; i++) {
    scratch[i].states = arena.allocate<AttentionState>(n_states);
    for (int64_t s = 0; s < n_states; s++) scratch[i].states[s] = allocate_state(arena, kMaxBlockRows, layout.value_cols);
  }
  std::atomic<int64_t> next{0};
  context.parallel_for(n_workers, 1, [&](int64_t begin, int64_t) {
    // From the end: later tokens see more keys, and the long work is better started first.
    for (int64_t i; (i = all.n - 1 - next.fetch_add(1, std::memory_order_relaxed)) >= 0;) {
      const Item& item = all.items[i];
      walk(job, item, scratch[begin], scratch[begin].states, 0, item.n_partitions);
      write_rows(job, item, scratch[begin].states[0]);
    }
  });
}

// A partition of an item that threads share.
struct Part {
  const Item* item;
  int64_t index;
  AttentionState state;
  std::atomic<int> n_done;  // of the two halves that meet where the right one starts with this partition
};

// Merges the finished partition with its neighbours as far as they are finished: who comes second merges. The same tree as in
// walk(). `part` is an element of its item's parts.
void merge_upwards(const Job& job, Part* part) {
  const Item& item = *part->item;
  Part* const parts = part - part->index;
  int64_t left = part->index;
  for (int64_t size = 1; size < item.n_partitions; size *= 2) {
    left = left / (2 * size) * (2 * size);
    const int64_t right = left + size;
    if (right >= item.n_partitions) continue;
    if (parts[right].n_done.fetch_add(1, std::memory_order_acq_rel) == 0) return;
    job.table.merge(parts[left].state, parts[right].state, item.n_rows, job.layer.layout.value_cols);
  }
  write_rows(job, item, parts[0].state);
}

// Every partition apart. A thread has neighbouring ones, so that it fetches its own keys early and finds the states that it
// merges in its cache; one that is done early takes from the others.
void run_apart(const Job& job, const Items& all, Arena& arena, const Context& context) {
  const KvLayout& layout = job.layer.layout;
  Part* parts = arena.allocate<Part>(all.n_partitions);
  int64_t n_parts = 0;
  for (int64_t i = 0; i < all.n; i++) {
    for (int64_t p = 0; p < all.items[i].n_partitions; p++) {
      new (parts + n_parts++) Part{all.items + i, p, allocate_state(arena, all.items[i].n_rows, layout.value_cols), 0};
    }
  }
  const int64_t n_workers = std::min<int64_t>(context.n_threads(), n_parts);
  const Scratch* scratch = allocate_scratch(n_workers, layout, arena);
  struct alignas(64) Next {
    std::atomic<int64_t> part;
  };
  Next* next = arena.allocate<Next>(n_workers);
  auto first_of = [&](int64_t worker) { return n_parts * worker / n_workers; };
  for (int64_t i = 0; i < n_workers; i++) new (next + i) Next{first_of(i)};
  context.parallel_for(n_workers, 1, [&](int64_t begin, int64_t) {
    for (int64_t i = 0; i < n_workers; i++) {
      const int64_t worker = (begin + i) % n_workers, end = first_of(worker + 1);
      for (int64_t p; (p = next[worker].part.fetch_add(1, std::memory_order_relaxed)) < end;) {
        run_partition(parts[p].state, job, *parts[p].item, parts[p].index, scratch[begin]);
        merge_upwards(job, parts + p);
      }
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
  run_items(job, all, arena, context);
}

}  // namespace minke
