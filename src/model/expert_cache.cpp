#include "model/expert_cache.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "kernels/packed/layout.h"
#include "kernels/packed/pack.h"

namespace minke {
namespace {

constexpr size_t kPartBytes = size_t{512} << 10;

size_t rounded_up(size_t n, size_t multiple) { return (n + multiple - 1) / multiple * multiple; }

std::array<const Linear*, 3> matrices(const MlpWeights& w) { return {&w.gate_proj, &w.up_proj, &w.down_proj}; }
std::array<Linear*, 3> matrices(MlpWeights& w) { return {&w.gate_proj, &w.up_proj, &w.down_proj}; }

}  // namespace

ExpertStats ExpertStats::operator-(const ExpertStats& before) const {
  return {n_used - before.n_used, n_hits - before.n_hits, n_prefetched - before.n_prefetched, bytes_read - before.bytes_read};
}

ExpertCache::ExpertCache(const ModelConfig& config, const ModelWeights& weights, const MappedFiles& files, const Context* pack)
    : weights_(weights),
      files_(files),
      n_experts_(config.moe.n_routed_experts),
      pack_(pack != nullptr),
      isa_(pack != nullptr ? pack->isa : Isa::kRef) {
  slot_of_.assign((weights.layers.size() + weights.mtp.size()) * static_cast<size_t>(n_experts_), -1);
}

Result<std::unique_ptr<ExpertCache>> ExpertCache::create(const ModelConfig& config, const ModelWeights& weights,
                                                         const MappedFiles& files, size_t budget_bytes, const Context* pack) {
  std::unique_ptr<ExpertCache> cache(new ExpertCache(config, weights, files, pack));
  int64_t n_in_model = 0;
  for (int64_t layer = 0; layer < static_cast<int64_t>(weights.layers.size() + weights.mtp.size()); layer++) {
    for (const MlpWeights& expert : cache->layer(layer).moe.experts) {
      size_t bytes = 0;
      for (const Linear* linear : matrices(expert)) bytes += rounded_up(cache->bytes_in_memory(linear->weight), kPanelLine);
      cache->slot_bytes_ = std::max(cache->slot_bytes_, bytes);
      n_in_model++;
    }
  }
  CHECK(cache->slot_bytes_ > 0, "a model without experts");
  const int64_t n_slots = std::min(static_cast<int64_t>(budget_bytes / cache->slot_bytes_), n_in_model);
  const int64_t least = config.moe.n_experts_per_token + 1;
  if (n_slots < least) {
    return error(
        "{:.2f} GB more for weights are needed: there must be room for {} experts of {:.1f} MB, what is left holds {}",
        static_cast<double>(least * static_cast<int64_t>(cache->slot_bytes_)) / 1e9 - static_cast<double>(budget_bytes) / 1e9,
        least, static_cast<double>(cache->slot_bytes_) / 1e6, n_slots);
  }
  cache->memory_ = TRY(PackedMemory::allocate(static_cast<size_t>(n_slots) * cache->slot_bytes_));
  cache->slots_.resize(static_cast<size_t>(n_slots));
  for (size_t i = 0; i < cache->slots_.size(); i++) cache->slots_[i].memory = cache->memory_.data() + i * cache->slot_bytes_;
  cache->thread_ = std::thread([raw = cache.get()] { raw->read_ahead_loop(); });
  return cache;
}

ExpertCache::~ExpertCache() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wanted_.notify_all();
  if (thread_.joinable()) thread_.join();
}

// The layers of multi-token prediction come after the model's own.
const LayerWeights& ExpertCache::layer(int64_t index) const {
  const auto n_layers = static_cast<int64_t>(weights_.layers.size());
  return index < n_layers ? weights_.layers[static_cast<size_t>(index)]
                          : weights_.mtp[static_cast<size_t>(index - n_layers)].layer;
}

const MlpWeights& ExpertCache::source(int64_t key) const {
  return layer(key / n_experts_).moe.experts[static_cast<size_t>(key % n_experts_)];
}

bool ExpertCache::packs(const Weight& weight) const { return pack_ && can_pack(weight); }

size_t ExpertCache::bytes_in_memory(const Weight& weight) const {
  return packs(weight) ? packed_bytes(weight) : weight.n_bytes();
}

// Slots in use by this forward call and slots that are being filled stay.
int64_t ExpertCache::take_victim() {
  int64_t victim = -1;
  for (size_t i = 0; i < slots_.size(); i++) {
    const Slot& slot = slots_[i];
    if (slot.state == State::kLoading || slot.is_pinned) continue;
    if (victim < 0 || slot.last_use < slots_[static_cast<size_t>(victim)].last_use) victim = static_cast<int64_t>(i);
  }
  return victim;
}

void ExpertCache::assign(Slot& slot, int64_t key) {
  if (slot.key >= 0) slot_of_[static_cast<size_t>(slot.key)] = -1;
  slot_of_[static_cast<size_t>(key)] = static_cast<int32_t>(&slot - slots_.data());
  slot.key = key;
  slot.state = State::kLoading;
  slot.last_use = ++clock_;
  const MlpWeights& from = source(key);
  std::byte* memory = slot.memory;
  for (size_t m = 0; m < 3; m++) {
    const Weight& weight = matrices(from)[m]->weight;
    stats_.bytes_read += weight.n_bytes();
    Weight& in_slot = matrices(slot.weights)[m]->weight;
    in_slot = weight;
    in_slot.is_packed = packs(weight);
    in_slot.data = memory;
    memory += rounded_up(bytes_in_memory(weight), kPanelLine);
  }
}

