// Experts of a model that is larger than memory: they stay in the files, and the ones in use are kept in slots, the least
// recently used giving way. A thread reads the experts that the next layer will likely want while this one computes.
// What is in memory changes no result: a slot holds the same bits as the file, packed or not.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/context.h"
#include "base/error.h"
#include "model/config.h"
#include "model/packer.h"
#include "model/weights.h"

namespace minke {

struct ExpertStats {
  int64_t n_used = 0;        // pairs of a layer and an expert that a forward call wanted
  int64_t n_hits = 0;        // of them in memory, or on the way, when they were wanted
  int64_t n_prefetched = 0;  // experts read ahead
  uint64_t bytes_read = 0;   // of the files

  ExpertStats operator-(const ExpertStats& before) const;
};

class ExpertCache {
 public:
  // Slots for the experts of `weights`, which point into the files; both outlive the cache. `pack`: into panels for the
  // instruction set of this context; null: as they are. Error: the budget has room for too few experts.
  static Result<std::unique_ptr<ExpertCache>> create(const ModelConfig& config, const ModelWeights& weights,
                                                     const MappedFiles& files, size_t budget_bytes, const Context* pack);
  ~ExpertCache();
  ExpertCache(const ExpertCache&) = delete;
  ExpertCache& operator=(const ExpertCache&) = delete;

  // True when this matrix of an expert is packed in its slot.
  bool packs(const Weight& weight) const;
  // How many experts one acquire() may ask for.
  int64_t max_acquired() const { return static_cast<int64_t>(slots_.size()) - 1; }
  // out[i]: expert experts[i] of the layer, in memory until the next acquire().
  void acquire(std::span<const MlpWeights*> out, int64_t layer, std::span<const int32_t> experts, const Context& context);
  // Will likely be wanted soon; replaces what was asked for before.
  void prefetch(int64_t layer, std::span<const int32_t> experts);

  ExpertStats stats() const;
  size_t slot_bytes() const { return slot_bytes_; }
  int64_t n_slots() const { return static_cast<int64_t>(slots_.size()); }

 private:
  enum class State { kEmpty, kLoading, kReady };
  struct Slot {
    MlpWeights weights;
    std::byte* memory = nullptr;
    int64_t key = -1;
    State state = State::kEmpty;
    bool is_pinned = false;
    uint64_t last_use = 0;
  };
  struct Part {  // rows of one matrix to be brought into a slot
    Weight source;
    std::byte* out;
    int64_t first_row, n_rows;
  };

  ExpertCache(const ModelConfig& config, const ModelWeights& weights, const MappedFiles& files, const Context* pack);
  const LayerWeights& layer(int64_t index) const;
  const MlpWeights& source(int64_t key) const;
  size_t bytes_in_memory(const Weight& weight) const;
  int64_t take_victim();                 // index of a slot, or -1; under the lock
  void assign(Slot& slot, int64_t key);  // under the lock
  void append_parts(std::vector<Part>& parts, const Slot& slot) const;
  void load_part(const Part& part, RowReader& reader) const;
  void read_ahead_loop();

  const ModelWeights& weights_;
  const MappedFiles& files_;
  int64_t n_experts_;
  bool pack_;
  Isa isa_;
  size_t slot_bytes_ = 0;
  PackedMemory memory_;
  std::vector<Slot> slots_;
  std::vector<int32_t> slot_of_;  // [n_layers * n_experts], -1: not in memory
  std::vector<int32_t> pinned_, loading_;
  std::vector<Part> parts_;
  uint64_t clock_ = 0;
  ExpertStats stats_;

  mutable std::mutex mutex_;
  std::condition_variable wanted_;  // the thread waits: wishes_ or stop_
  std::condition_variable ready_;   // acquire waits: a slot changed its state
  std::vector<int64_t> wishes_;     // keys, the last one first
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace minke
