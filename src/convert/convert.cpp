#include "convert/convert.h"

#include <algorithm>
#include <map>

#include "base/file.h"
#include "convert/dtype_rule.h"
#include "convert/gguf_keys.h"
#include "convert/hf_files.h"
#include "convert/layout.h"
#include "convert/merge.h"
#include "convert/output.h"
#include "convert/quantize_rule.h"
#include "format/folder.h"
#include "format/gguf_writer.h"
#include "format/safetensors_writer.h"
#include "quantize/quant_mix.h"

namespace minke {
namespace {

constexpr uint64_t kHfShardBytes = 5'000'000'000;
constexpr uint64_t kProgressBytes = uint64_t{1} << 20;

// Everything that is known before the first byte is written.
struct Plan {
  SourceModel source;
  ModelFormat format = ModelFormat::kGguf;
  MlaLayout mla = MlaLayout::kSplit;
  bool is_rounded = false;          // a dtype was asked for
  DType model_dtype = DType::kF32;  // of most matrices
  uint32_t file_type = 0;
  std::vector<TargetTensor> targets;
  std::vector<RowWeights> row_weights;  // of every target, or empty
  AdapterSet adapters;
  std::vector<float> rope_divisors;  // the content of a tensor that no input file has
};

Status check_dtype(std::optional<DType> dtype, ModelFormat format) {
  if (!dtype) return {};
  switch (*dtype) {
    case DType::kF32:
    case DType::kBF16:
    case DType::kF16:
      return {};
    case DType::kQ8_0:
      if (format == ModelFormat::kGguf) return {};
      return error("q8_0 is a format of GGUF; the Hugging Face layout takes f32, bf16 or f16");
    default:
      return error("cannot write {}; supported: f32, bf16, f16, and q8_0 for GGUF", dtype_name(*dtype));
  }
}

void add_rope_divisors(Plan& plan) {
  plan.rope_divisors = rope_divisors_of(plan.source.config);
  if (plan.rope_divisors.empty()) return;
  int64_t n = static_cast<int64_t>(plan.rope_divisors.size());
  Weight values{
      .dtype = DType::kF32, .n_rows = 1, .n_cols = n, .data = reinterpret_cast<const std::byte*>(plan.rope_divisors.data())};
  plan.targets.push_back({std::string(kRopeFreqs), {n}, WeightKind::kNorm, {{values}}});
}

Status choose_all_dtypes(Plan& plan, const ConvertOptions& options, ConvertReport& report) {
  if (!options.quantize) {
    plan.model_dtype = choose_dtypes(plan.targets, {plan.source.is_gguf(), plan.format, options.dtype}, report.notes);
    plan.file_type = gguf_file_type(plan.model_dtype);
    return {};
  }
  const QuantizeOptions& quantize = *options.quantize;
  TRY_IN(plan.source.files.weights, choose_quantized_dtypes(plan.targets, plan.source.config, quantize, report.notes));
  plan.file_type = TRY(mix_file_type(quantize.mix));
  if (quantize.importance != nullptr) {
    plan.row_weights = TRY(find_row_weights(plan.targets, *quantize.importance, report.notes));
  }
  return {};
}

Result<Plan> make_plan(const std::string& input, const std::string& output, const ConvertOptions& options,
                       ConvertReport& report) {
  Plan plan;
  plan.source = TRY(open_source(input));
  bool from_gguf = plan.source.is_gguf();
  ModelFormat by_name = output.ends_with(".gguf") ? ModelFormat::kGguf : ModelFormat::kSafetensors;
  plan.format = options.format.value_or(by_name);
  bool to_gguf = plan.format == ModelFormat::kGguf;
  TRY(check_dtype(options.dtype, plan.format));
  if (options.quantize && !to_gguf) return error("{}: quantised types are formats of GGUF; the output is a .gguf file", output);
  if (!options.mtp && !to_gguf) return error("--no-mtp is for GGUF output; the Hugging Face layout keeps every layer");
  if (!options.mtp) drop_mtp(plan.source);
  bool is_mla = plan.source.config.attention == AttentionKind::kMla;
  if (options.mla && !(is_mla && to_gguf)) return error("--mla is for GGUF output of models with multi-head latent attention");
  plan.mla = options.mla.value_or(from_gguf && is_mla ? plan.source.mla() : MlaLayout::kSplit);
  plan.is_rounded = options.dtype.has_value() || options.quantize.has_value();
  if (!from_gguf && !to_gguf) {
    plan.targets = TRY_IN(plan.source.files.weights, lay_out_same(plan.source, plan.is_rounded));
  } else {
    plan.targets = TRY_IN(plan.source.files.weights, lay_out_rows(plan.source, plan.format, plan.mla));
  }
  if (!options.lora.empty()) {
    plan.adapters = TRY(AdapterSet::load(options.lora, plan.source.config, plan.source.files.format));
    TRY_IN(plan.source.files.weights,
           merge_adapters(plan.targets, plan.adapters, plan.source.config, plan.format, options.dtype));
  }
  if (!from_gguf && to_gguf) {
    add_rope_divisors(plan);
    if (plan.source.config.n_mtp_layers > 0) {
      report.notes.push_back(
          "the layers of multi-token prediction are in the file; programs that do not know them need --no-mtp");
    }
  }
  TRY(choose_all_dtypes(plan, options, report));
  report.from = plan.source.files.format;
  report.to = plan.format;
  report.architecture = plan.source.config.architecture;
  return plan;
}

// Counts bytes on their way to the file, and stops them.
class ProgressMeter {
 public:
  ProgressMeter(const ConvertOptions& options, uint64_t total) : options_(options), total_(total) {}

