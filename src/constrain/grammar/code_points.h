// Sets of Unicode code points, and the byte sequences that spell them in UTF-8.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace minke::constrain {

constexpr char32_t kMaxCodePoint = 0x10FFFF;

struct CodePointRange {
  char32_t first = 0;
  char32_t last = 0;
  bool operator==(const CodePointRange&) const = default;
};

// Scalar values only: surrogates (U+D800 .. U+DFFF), which UTF-8 cannot spell, are never in a set.
class CodePointSet {
 public:
  CodePointSet() = default;
  CodePointSet(std::initializer_list<CodePointRange> ranges);
  static CodePointSet all();

  void add(char32_t first, char32_t last);
  void add(const CodePointSet& other);
  CodePointSet complement() const;
  CodePointSet intersection(const CodePointSet& other) const;
  CodePointSet without(const CodePointSet& other) const { return intersection(other.complement()); }
  bool contains(char32_t code_point) const;
  bool empty() const { return ranges_.empty(); }
  // Sorted, with at least one code point between any two.
  const std::vector<CodePointRange>& ranges() const { return ranges_; }

 private:
  std::vector<CodePointRange> ranges_;
};

// n_bytes ranges of bytes, one for each place: every choice of bytes from them spells a code point of the set.
struct Utf8Ranges {
  int n_bytes = 0;
  std::array<uint8_t, 4> first{};
  std::array<uint8_t, 4> last{};
};

// A range of code points as ranges of bytes, in order.
std::vector<Utf8Ranges> utf8_ranges(CodePointRange range);

}  // namespace minke::constrain
