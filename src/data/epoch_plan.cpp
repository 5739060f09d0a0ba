#include "data/epoch_plan.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/check.h"
#include "base/rng.h"

namespace minke {
namespace {

// Whole documents are packed a window at a time: enough to fill rows to about 99%, small enough to be sorted at once.
constexpr size_t kWindow = 4096;

}  // namespace

std::vector<int64_t> permutation(int64_t n, uint64_t key) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = order.size(); i > 1; i--) {
    // The upper half of a product: uniform below i but for 2^-64 i.
    const auto draw = static_cast<unsigned __int128>(mix_seed(key, i)) * i >> 64;
    std::swap(order[i - 1], order[static_cast<size_t>(draw)]);
  }
  return order;
}

EpochPlan::EpochPlan(std::span<const int64_t> lengths, const EpochOptions& options) : options_(options) {
  CHECK(options.seq_len > 0, "{}", options.seq_len);
  const auto n = static_cast<int64_t>(lengths.size());
  documents_.resize(lengths.size());
  std::iota(documents_.begin(), documents_.end(), 0);
  if (options.shuffle) documents_ = permutation(n, mix_seed(options.key, 0));
  std::erase_if(documents_, [&](int64_t document) { return lengths[static_cast<size_t>(document)] == 0; });
  if (options.whole) {
    plan_whole(lengths);
  } else {
    plan_cuts(lengths);
  }
  if (options.shuffle) {
    row_order_ = permutation(n_rows(), mix_seed(options.key, 1));
  } else {
    std::iota(row_order_.begin(), row_order_.end(), 0);
  }
}

void EpochPlan::plan_cuts(std::span<const int64_t> lengths) {
  starts_.assign(1, 0);
  for (int64_t document : documents_) starts_.push_back(starts_.back() + lengths[static_cast<size_t>(document)]);
  const int64_t n = std::max<int64_t>(starts_.back() - options_.n_overlap, 0);
  row_order_.resize(static_cast<size_t>((n + options_.seq_len - 1) / options_.seq_len));
}

// Best fit, longest first: each document goes into the fullest row that has room for it.
void EpochPlan::plan_whole(std::span<const int64_t> lengths) {
  auto length_of = [&](int64_t document) { return std::min(lengths[static_cast<size_t>(document)], options_.seq_len); };
  std::vector<std::vector<int64_t>> rows;
  for (size_t begin = 0; begin < documents_.size(); begin += kWindow) {
    auto window = std::span(documents_).subspan(begin, std::min(kWindow, documents_.size() - begin));
    std::vector<int64_t> sorted(window.begin(), window.end());
    std::stable_sort(sorted.begin(), sorted.end(), [&](int64_t a, int64_t b) { return length_of(a) > length_of(b); });
    std::multimap<int64_t, size_t> by_room;  // rows of this window; among equal room the oldest
    for (int64_t document : sorted) {
      const int64_t length = length_of(document);
      auto found = by_room.lower_bound(length);
      size_t row = rows.size();
      int64_t room = options_.seq_len;
      if (found == by_room.end()) {
        rows.emplace_back();
      } else {
        room = found->first;
        row = found->second;
        by_room.erase(found);
      }
      rows[row].push_back(document);
      if (room > length) by_room.emplace(room - length, row);
    }
  }
  documents_.clear();
  row_begins_.assign(1, 0);
  for (const std::vector<int64_t>& row : rows) {
    for (int64_t document : row) {
      documents_.push_back(document);
      lengths_.push_back(length_of(document));
    }
    row_begins_.push_back(static_cast<int64_t>(documents_.size()));
  }
  row_order_.resize(rows.size());
}

std::vector<RowPart> EpochPlan::row(int64_t index) const {
  CHECK(index >= 0 && index < n_rows(), "row {} of {}", index, n_rows());
  const int64_t row = row_order_[static_cast<size_t>(index)];
  if (!options_.whole) return cut_row(row);
  std::vector<RowPart> parts;
  const auto first = static_cast<size_t>(row_begins_[static_cast<size_t>(row)]);
  const auto last = static_cast<size_t>(row_begins_[static_cast<size_t>(row) + 1]);
  for (size_t place = first; place < last; place++) parts.push_back({documents_[place], 0, lengths_[place]});
  return parts;
}

std::vector<RowPart> EpochPlan::cut_row(int64_t row) const {
  const int64_t begin = row * options_.seq_len;
  const int64_t end = std::min(begin + options_.seq_len + options_.n_overlap, starts_.back());
  std::vector<RowPart> parts;
  auto place = static_cast<size_t>(std::upper_bound(starts_.begin(), starts_.end(), begin) - starts_.begin()) - 1;
  for (int64_t at = begin; at < end; place++) {
    const int64_t stop = std::min(end, starts_[place + 1]);
    parts.push_back({documents_[place], at - starts_[place], stop - starts_[place]});
    at = stop;
  }
  return parts;
}

}  // namespace minke