  Status add(uint64_t n_bytes) {
    done_ += n_bytes;
    if (!options_.progress || (done_ - reported_ < kProgressBytes && done_ < total_)) return {};
    reported_ = done_;
    is_stopped_ = !options_.progress(done_, total_);
    if (is_stopped_) return error("stopped");
    return {};
  }
  bool is_stopped() const { return is_stopped_; }

 private:
  const ConvertOptions& options_;
  uint64_t total_, done_ = 0, reported_ = 0;
  bool is_stopped_ = false;
};

// errors: of every target, when quantising.
std::vector<TensorSource> make_sources(const Plan& plan, const ConvertOptions& options, ProgressMeter& meter,
                                       std::vector<ErrorSums>& errors) {
  errors.resize(plan.targets.size());
  std::vector<TensorSource> sources;
  for (size_t i = 0; i < plan.targets.size(); i++) {
    const TargetTensor& target = plan.targets[i];
    auto write = [&plan, &options, &meter, &errors, i](const ByteSink& sink) -> Status {
      const TargetTensor& tensor = plan.targets[i];
      auto counted = [&](std::span<const std::byte> bytes) -> Status {
        TRY(sink(bytes));
        return meter.add(bytes.size());
      };
      Coding coding{.dtype = tensor.dtype, .is_searched = options.quantize.has_value()};
      if (!plan.row_weights.empty()) coding.weights = plan.row_weights[i];
      if (coding.is_searched && dtype_info(tensor.dtype).is_quantized) coding.errors = &errors[i];
      return write_pieces(counted, tensor.name, tensor.pieces, coding, options.context);
    };
    sources.push_back({target.name, target.dtype, target.shape, write});
  }
  return sources;
}

void count_dtypes(const Plan& plan, const std::vector<ErrorSums>& errors, ConvertReport& report) {
  std::map<std::string, uint64_t> counts;
  std::map<DType, DTypeTotal> totals;
  for (size_t i = 0; i < plan.targets.size(); i++) {
    const TargetTensor& target = plan.targets[i];
    counts[std::string(dtype_name(target.dtype))]++;
    DTypeTotal& total = totals[target.dtype];
    total.dtype = target.dtype;
    total.n_tensors++;
    total.n_bytes += tensor_bytes(target.dtype, target.shape).value_or(0);
    total.errors.error += errors[i].error;
    total.errors.squares += errors[i].squares;
  }
  report.dtype_counts.assign(counts.begin(), counts.end());
  auto more = [](const auto& a, const auto& b) { return a.second > b.second; };
  std::stable_sort(report.dtype_counts.begin(), report.dtype_counts.end(), more);
  for (const auto& [dtype, total] : totals) report.dtypes.push_back(total);
  auto larger = [](const DTypeTotal& a, const DTypeTotal& b) { return a.n_bytes > b.n_bytes; };
  std::stable_sort(report.dtypes.begin(), report.dtypes.end(), larger);
  report.n_tensors = plan.targets.size();
}

Status write_gguf_output(const Plan& plan, const std::string& output, const ConvertOptions& options,
                         std::span<const TensorSource> sources, uint64_t n_bytes, ConvertReport& report) {
  const GgufKeyOptions keys{.mla = plan.mla,
                            .file_type = plan.file_type,
                            .is_rounded = plan.is_rounded,
                            .importance = options.quantize ? options.quantize->importance : nullptr};
  GgufMetadata metadata = TRY(make_gguf_keys(plan.source, keys, report.notes));
  uint64_t max_bytes = options.max_shard_bytes.value_or(0);
  std::vector<std::string> paths = gguf_output_paths(output, cut_sources(sources, max_bytes).size());
  TRY(check_gguf_output(paths, options.overwrite, plan.source.files));
  TRY(check_space(output, n_bytes));
  if (paths.size() == 1) {
    TRY(write_gguf(output, metadata, sources));
  } else {
    std::string prefix = output.ends_with(".gguf") ? output.substr(0, output.size() - 5) : output;
    TRY(write_gguf_parts(prefix, metadata, sources, max_bytes));
  }
  report.files = TRY(sizes_of(paths));
  return {};
}

Status write_hf_output(const Plan& plan, const std::string& output, const ConvertOptions& options,
                       std::span<const TensorSource> sources, uint64_t n_bytes, ConvertReport& report) {
  std::vector<SideFile> side_files = plan.source.is_gguf() ? TRY(make_hf_files(plan.source, plan.model_dtype, report.notes))
                                                           : TRY(copy_hf_files(plan.source, plan.model_dtype, plan.is_rounded));
  StagedFolder folder = TRY(StagedFolder::create(output, options.overwrite, plan.source.files));
  TRY(check_space(output, n_bytes));
  SafetensorsOptions layout;
  layout.max_shard_bytes = options.max_shard_bytes.value_or(kHfShardBytes);
  TRY(write_safetensors_model(folder.staged_path(), sources, layout));
  for (const SideFile& file : side_files) TRY(write_file(path_in(folder.staged_path(), file.name), file.text));
  std::vector<std::string> names = TRY(list_files(folder.staged_path()));
  TRY(folder.commit());
  std::vector<std::string> paths;
  for (const std::string& name : names) paths.push_back(path_in(output, name));
  report.files = TRY(sizes_of(paths));
  return {};
}

}  // namespace

Result<ConvertReport> convert_model(const std::string& input, const std::string& output, const ConvertOptions& options) {
  ConvertReport report;
  Plan plan = TRY(make_plan(input, output, options, report));
  uint64_t n_bytes = 0;
  for (const TargetTensor& target : plan.targets) {
    uint64_t tensor = TRY_IN("tensor " + target.name, tensor_bytes(target.dtype, target.shape));
    n_bytes += tensor;
  }
  ProgressMeter meter(options, n_bytes);
  std::vector<ErrorSums> errors;
  std::vector<TensorSource> sources = make_sources(plan, options, meter, errors);
  TRY_IN(output, check_sources(sources));
  if (options.dry_run) {
    count_dtypes(plan, errors, report);
    report.n_bytes = n_bytes;
    return report;
  }
  bool to_gguf = plan.format == ModelFormat::kGguf;
  Status written = to_gguf ? write_gguf_output(plan, output, options, sources, n_bytes, report)
                           : write_hf_output(plan, output, options, sources, n_bytes, report);
  if (!written && meter.is_stopped()) {
    report.stopped = true;
    return report;
  }
  TRY(written);
  count_dtypes(plan, errors, report);
  for (const auto& [path, size] : report.files) report.n_bytes += size;
  return report;
}

}  // namespace minke
