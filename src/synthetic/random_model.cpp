#include "synthetic/random_model.h"

#include <algorithm>
#include <memory>
#include <unordered_map>

#include "base/rng.h"
#include "convert/gguf_keys.h"
#include "convert/output.h"
#include "format/gguf_writer.h"
#include "model/arch/architecture.h"
#include "model/loader.h"
#include "model/weights.h"
#include "quantize/quant_mix.h"
#include "synthetic/byte_vocabulary.h"
#include "synthetic/random_blocks.h"

namespace minke {
namespace {

constexpr double kStandardDeviation = 0.02;  // as most models start out
constexpr size_t kChunkBytes = size_t{16} << 20;

struct RandomTensor {
  std::string name;
  Shape shape;
  DType dtype = DType::kF32;
  std::vector<float> values;  // what is not random: norms are ones, frequency divisors what they are
  uint64_t key = 0;
};

// The tensors of a file: rows of the weight table, experts stacked.
Result<std::vector<RandomTensor>> lay_out(const ModelConfig& config, const RandomModelOptions& options) {
  ModelWeights unused;
  std::vector<RandomTensor> tensors;
  std::unordered_map<std::string, size_t> stacked;
  for (const WeightRow& row : weight_rows(config, unused, true)) {
    if (row.gguf_name.empty()) return error("GGUF has no tensor for {}", row.name);
    if (auto place = stacked.find(row.gguf_name); place != stacked.end()) {
      tensors[place->second].shape[0]++;
      continue;
    }
    RandomTensor tensor;
    tensor.name = row.gguf_name;
    tensor.shape = row.shape;
    tensor.dtype = TRY(mix_dtype(options.mix, config, row));
    tensor.key = mix_seed(options.seed, tensors.size());
    if (row.kind == WeightKind::kNorm) tensor.values.assign(static_cast<size_t>(row.shape[0]), 1.0f);
    if (row.expert >= 0) {
      tensor.shape.insert(tensor.shape.begin(), 1);
      stacked.emplace(tensor.name, tensors.size());
    }
    tensors.push_back(std::move(tensor));
  }
  std::vector<float> divisors = rope_divisors_of(config);
  if (!divisors.empty()) {
    RandomTensor tensor;
    tensor.name = kRopeFreqs;
    tensor.shape = {static_cast<int64_t>(divisors.size())};
    tensor.values = std::move(divisors);
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

Result<GgufMetadata> make_keys(const ModelConfig& config, const RandomModelOptions& options) {
  GgufMetadata metadata;
  TRY(architecture_of(config).to_gguf(config, MlaLayout::kSplit, metadata));
  metadata.set("general.type", GgufValue::string("model"));
  metadata.set("general.name", GgufValue::string(options.name));
  metadata.set("general.description", GgufValue::string(fmt::format("random weights, seed {}", options.seed)));
  uint32_t file_type = TRY(mix_file_type(options.mix));
  metadata.set("general.file_type", GgufValue::u32(file_type));
  metadata.set("general.quantization_version", GgufValue::u32(2));
  TRY(set_byte_vocabulary(metadata, config.vocab_size, config.bos_token_id, config.eos_token_ids));
  return metadata;
}

// Makes and hands out one tensor after the other.
class RandomSource {
 public:
  RandomSource(const RandomModelOptions& options, uint64_t total) : options_(options), total_(total), buffer_(kChunkBytes) {}

  Status write(const RandomTensor& tensor, const ByteSink& sink) {
    if (!tensor.values.empty()) return hand_out(std::as_bytes(std::span(tensor.values)), sink);
    RandomBlocks blocks(tensor.dtype, kStandardDeviation);
    const DTypeInfo& info = dtype_info(tensor.dtype);
    const auto block_bytes = static_cast<int64_t>(info.block_bytes);
    int64_t n_blocks = TensorView{tensor.dtype, tensor.shape, nullptr}.n_elements() / info.block_elements;
    int64_t chunk = static_cast<int64_t>(kChunkBytes) / block_bytes;
    for (int64_t start = 0; start < n_blocks; start += chunk) {
      int64_t n = std::min(chunk, n_blocks - start);
      options_.context.parallel_for(n, 1024, [&](int64_t begin, int64_t end) {
        blocks.fill(buffer_.data() + begin * block_bytes, tensor.key, start + begin, end - begin);
      });
      TRY(hand_out(std::span(buffer_).first(static_cast<size_t>(n * block_bytes)), sink));
    }
    return {};
  }
  bool is_stopped() const { return is_stopped_; }

 private:
  Status hand_out(std::span<const std::byte> bytes, const ByteSink& sink) {
    TRY(sink(bytes));
    done_ += bytes.size();
    is_stopped_ = options_.progress && !options_.progress(done_, total_);
    if (is_stopped_) return error("stopped");
    return {};
  }

  const RandomModelOptions& options_;
  uint64_t total_, done_ = 0;
  std::vector<std::byte> buffer_;
  bool is_stopped_ = false;
};

void count_dtypes(const std::vector<RandomTensor>& tensors, RandomModelReport& report) {
  report.n_tensors = tensors.size();
  for (const RandomTensor& tensor : tensors) {
    std::string name(dtype_name(tensor.dtype));
    auto same = [&](const auto& count) { return count.first == name; };
    auto found = std::find_if(report.dtype_counts.begin(), report.dtype_counts.end(), same);
    if (found == report.dtype_counts.end()) found = report.dtype_counts.insert(found, {name, 0});
    found->second++;
  }
}

}  // namespace

Result<RandomModelReport> write_random_model(const std::string& path, const ModelConfig& config,
                                             const RandomModelOptions& options) {
  GgufMetadata metadata = TRY(make_keys(config, options));
  std::vector<RandomTensor> tensors = TRY(lay_out(config, options));
  uint64_t total = 0;
  for (const RandomTensor& tensor : tensors) {
    uint64_t n_bytes = TRY_IN("tensor " + tensor.name, tensor_bytes(tensor.dtype, tensor.shape));
    total += n_bytes;
  }
  TRY(check_gguf_output({path}, options.overwrite, {}));
  TRY(check_space(path, total));
  RandomSource source(options, total);
  std::vector<TensorSource> sources;
  for (const RandomTensor& tensor : tensors) {
    auto write = [&tensor, &source](const ByteSink& sink) { return source.write(tensor, sink); };
    sources.push_back({tensor.name, tensor.dtype, tensor.shape, write});
  }
  RandomModelReport report;
  Status written = write_gguf(path, metadata, sources);
  report.stopped = source.is_stopped();
  if (!written && !report.stopped) return tl::unexpected<Error>(written.error());
  count_dtypes(tensors, report);
  if (!report.stopped) {
    auto sizes = TRY(sizes_of({path}));
    report.n_bytes = sizes[0].second;
  }
  return report;
}

}  // namespace minke
