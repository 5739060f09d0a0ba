// Where a matcher can be in a text: sets of frames. A frame is a state of a rule, the rounds that its counted repeat has made,
// and the set of frames that may go on once the rule ends. Sets are kept once each and never change, so equal places in a
// text have equal numbers, a step is remembered, and going back or forking costs nothing.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/token_id.h"
#include "constrain/grammar/grammar.h"

namespace minke::constrain {

using SetId = int32_t;
constexpr SetId kNoFrames = 0;  // the empty set: the text does not match

struct Frame {
  StateId state = 0;
  SetId parents = 0;
  int64_t count = 0;
  bool operator==(const Frame&) const = default;
  auto operator<=>(const Frame&) const = default;
};

class FrameStore {
 public:
  // A set of more frames, or a store of more sets, can come of ambiguous grammars only; a step that would need them does not
  // match. So a text that passes is always right, and one that fails may have been too ambiguous to follow.
  static constexpr size_t kMaxFrames = 4096;
  static constexpr size_t kMaxSets = 100'000;
  static constexpr size_t kMaxRows = 32'768;  // sets whose steps are remembered, 1 KiB each

  explicit FrameStore(std::shared_ptr<const Grammar> grammar);

  SetId start();
  // One frame above nothing known: steps from here leave the bottom frame where the rule ends.
  SetId above_bottom(StateId state, int64_t count);
  SetId step(SetId set, uint8_t byte) {
    const std::array<SetId, 256>* row = rows_[static_cast<size_t>(set)].get();
    SetId next = row ? (*row)[byte] : -1;
    return next >= 0 ? next : step_anew(set, byte);
  }
  SetId step_token(SetId set, TokenId token);
  // The set in which matching goes on when a rule called from `parents` ends.
  SetId return_to(SetId parents);
  // The set of a text that was ended.
  SetId done();

  std::span<const Frame> frames(SetId set) const {
    const Set& s = sets_[static_cast<size_t>(set)];
    return std::span(pool_).subspan(s.begin, s.n);
  }
  bool has_end(SetId set) const { return sets_[static_cast<size_t>(set)].has_end; }
  bool has_bottom(SetId set) const { return sets_[static_cast<size_t>(set)].has_bottom; }
  std::bitset<256> next_bytes(SetId set) const;

  // How much following of frames the next steps may cost; past it they do not match. One unit is a few nanoseconds.
  void set_budget(int64_t budget) { budget_ = budget; }
  // Room for whoever walks a tree with this store: the set at each depth.
  std::vector<SetId>& path() { return path_; }
  size_t n_sets() const { return sets_.size(); }
  size_t n_bytes() const;
  // Puts a set of another store, with all sets below it, into this one.
  SetId copy_from(const FrameStore& other, SetId set, std::unordered_map<SetId, SetId>& copied);

 private:
  struct Set {
    uint32_t begin = 0, n = 0;
    SetId returns = -1;  // return_to(), once it was asked for
    SetId next_in_bucket = -1;
    bool has_end = false, has_bottom = false;
  };
  // Calls made at one place of a text, by rule: all callers together are the parents of one frame.
  struct PendingCall {
    int32_t rank;
    int32_t rule;
    std::vector<Frame> parents;
  };

  void begin();
  SetId step_anew(SetId set, uint8_t byte);
  SetId intern(std::span<Frame> frames);
  // The set of all frames that wait for something to read once those of `open_` were followed as far as nothing is read.
  SetId close();
  void open(Frame frame);
  void follow_counts(const Frame& frame);
  void add_call(const Frame& frame, const CallEdge& edge);
  void run_calls();
  SetId merge(SetId a, SetId b);

  std::shared_ptr<const Grammar> grammar_;
  std::vector<Set> sets_;
  std::vector<Frame> pool_;
  std::vector<std::unique_ptr<std::array<SetId, 256>>> rows_;  // by set; remembered steps, -1: not yet known
  std::unordered_map<uint64_t, SetId> buckets_;                // by hash of the frames
  size_t n_rows_ = 0;
  std::vector<SetId> path_;
  int64_t budget_ = INT64_MAX;
  bool is_full_ = false;  // of one close(): a limit was met
  // Of one close(); kept to spare allocations.
  std::vector<Frame> open_;
  std::vector<size_t> work_;
  std::vector<Frame> waiting_;
  std::vector<PendingCall> calls_;
};

}  // namespace minke::constrain
