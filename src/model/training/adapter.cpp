#include "model/training/adapter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "format/folder.h"
#include "format/quote.h"
#include "format/safetensors.h"
#include "kernels/convert.h"
#include "model/arch/architecture.h"

namespace minke {
namespace {

constexpr std::string_view kPrefix = "base_model.model.";
constexpr std::string_view kWeightSuffix = ".weight";
constexpr size_t kMaxConfig = size_t{1} << 20;

std::string_view last_part(std::string_view module) { return module.substr(module.rfind('.') + 1); }

// How PEFT matches a list of target_modules.
bool is_meant(std::string_view module, std::string_view target) {
  return module == target || (module.ends_with(target) && module[module.size() - target.size() - 1] == '.');
}

std::string known_targets(const std::vector<AdapterSite>& sites) {
  std::vector<std::string_view> names;
  std::string text;
  for (const AdapterSite& site : sites) {
    const std::string_view name = last_part(site.module);
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    names.push_back(name);
    text += fmt::format("{}{}", text.empty() ? "" : ", ", name);
  }
  return text;
}

std::string why_no_site(std::string_view name) {
  if (name.ends_with("kv_b_proj")) return "kv_b_proj is used in two forms and takes no adapter; kv_a_proj_with_mqa does";
  if (name.find("experts") != std::string_view::npos) return "routed experts take no adapter";
  if (name == "all-linear") return "the matrices are named one by one";
  return "the model has no such matrix that takes an adapter";
}

// The row of an adapter's file that a model's row with interleaved RoPE is: pairs [n/2, 2] from halves [2, n/2].
int64_t file_row(int64_t row, int64_t head_rows) {
  if (head_rows == 0) return row;
  const int64_t in_head = row % head_rows;
  return row - in_head + in_head % 2 * (head_rows / 2) + in_head / 2;
}

// Reads adapter_config.json.
class ConfigFile {
 public:
  ConfigFile(const Json& json, const std::string& where) : json_(json), where_(where) {}

  Result<AdapterConfig> read() const {
    TRY(refuse_others());
    AdapterConfig config;
    const Json* rank = find("r");
    if (rank == nullptr || !rank->is_number_integer() || rank->get<int64_t>() < 1) return expected("r", "an integer from 1 up");
    config.rank = rank->get<int64_t>();
    const Json* alpha = find("lora_alpha");
    if (alpha == nullptr || !alpha->is_number()) return expected("lora_alpha", "a number");
    config.alpha = alpha->get<double>();
    config.rslora = is_set("use_rslora");
    return config;
  }

 private:
  const Json* find(const char* key) const {
    auto it = json_.find(key);
    return it == json_.end() || it->is_null() ? nullptr : &*it;
  }
  // There, and not false, 0 or empty.
  bool is_set(const char* key) const {
    const Json* value = find(key);
    if (value == nullptr) return false;
    if (value->is_boolean()) return value->get<bool>();
    if (value->is_number()) return value->get<double>() != 0;
    return !value->empty();
  }
  tl::unexpected<Error> expected(const char* key, std::string_view what) const {
    const Json* value = find(key);
    return error("{}: key \"{}\": expected {}, got {}", where_, key, what, value == nullptr ? "nothing" : dump_json(*value));
  }
  Status refuse_others() const {
    if (!json_.is_object()) return error("{}: expected a JSON object", where_);
    const Json* type = find("peft_type");
    if (type == nullptr || *type != "LORA") return expected("peft_type", "\"LORA\"");
    if (const Json* bias = find("bias"); bias != nullptr && *bias != "none") return expected("bias", "\"none\"");
    // Others (pissa, olora, loftq, ...) change the base model that the adapter is added to.
    if (const Json* init = find("init_lora_weights"); init != nullptr && !init->is_boolean() && *init != "gaussian") {
      return expected("init_lora_weights", "true, false or \"gaussian\"");
    }
    for (const char* key : {"use_dora", "lora_bias", "fan_in_fan_out", "rank_pattern", "alpha_pattern", "modules_to_save",
                            "layer_replication", "trainable_token_indices", "target_parameters"}) {
      if (is_set(key)) return expected(key, "nothing: minke does not compute this");
    }
    return {};
  }

