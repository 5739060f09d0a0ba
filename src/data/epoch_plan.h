// One epoch of one source: the order of its documents and which parts of them make up each row. A pure function of the lengths,
// the options and the seed, so that any row of any epoch can be had at once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace minke {

// 0..n-1 in an order that depends on the key alone (Fisher-Yates with draws by index).
std::vector<int64_t> permutation(int64_t n, uint64_t key);

// Positions [begin, end) of the document that stands at `document` in the list of lengths.
struct RowPart {
  int64_t document;
  int64_t begin;
  int64_t end;
  bool operator==(const RowPart&) const = default;
};

struct EpochOptions {
  int64_t seq_len = 0;
  int64_t n_overlap = 0;  // a row also has so many positions of the next one; those at the end of the epoch start no row
  bool whole = false;     // documents are not cut; those longer than seq_len lose their end
  bool shuffle = true;
  uint64_t key = 0;  // of source, seed and epoch, mixed
};

class EpochPlan {
 public:
  // lengths: positions of each document. Documents without positions are in no row.
  EpochPlan(std::span<const int64_t> lengths, const EpochOptions& options);

  int64_t n_rows() const { return static_cast<int64_t>(row_order_.size()); }
  std::vector<RowPart> row(int64_t index) const;

 private:
  void plan_cuts(std::span<const int64_t> lengths);
  void plan_whole(std::span<const int64_t> lengths);
  std::vector<RowPart> cut_row(int64_t row) const;

  EpochOptions options_;
  std::vector<int64_t> documents_;   // by place in the epoch; whole: row by row
  std::vector<int64_t> starts_;      // not whole: position of the epoch at which each place begins, and the end
  std::vector<int64_t> lengths_;     // whole: of each place
  std::vector<int64_t> row_begins_;  // whole: first place of each row, and the end
  std::vector<int64_t> row_order_;
};

}  // namespace minke
