#include "engine/draft_policy.h"

#include <algorithm>

#include "base/check.h"

namespace minke {
namespace {

constexpr double kForget = 1.0 / 16;             // weight of a new draft in p, once there were many
constexpr int64_t kPlainAtFirst = 2;             // steps without drafts, to know t
constexpr int64_t kTrial = 4, kTrialDrafts = 2;  // steps with drafts, to know s and p
constexpr int64_t kProven = 128;                 // steps with drafts after which the next rest is a short one again

}  // namespace

void RecentMedian::add(double value) {
  values_[next_] = value;
  next_ = (next_ + 1) % kSize;
  n_ = std::min(n_ + 1, kSize);
}

double RecentMedian::value() const {
  if (n_ == 0) return 0;
  std::array<double, kSize> sorted = values_;
  double* middle = sorted.data() + n_ / 2;
  std::nth_element(sorted.data(), middle, sorted.data() + n_);
  return *middle;
}

DraftPolicy::DraftPolicy(int64_t max_drafts) : max_drafts_(max_drafts) {
  CHECK(max_drafts > 0, "{} drafts", max_drafts);
  begin_trial();
}

void DraftPolicy::begin_trial() {
  accepted_.assign(static_cast<size_t>(max_drafts_), 1.0);
  n_judged_.assign(static_cast<size_t>(max_drafts_), 0);
  per_draft_.clear();
  n_in_trial_ = 0;
}

double DraftPolicy::expected_gain(int64_t n_drafts) const {
  double tokens = 1, all_right = 1;
  for (int64_t j = 0; j < n_drafts; j++) {
    all_right *= accepted_[static_cast<size_t>(j)];
    tokens += all_right;
  }
  double t = plain_.value(), added = static_cast<double>(n_drafts) * std::max(per_draft_.value(), 0.0);
  return t > 0 ? tokens * t / (t + added) : 1;
}

int64_t DraftPolicy::n_drafts() {
  if (n_plain_ < kPlainAtFirst) return 0;
  if (n_rest_ > 0) {
    if (--n_rest_ == 0) begin_trial();
    return 0;
  }
  if (n_since_plain_ >= kRefresh) return 0;
  if (n_in_trial_ < kTrial) return std::min(kTrialDrafts, max_drafts_);
  int64_t best = 0;
  double best_gain = 1;
  for (int64_t k = 1; k <= max_drafts_; k++) {
    double gain = expected_gain(k);
    if (gain > best_gain) {
      best = k;
      best_gain = gain;
    }
  }
  if (best > 0) return best;
  n_rest_ = next_rest_ - 1;
  next_rest_ = std::min(2 * next_rest_, kLongestRest);
  return 0;
}

void DraftPolicy::record(const DraftedStep& step) {
  if (step.n_drafted == 0) {
    n_plain_++;
    n_since_plain_ = 0;
    plain_.add(step.seconds);
    return;
  }
  n_since_plain_++;
  if (++n_in_trial_ >= kProven) next_rest_ = kFirstRest;
  per_draft_.add((step.seconds - plain_.value()) / static_cast<double>(step.n_drafted));
  auto judge = [&](int64_t depth, double right) {
    double& share = accepted_[static_cast<size_t>(depth)];
    int64_t n = ++n_judged_[static_cast<size_t>(depth)];
    share += std::max(kForget, 1.0 / static_cast<double>(n + 1)) * (right - share);
  };
  for (int64_t depth = 0; depth < step.n_accepted; depth++) judge(depth, 1);
  if (step.has_wrong) judge(step.n_accepted, 0);
}

}  // namespace minke