  const Json& json_;
  const std::string& where_;
};

Status check_matrix(const std::string& path, const std::string& name, const TensorView* found, const Shape& shape) {
  if (found == nullptr) return error("{}: tensor {} missing", path, quote_name(name));
  if (!dtype_info(found->dtype).is_float || dtype_info(found->dtype).is_quantized) {
    return error("{}: tensor {} is {}, expected a float type", path, quote_name(name), dtype_name(found->dtype));
  }
  if (found->shape != shape) {
    return error("{}: tensor {} has shape {}, expected {}; the adapter belongs to another model, or r is not its rank", path,
                 quote_name(name), shape_text(found->shape), shape_text(shape));
  }
  return {};
}

Weight f32_matrix(const Tensor& tensor) {
  const TensorView& view = tensor.view();
  return {.dtype = DType::kF32, .n_rows = view.shape[0], .n_cols = view.shape[1], .data = view.data};
}

// [n_rows, n_cols] in f32 and in the order of the model.
Tensor decoded(const TensorView& file, int64_t head_rows) {
  Tensor values(DType::kF32, file.shape), ordered(DType::kF32, file.shape);
  dequantize_row(values.f32(), file.dtype, file.data, file.n_elements());
  rows_from_file(ordered.data(), values.data(), file.shape[0], sizeof(float) * static_cast<size_t>(file.shape[1]), head_rows);
  return ordered;
}

}  // namespace

double AdapterConfig::scale() const {
  return rslora ? alpha / std::sqrt(static_cast<double>(rank)) : alpha / static_cast<double>(rank);
}

std::string write_adapter_config(const AdapterConfig& adapter, const ModelConfig& config, const std::string& base) {
  std::vector<std::string> targets = adapter.targets;
  if (config.moe.n_routed_experts > 0) {
    // Where experts are modules of their own, a name such as up_proj would mean theirs too.
    targets.clear();
    ModelWeights unused;
    for (const AdapterSite& site : adapter_sites(config, unused, ModelFormat::kSafetensors)) {
      const auto is_target = [&](const std::string& target) { return is_meant(site.module, target); };
      if (std::any_of(adapter.targets.begin(), adapter.targets.end(), is_target)) targets.push_back(site.module);
    }
  }
  Json json = {{"peft_type", "LORA"},
               {"task_type", "CAUSAL_LM"},
               {"base_model_name_or_path", base},
               {"r", adapter.rank},
               {"lora_alpha", adapter.alpha},
               {"use_rslora", adapter.rslora},
               {"lora_dropout", 0.0},
               {"bias", "none"},
               {"fan_in_fan_out", false},
               {"init_lora_weights", true},
               {"inference_mode", true},
               {"target_modules", targets}};
  if (adapter.alpha == std::floor(adapter.alpha)) json["lora_alpha"] = static_cast<int64_t>(adapter.alpha);
  return dump_json(json, 2) + "\n";
}

std::string AdapterSite::tensor_name(char matrix) const { return fmt::format("{}{}.lora_{}.weight", kPrefix, module, matrix); }

std::string module_of(const WeightRow& row) { return row.hf_name.substr(0, row.hf_name.size() - kWeightSuffix.size()); }

std::vector<AdapterSite> adapter_sites(const ModelConfig& config, ModelWeights& weights, ModelFormat format) {
  const bool is_paired = format == ModelFormat::kGguf && architecture_of(config).gguf_permutes_qk;
  std::vector<AdapterSite> sites;
  for (const WeightRow& row : weight_rows(config, weights, false)) {
    if (row.linear == nullptr || row.layer >= config.n_layers) continue;
    const int64_t head_rows = is_paired && row.gguf_permuted_heads > 0 ? row.shape[0] / row.gguf_permuted_heads : 0;
    sites.push_back({module_of(row), row.shape[0], row.shape[1], head_rows, row.linear});
  }
  return sites;
}

Result<std::vector<AdapterSite>> adapter_sites(const ModelConfig& config, ModelWeights& weights, ModelFormat format,
                                               const std::vector<std::string>& targets) {
  const std::vector<AdapterSite> all = adapter_sites(config, weights, format);
  std::vector<bool> is_used(targets.size());
  std::vector<AdapterSite> chosen;
  for (const AdapterSite& site : all) {
    bool is_chosen = false;
    for (size_t i = 0; i < targets.size(); i++) {
      if (!is_meant(site.module, targets[i])) continue;
      is_used[i] = true;
      is_chosen = true;
    }
    if (is_chosen) chosen.push_back(site);
  }
  for (size_t i = 0; i < targets.size(); i++) {
    if (is_used[i]) continue;
    return error("target {}: {}; this model's are {}", quote_name(targets[i]), why_no_site(targets[i]), known_targets(all));
  }
  return chosen;
}

void rows_to_file(std::byte* file, const std::byte* memory, int64_t n_rows, size_t row_bytes, int64_t head_rows) {
  for (int64_t r = 0; r < n_rows; r++) {
    std::memcpy(file + static_cast<size_t>(file_row(r, head_rows)) * row_bytes, memory + static_cast<size_t>(r) * row_bytes,
                row_bytes);
  }
}

void rows_from_file(std::byte* memory, const std::byte* file, int64_t n_rows, size_t row_bytes, int64_t head_rows) {
  for (int64_t r = 0; r < n_rows; r++) {
    std::memcpy(memory + static_cast<size_t>(r) * row_bytes, file + static_cast<size_t>(file_row(r, head_rows)) * row_bytes,
                row_bytes);
  }
}

Result<AdapterSet> AdapterSet::load(const std::string& folder, const ModelConfig& config, ModelFormat format) {
  const std::string config_path = path_in(folder, kAdapterConfigFile), path = path_in(folder, kAdapterWeightsFile);
  for (const std::string& file : {config_path, path}) {
    if (file_exists(file)) continue;
    return error("{}: missing; expected the folder of an adapter in PEFT's layout ({} and {})", file, kAdapterConfigFile,
                 kAdapterWeightsFile);
  }
  const Json json = TRY(read_json_file(config_path, kMaxConfig));
  const AdapterConfig adapter = TRY(ConfigFile(json, config_path).read());
  const SafetensorsFile file = TRY(open_safetensors(path));
  AdapterSet set;
  ModelWeights unused;
  size_t n_used = 0;
  std::vector<std::string> known;
  for (const AdapterSite& site : adapter_sites(config, unused, format)) {
    const std::string a_name = site.tensor_name('A'), b_name = site.tensor_name('B');
    const TensorView *a = file.tensors.find(a_name), *b = file.tensors.find(b_name);
    if (a == nullptr && b == nullptr) continue;
    TRY(check_matrix(path, a_name, a, {adapter.rank, site.n_in}));
    TRY(check_matrix(path, b_name, b, {site.n_out, adapter.rank}));
    Entry& entry = set.entries_[site.module];
    entry.a = decoded(*a, 0);
    entry.b = decoded(*b, site.head_rows);
    entry.adapter = {f32_matrix(entry.a), f32_matrix(entry.b), static_cast<float>(adapter.scale())};
    n_used += 2;
    known.insert(known.end(), {a_name, b_name});
  }
  if (n_used == file.tensors.size()) return set;
  for (const TensorMap::Entry& entry : file.tensors.entries()) {
    if (std::find(known.begin(), known.end(), entry.name) != known.end()) continue;
    return error("{}: tensor {}: {}; this model's matrices that do are {}", path, quote_name(entry.name),
                 why_no_site(entry.name), known_targets(adapter_sites(config, unused, format)));
  }
  return set;
}

const Adapter* AdapterSet::find(const std::string& module) const {
  auto found = entries_.find(module);
  return found == entries_.end() ? nullptr : &found->second.adapter;
}

void AdapterSet::attach(const ModelConfig& config, ModelWeights& weights) const {
  for (const AdapterSite& site : adapter_sites(config, weights, ModelFormat::kSafetensors)) {
    site.linear->adapter = find(site.module);
  }
}

}  // namespace minke
