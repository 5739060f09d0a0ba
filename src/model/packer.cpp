#include "model/packer.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "kernels/packed/layout.h"
#include "kernels/packed/pack.h"

namespace minke {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kTaskBytes = size_t{512} << 10;  // read and packed in one go, by way of L2

struct Task {
  const Weight* source;
  int64_t first_row, n_rows;
  std::byte* out;
};

size_t rounded_up(size_t n, size_t multiple) { return (n + multiple - 1) / multiple * multiple; }

void add_tasks(std::vector<Task>& tasks, const Weight& source, std::byte* out) {
  const PackedFormat& format = *packed_format(source.dtype);
  const size_t bytes = panel_bytes(format, source.n_cols);
  const int64_t n_panels = std::max<int64_t>(1, static_cast<int64_t>(kTaskBytes / bytes));
  for (int64_t row = 0; row < source.n_rows; row += n_panels * kPanelRows) {
    const int64_t n = std::min(n_panels * kPanelRows, source.n_rows - row);
    tasks.push_back({&source, row, n, out + static_cast<size_t>(row / kPanelRows) * bytes});
  }
}

}  // namespace

void UnmapMemory::operator()(std::byte* p) const { ::munmap(p, n_bytes); }

Result<PackedMemory> PackedMemory::allocate(size_t n_bytes) {
  PackedMemory result;
  if (n_bytes == 0) return result;
  n_bytes = rounded_up(n_bytes, kHugePage) + kHugePage;  // room to read ahead of the last weight
  void* memory = ::mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return error("no memory for {:.1f} GB of weights", static_cast<double>(n_bytes) / 1e9);
  ::madvise(memory, n_bytes, MADV_HUGEPAGE);  // a system without them is slower, not wrong
  result.memory_ = std::unique_ptr<std::byte, UnmapMemory>(static_cast<std::byte*>(memory), UnmapMemory{n_bytes});
  return result;
}

void RowReader::copy(std::byte* out, std::span<const std::byte> part) const {
  for (const auto& file : files_) {
    const std::span<const std::byte> all = file->bytes();
    if (part.data() >= all.data() && part.data() + part.size() <= all.data() + all.size()) return file->read(out, part);
  }
  std::memcpy(out, part.data(), part.size());  // no file: weights that somebody made in memory
}

void RowReader::read(std::byte* out, const Weight& weight, int64_t first_row, int64_t n_rows, bool pack, Isa isa) {
  Weight rows = weight.slice_rows(first_row, n_rows);
  const std::span<const std::byte> bytes = {rows.data, rows.n_bytes()};
  if (!pack) return copy(out, bytes);
  buffer_.resize(bytes.size());
  copy(buffer_.data(), bytes);
  rows.data = buffer_.data();
  pack_rows(out, rows, 0, n_rows, isa);
}

Result<PackedMemory> pack_weights(const std::vector<Weight*>& weights, const MappedFiles& files, const Context& context) {
  std::vector<size_t> offsets;
  size_t total = 0;
  for (const Weight* weight : weights) {
    offsets.push_back(total);
    if (can_pack(*weight)) total += rounded_up(packed_bytes(*weight), kPanelLine);
  }
  PackedMemory memory = TRY(PackedMemory::allocate(total));
  std::vector<Task> tasks;
  for (size_t i = 0; i < weights.size(); i++) {
    if (can_pack(*weights[i])) add_tasks(tasks, *weights[i], memory.data() + offsets[i]);
  }
  context.parallel_for(static_cast<int64_t>(tasks.size()), 1, [&](int64_t begin, int64_t end) {
    RowReader reader(files);
    for (int64_t i = begin; i < end; i++) {
      const Task& task = tasks[static_cast<size_t>(i)];
      reader.read(task.out, *task.source, task.first_row, task.n_rows, true, context.isa);
    }
  });
  for (size_t i = 0; i < weights.size(); i++) {
    if (can_pack(*weights[i])) *weights[i] = packed_weight(*weights[i], memory.data() + offsets[i]);
  }
  return memory;
}

}  // namespace minke
