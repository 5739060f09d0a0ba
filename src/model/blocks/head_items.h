// The heads of all sequences of a training batch as independent pieces of work.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "model/blocks/step.h"

namespace minke {

struct HeadItem {
  int64_t head;
  int64_t first_token, n_tokens;  // of the sequence, in the batch
};

// run(item, arena) for every head of every sequence, spread over the threads; each call's arena is its thread's own and empty.
// The longest sequences should not come last: threads take the next item when they are done with one.
template <typename Run>
void for_heads(int64_t n_heads, const Step& step, Run run) {
  const auto n_sequences = static_cast<int64_t>(step.batch.sequences.size());
  const int64_t n_items = n_sequences * n_heads, n_workers = std::min<int64_t>(step.context.n_threads(), n_items);
  int64_t* first = step.arena.allocate<int64_t>(n_sequences + 1);
  first[0] = 0;
  for (int64_t s = 0; s < n_sequences; s++) first[s + 1] = first[s] + step.batch.sequences[static_cast<size_t>(s)].n_tokens;
  std::vector<Arena> arenas(static_cast<size_t>(n_workers));
  std::atomic<int64_t> next{0};
  step.context.parallel_for(n_workers, 1, [&](int64_t begin, int64_t end) {
    for (int64_t worker = begin; worker < end; worker++) {
      Arena& arena = arenas[static_cast<size_t>(worker)];
      for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < n_items;) {
        arena.reset();
        const int64_t s = i / n_heads;
        run(HeadItem{i % n_heads, first[s], first[s + 1] - first[s]}, arena);
      }
    }
  });
}

}  // namespace minke
