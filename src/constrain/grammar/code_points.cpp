#include "constrain/grammar/code_points.h"

#include <algorithm>
#include <string>

#include "base/utf8.h"

namespace minke::constrain {
namespace {

constexpr char32_t kFirstSurrogate = 0xD800, kLastSurrogate = 0xDFFF;

void split(std::vector<Utf8Ranges>& out, char32_t first, char32_t last) {
  // Code points of one length differ in nothing but payload bits, so a range whose lower places run over all of 80..BF is one
  // row of byte ranges; anything else is cut at the place where it is not.
  for (char32_t limit : {0x7Fu, 0x7FFu, 0xFFFFu}) {
    if (first <= limit && last > limit) {
      split(out, first, limit);
      split(out, limit + 1, last);
      return;
    }
  }
  std::string low, high;
  utf8_append(low, first);
  utf8_append(high, last);
  for (size_t place = 1; place < low.size(); place++) {
    char32_t mask = (char32_t{1} << (6 * place)) - 1;
    if ((first & ~mask) == (last & ~mask)) continue;
    if ((first & mask) != 0) {
      split(out, first, first | mask);
      split(out, (first | mask) + 1, last);
      return;
    }
    if ((last & mask) != mask) {
      split(out, first, (last & ~mask) - 1);
      split(out, last & ~mask, last);
      return;
    }
  }
  Utf8Ranges row;
  row.n_bytes = static_cast<int>(low.size());
  for (size_t i = 0; i < low.size(); i++) {
    row.first[i] = static_cast<uint8_t>(low[i]);
    row.last[i] = static_cast<uint8_t>(high[i]);
  }
  out.push_back(row);
}

}  // namespace

CodePointSet::CodePointSet(std::initializer_list<CodePointRange> ranges) {
  for (CodePointRange range : ranges) add(range.first, range.last);
}

CodePointSet CodePointSet::all() { return CodePointSet{{0, kMaxCodePoint}}; }

void CodePointSet::add(char32_t first, char32_t last) {
  last = std::min(last, kMaxCodePoint);
  if (first > last) return;
  if (first <= kLastSurrogate && last >= kFirstSurrogate) {
    if (first < kFirstSurrogate) add(first, kFirstSurrogate - 1);
    if (last > kLastSurrogate) add(kLastSurrogate + 1, last);
    return;
  }
  // The first range that touches [first, last], and the first one past it.
  auto begin = std::lower_bound(ranges_.begin(), ranges_.end(), first,
                                [](const CodePointRange& range, char32_t value) { return range.last + 1 < value; });
  auto end = begin;
  while (end != ranges_.end() && end->first <= last + 1) {
    first = std::min(first, end->first);
    last = std::max(last, end->last);
    ++end;
  }
  if (begin == end) {
    ranges_.insert(begin, {first, last});
  } else {
    *begin = {first, last};
    ranges_.erase(begin + 1, end);
  }
}

void CodePointSet::add(const CodePointSet& other) {
  for (CodePointRange range : other.ranges_) add(range.first, range.last);
}

CodePointSet CodePointSet::complement() const {
  CodePointSet out;
  char32_t next = 0;
  for (CodePointRange range : ranges_) {
    if (range.first > next) out.add(next, range.first - 1);
    next = range.last + 1;
  }
  if (next <= kMaxCodePoint) out.add(next, kMaxCodePoint);
  return out;
}

CodePointSet CodePointSet::intersection(const CodePointSet& other) const {
  CodePointSet out;
  for (size_t i = 0, j = 0; i < ranges_.size() && j < other.ranges_.size();) {
    const CodePointRange &a = ranges_[i], &b = other.ranges_[j];
    out.add(std::max(a.first, b.first), std::min(a.last, b.last));
    (a.last < b.last ? i : j)++;
  }
  return out;
}

bool CodePointSet::contains(char32_t code_point) const {
  auto range = std::lower_bound(ranges_.begin(), ranges_.end(), code_point,
                                [](const CodePointRange& r, char32_t value) { return r.last < value; });
  return range != ranges_.end() && range->first <= code_point;
}

std::vector<Utf8Ranges> utf8_ranges(CodePointRange range) {
  std::vector<Utf8Ranges> out;
  split(out, range.first, range.last);
  return out;
}

}  // namespace minke::constrain