void ExpertCache::append_parts(std::vector<Part>& parts, const Slot& slot) const {
  const MlpWeights& from = source(slot.key);
  for (size_t m = 0; m < 3; m++) {
    const Weight& weight = matrices(from)[m]->weight;
    auto* out = const_cast<std::byte*>(matrices(slot.weights)[m]->weight.data);
    const size_t row_bytes = std::max<size_t>(1, weight.n_bytes() / static_cast<size_t>(weight.n_rows));
    const int64_t step = std::max<int64_t>(1, static_cast<int64_t>(kPartBytes / row_bytes) / kPanelRows) * kPanelRows;
    for (int64_t row = 0; row < weight.n_rows; row += step) {
      Weight rows_before = weight;
      rows_before.n_rows = row;
      parts.push_back({weight, out + (row == 0 ? 0 : bytes_in_memory(rows_before)), row, std::min(step, weight.n_rows - row)});
    }
  }
}

void ExpertCache::load_part(const Part& part, RowReader& reader) const {
  reader.read(part.out, part.source, part.first_row, part.n_rows, packs(part.source), isa_);
}

void ExpertCache::acquire(std::span<const MlpWeights*> out, int64_t layer, std::span<const int32_t> experts,
                          const Context& context) {
  CHECK(static_cast<int64_t>(experts.size()) <= max_acquired() && out.size() == experts.size(), "{} experts of {} at a time",
        experts.size(), max_acquired());
  std::unique_lock lock(mutex_);
  for (int32_t slot : pinned_) slots_[static_cast<size_t>(slot)].is_pinned = false;
  pinned_.clear();
  loading_.clear();
  parts_.clear();
  wishes_.clear();  // this call has the disk and the cores now
  // What is here must not be the victim of what is not.
  for (int32_t expert : experts) {
    const int32_t index = slot_of_[static_cast<size_t>(layer * n_experts_ + expert)];
    if (index < 0) continue;
    Slot& slot = slots_[static_cast<size_t>(index)];
    slot.is_pinned = true;
    slot.last_use = ++clock_;
    pinned_.push_back(index);
    stats_.n_hits++;
  }
  stats_.n_used += static_cast<int64_t>(experts.size());
  for (int32_t expert : experts) {
    const int64_t key = layer * n_experts_ + expert;
    if (slot_of_[static_cast<size_t>(key)] >= 0) continue;
    int64_t victim = -1;
    ready_.wait(lock, [&] { return (victim = take_victim()) >= 0; });
    Slot& slot = slots_[static_cast<size_t>(victim)];
    assign(slot, key);
    slot.is_pinned = true;
    pinned_.push_back(static_cast<int32_t>(victim));
    loading_.push_back(static_cast<int32_t>(victim));
    append_parts(parts_, slot);
  }
  lock.unlock();
  context.parallel_for(static_cast<int64_t>(parts_.size()), 1, [&](int64_t begin, int64_t end) {
    RowReader reader(files_);
    for (int64_t i = begin; i < end; i++) load_part(parts_[static_cast<size_t>(i)], reader);
  });
  lock.lock();
  for (int32_t slot : loading_) slots_[static_cast<size_t>(slot)].state = State::kReady;
  for (size_t i = 0; i < experts.size(); i++) {
    const Slot& slot = slots_[static_cast<size_t>(slot_of_[static_cast<size_t>(layer * n_experts_ + experts[i])])];
    ready_.wait(lock, [&] { return slot.state == State::kReady; });
    out[i] = &slot.weights;
  }
}

void ExpertCache::prefetch(int64_t layer, std::span<const int32_t> experts) {
  {
    std::lock_guard lock(mutex_);
    wishes_.clear();
    for (size_t i = experts.size(); i-- > 0;) {
      const int64_t key = layer * n_experts_ + experts[i];
      if (slot_of_[static_cast<size_t>(key)] < 0) wishes_.push_back(key);
    }
    if (wishes_.empty()) return;
  }
  wanted_.notify_one();
}

void ExpertCache::read_ahead_loop() {
  std::vector<Part> parts;
  RowReader reader(files_);
  std::unique_lock lock(mutex_);
  while (true) {
    wanted_.wait(lock, [&] { return stop_ || !wishes_.empty(); });
    if (stop_) return;
    const int64_t key = wishes_.back();
    wishes_.pop_back();
    const int64_t victim = slot_of_[static_cast<size_t>(key)] >= 0 ? -1 : take_victim();
    if (victim < 0) continue;
    Slot& slot = slots_[static_cast<size_t>(victim)];
    assign(slot, key);
    stats_.n_prefetched++;
    parts.clear();
    append_parts(parts, slot);
    lock.unlock();
    for (const Part& part : parts) load_part(part, reader);
    lock.lock();
    slot.state = State::kReady;
    ready_.notify_all();
  }
}

ExpertStats ExpertCache::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace minke
