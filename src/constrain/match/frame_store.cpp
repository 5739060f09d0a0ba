#include "constrain/match/frame_store.h"

#include <algorithm>

#include "base/check.h"

namespace minke::constrain {

FrameStore::FrameStore(std::shared_ptr<const Grammar> grammar) : grammar_(std::move(grammar)) {
  SetId empty = intern({});
  CHECK(empty == kNoFrames);
}

SetId FrameStore::intern(std::span<Frame> frames) {
  budget_ -= static_cast<int64_t>(frames.size());
  std::sort(frames.begin(), frames.end());
  size_t n = static_cast<size_t>(std::unique(frames.begin(), frames.end()) - frames.begin());
  if (n > kMaxFrames) {
    is_full_ = true;
    return kNoFrames;
  }
  uint64_t hash = n;
  for (const Frame& frame : frames.first(n)) {
    for (uint64_t part :
         {static_cast<uint64_t>(frame.state), static_cast<uint64_t>(frame.parents), static_cast<uint64_t>(frame.count)}) {
      hash = (hash ^ part) * 0x9E3779B97F4A7C15u;
      hash ^= hash >> 32;
    }
  }
  auto [bucket, is_new] = buckets_.try_emplace(hash, -1);
  for (SetId id = bucket->second; id >= 0; id = sets_[static_cast<size_t>(id)].next_in_bucket) {
    std::span<const Frame> present = this->frames(id);
    if (std::equal(present.begin(), present.end(), frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(n))) return id;
  }
  if (sets_.size() >= kMaxSets) {
    is_full_ = true;
    return kNoFrames;
  }
  Set set;
  set.begin = static_cast<uint32_t>(pool_.size());
  set.n = static_cast<uint32_t>(n);
  set.next_in_bucket = bucket->second;
  for (const Frame& frame : frames.first(n)) {
    set.has_end |= frame.state == kEndState;
    set.has_bottom |= frame.state == kBottomState;
    pool_.push_back(frame);
  }
  auto id = static_cast<SetId>(sets_.size());
  bucket->second = id;
  sets_.push_back(set);
  rows_.push_back(nullptr);
  return id;
}

void FrameStore::begin() {
  open_.clear();
  work_.clear();
  is_full_ = false;
}

SetId FrameStore::start() {
  begin();
  Frame end{kEndState, kNoFrames, 0};
  open({grammar_->root().start, intern({&end, 1}), 0});
  return close();
}

SetId FrameStore::above_bottom(StateId state, int64_t count) {
  Frame bottom{kBottomState, kNoFrames, 0};
  Frame frame{state, intern({&bottom, 1}), count};
  return intern({&frame, 1});
}

SetId FrameStore::done() {
  Frame frame{kDoneState, kNoFrames, 0};
  return intern({&frame, 1});
}

SetId FrameStore::step_anew(SetId set, uint8_t byte) {
  begin();
  for (size_t i = 0; i < frames(set).size(); i++) {  // open() may move the frames
    Frame frame = frames(set)[i];
    StateId next = grammar_->next(frame.state, byte);
    if (next >= 0) open({next, frame.parents, frame.count});
  }
  SetId next = close();
  auto& row = rows_[static_cast<size_t>(set)];
  if (!row) {
    if (n_rows_ >= kMaxRows) return next;
    row = std::make_unique<std::array<SetId, 256>>();
    row->fill(-1);
    n_rows_++;
  }
  (*row)[byte] = next;
  return next;
}

SetId FrameStore::step_token(SetId set, TokenId token) {
  begin();
  for (size_t i = 0; i < frames(set).size(); i++) {
    Frame frame = frames(set)[i];
    for (const TokenEdge& edge : grammar_->token_edges(frame.state)) {
      if (edge.token == token) open({edge.to, frame.parents, frame.count});
    }
  }
  return close();
}

SetId FrameStore::return_to(SetId parents) {
  SetId known = sets_[static_cast<size_t>(parents)].returns;
  if (known >= 0) return known;
  begin();
  for (size_t i = 0; i < frames(parents).size(); i++) open(frames(parents)[i]);
  SetId set = close();
  sets_[static_cast<size_t>(parents)].returns = set;
  return set;
}

std::bitset<256> FrameStore::next_bytes(SetId set) const {
  std::bitset<256> bytes;
  for (const Frame& frame : frames(set)) {
    for (const ByteEdge& edge : grammar_->byte_edges(frame.state)) {
      for (size_t byte = edge.first; byte <= edge.last; byte++) bytes.set(byte);
    }
  }
  return bytes;
}

size_t FrameStore::n_bytes() const {
  return sets_.size() * (sizeof(Set) + 64) + pool_.size() * sizeof(Frame) + n_rows_ * sizeof(std::array<SetId, 256>);
}

// Frames of one state and count that stand above different sets stand above the union.
void FrameStore::open(Frame frame) {
  budget_ -= static_cast<int64_t>(open_.size()) + 1;
  if (budget_ < 0 || open_.size() >= kMaxFrames) is_full_ = true;
  if (is_full_) return;
  for (size_t i = 0; i < open_.size(); i++) {
    Frame& present = open_[i];
    if (present.state != frame.state || present.count != frame.count) continue;
    SetId merged = merge(present.parents, frame.parents);
    if (merged == present.parents) return;
    present.parents = merged;
    work_.push_back(i);
    return;
  }
  open_.push_back(frame);
  work_.push_back(open_.size() - 1);
}

SetId FrameStore::merge(SetId a, SetId b) {
  if (a == b) return a;
  std::vector<Frame> both(frames(a).begin(), frames(a).end());
  both.insert(both.end(), frames(b).begin(), frames(b).end());
  return intern(both);
}

SetId FrameStore::close() {
  // First what needs no new frames: counting, returning from rules that end here, passing rules that may be empty. It can
  // come back to a state that was already there, whose parents then grow; so calls wait until nothing does.
  while (!work_.empty()) {
    Frame frame = open_[work_.back()];
    work_.pop_back();
    if (grammar_->is_final(frame.state)) {
      size_t n = frames(frame.parents).size();
      for (size_t i = 0; i < n; i++) open(frames(frame.parents)[i]);
    }
    follow_counts(frame);
    for (const CallEdge& edge : grammar_->call_edges(frame.state)) {
      if (grammar_->rule(edge.rule).is_nullable) open({edge.to, frame.parents, frame.count});
    }
  }
  waiting_.clear();
  for (const Frame& frame : open_) {
    if (grammar_->reads(frame.state)) waiting_.push_back(frame);
    for (const CallEdge& edge : grammar_->call_edges(frame.state)) add_call(frame, edge);
  }
  open_.clear();
  run_calls();
  SetId set = is_full_ ? kNoFrames : intern(waiting_);
  return set;
}

void FrameStore::follow_counts(const Frame& frame) {
  for (const CountEdge& edge : grammar_->count_edges(frame.state)) {
    const Counter& counter = grammar_->counter(edge.counter);
    switch (edge.kind) {
      case CountEdge::Kind::kBody:
        if (counter.max == kUnbounded || frame.count < counter.max) open({edge.to, frame.parents, frame.count});
        break;
      case CountEdge::Kind::kExit:
        if (frame.count >= counter.min) open({edge.to, frame.parents, 0});
        break;
      case CountEdge::Kind::kBump: {
        // Without an upper bound all counts from the lower one on are alike.
        int64_t count = frame.count + 1;
        if (counter.max == kUnbounded) count = std::min(count, counter.min);
        open({edge.to, frame.parents, count});
        break;
      }
    }
  }
}

void FrameStore::add_call(const Frame& frame, const CallEdge& edge) {
  budget_ -= static_cast<int64_t>(calls_.size());
  int32_t rank = grammar_->rule(edge.rule).rank;
  auto call = std::find_if(calls_.begin(), calls_.end(), [&](const PendingCall& c) { return c.rule == edge.rule; });
  if (call == calls_.end()) {
    calls_.push_back({rank, edge.rule, {}});
    call = calls_.end() - 1;
  }
  if (edge.is_tail) {
    std::span<const Frame> parents = frames(frame.parents);
    call->parents.insert(call->parents.end(), parents.begin(), parents.end());
  } else {
    call->parents.push_back({edge.to, frame.parents, frame.count});
  }
}

// Rules are entered in the order of their ranks, so that all callers of a rule are known before it is.
void FrameStore::run_calls() {
  while (!calls_.empty()) {
    auto first = std::min_element(calls_.begin(), calls_.end(),
                                  [](const PendingCall& a, const PendingCall& b) { return a.rank < b.rank; });
    PendingCall call = std::move(*first);
    calls_.erase(first);
    open({grammar_->rule(call.rule).start, intern(call.parents), 0});
    while (!work_.empty()) {
      Frame frame = open_[work_.back()];
      work_.pop_back();
      // That the rule may be empty is known to its callers, who have passed it.
      follow_counts(frame);
      for (const CallEdge& edge : grammar_->call_edges(frame.state)) {
        if (grammar_->rule(edge.rule).is_nullable) open({edge.to, frame.parents, frame.count});
      }
    }
    for (const Frame& frame : open_) {
      if (grammar_->reads(frame.state)) waiting_.push_back(frame);
      for (const CallEdge& edge : grammar_->call_edges(frame.state)) add_call(frame, edge);
    }
    open_.clear();
  }
}

SetId FrameStore::copy_from(const FrameStore& other, SetId set, std::unordered_map<SetId, SetId>& copied) {
  // Stacks can be deep, so the walk down keeps a list of its own.
  std::vector<SetId> open = {set};
  while (!open.empty()) {
    SetId id = open.back();
    if (copied.contains(id)) {
      open.pop_back();
      continue;
    }
    size_t n_before = open.size();
    for (const Frame& frame : other.frames(id)) {
      if (!copied.contains(frame.parents) && frame.parents != id) open.push_back(frame.parents);
    }
    if (open.size() > n_before) continue;
    std::vector<Frame> frames(other.frames(id).begin(), other.frames(id).end());
    for (Frame& frame : frames) frame.parents = copied.at(frame.parents);
    copied[id] = intern(frames);
    open.pop_back();
  }
  return copied.at(set);
}

}  // namespace minke::constrain
