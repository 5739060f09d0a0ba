// How many tokens to draft, from what drafting has cost and brought so far. It changes the time of an answer, never its tokens.
//
// With t the time of a step without drafts, s what each draft adds to a step, and p_j the share of drafts at depth j that were
// right when all before them were, a step with k drafts is expected to be
//   gain(k) = (1 + p_1 + p_1 p_2 + ... + p_1 ... p_k) t / (t + k s)
// times as fast as one without. The best k is taken; when none gains, there is a rest, twice as long each time, and then a
// new trial that knows t and nothing else: a few steps with few drafts, before anything is concluded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace minke {

// The median of the last values: one interrupted step does not count.
class RecentMedian {
 public:
  void add(double value);
  void clear() { n_ = next_ = 0; }
  bool empty() const { return n_ == 0; }
  double value() const;  // 0 when empty

 private:
  static constexpr size_t kSize = 9;
  std::array<double, kSize> values_ = {};
  size_t n_ = 0, next_ = 0;
};

struct DraftedStep {
  int64_t n_drafted = 0;   // 0: a step without drafts
  int64_t n_accepted = 0;  // of them, before the first wrong one
  bool has_wrong = false;  // draft n_accepted + 1 was wrong; else nobody looked at it, or there was none
  double seconds = 0;      // of drafting and of the forward call
};

class DraftPolicy {
 public:
  explicit DraftPolicy(int64_t max_drafts);

  // For the next step; 0: none.
  int64_t n_drafts();
  void record(const DraftedStep& step);

  double plain_seconds() const { return plain_.value(); }
  double expected_gain(int64_t n_drafts) const;

  static constexpr int64_t kFirstRest = 32, kLongestRest = 1024;  // steps
  static constexpr int64_t kRefresh = 64;  // after so many steps with drafts comes one without, so that t stays true

 private:
  void begin_trial();

  int64_t max_drafts_;
  RecentMedian plain_, per_draft_;  // t, s
  std::vector<double> accepted_;    // p_j, depth 1 first; 1 before anything is known
  std::vector<int64_t> n_judged_;   // of each depth, in this trial
  int64_t n_plain_ = 0, n_since_plain_ = 0;
  int64_t n_rest_ = 0, next_rest_ = kFirstRest, n_in_trial_ = 0;
};

}  // namespace minke
