#include "format/tensor_source.h"

#include <algorithm>
#include <unordered_set>

#include "base/check.h"
#include "base/checked.h"
#include "format/quote.h"

namespace minke {
namespace {

uint64_t source_bytes(const TensorSource& source) {
  auto n_bytes = tensor_bytes(source.dtype, source.shape);
  CHECK(n_bytes.has_value(), "{}: {}", source.name, n_bytes.error().message);
  return *n_bytes;
}

}  // namespace

TensorSource tensor_source(std::string name, const TensorView& view) {
  return {std::move(name), view.dtype, view.shape, [bytes = view.bytes()](const ByteSink& sink) { return sink(bytes); }};
}

Status write_tensor(AtomicFile& file, const std::string& path, const TensorSource& source) {
  uint64_t expected = source_bytes(source);
  uint64_t got = 0;
  auto sink = [&](std::span<const std::byte> bytes) -> Status {
    if (bytes.size() > expected - got) {
      return error("{}: tensor {}: expected {} bytes, got {} or more", path, quote_name(source.name), expected,
                   got + bytes.size());
    }
    got += bytes.size();
    return file.write(bytes);
  };
  TRY(source.write(sink));
  if (got != expected) return error("{}: tensor {}: expected {} bytes, got {}", path, quote_name(source.name), expected, got);
  return {};
}

Result<uint64_t> check_sources(std::span<const TensorSource> sources) {
  std::unordered_set<std::string_view> names;
  uint64_t total = 0;
  for (const TensorSource& source : sources) {
    if (!names.insert(source.name).second) return error("tensor {} appears twice", quote_name(source.name));
    uint64_t n_bytes = TRY_IN("tensor " + quote_name(source.name), tensor_bytes(source.dtype, source.shape));
    auto sum = checked_add(total, n_bytes);
    if (!sum) return error("the sizes of all tensors overflow");
    total = *sum;
  }
  return total;
}

std::vector<std::span<const TensorSource>> cut_sources(std::span<const TensorSource> sources, uint64_t max_bytes) {
  std::vector<std::span<const TensorSource>> runs;
  size_t begin = 0;
  uint64_t run_bytes = 0;
  for (size_t i = 0; i < sources.size(); i++) {
    uint64_t n_bytes = source_bytes(sources[i]);
    if (max_bytes > 0 && i > begin && n_bytes > max_bytes - std::min(max_bytes, run_bytes)) {
      runs.push_back(sources.subspan(begin, i - begin));
      begin = i;
      run_bytes = 0;
    }
    run_bytes += n_bytes;
  }
  runs.push_back(sources.subspan(begin));
  return runs;
}

}  // namespace minke
