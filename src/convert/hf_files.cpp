#include "convert/hf_files.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "convert/rope_scaling.h"
#include "convert/tokenizer_files.h"
#include "format/folder.h"
#include "kernels/convert.h"

namespace minke {
namespace {

constexpr size_t kMaxSideFile = size_t{256} << 20;

std::string torch_name(DType dtype) { return dtype == DType::kF32 ? "float32" : dtype == DType::kF16 ? "float16" : "bfloat16"; }

Result<std::vector<float>> read_divisors(const ModelFiles& files, int64_t expected) {
  const TensorView* tensor = files.tensors.find(std::string(kRopeFreqs));
  if (tensor == nullptr) return std::vector<float>{};
  if (tensor->n_elements() != expected || !dtype_info(tensor->dtype).is_float) {
    return error("{}: tensor \"{}\": expected {} floats, got {} of {}", files.weights, kRopeFreqs, expected,
                 tensor->n_elements(), dtype_name(tensor->dtype));
  }
  std::vector<float> divisors(static_cast<size_t>(expected));
  dequantize_row(divisors.data(), tensor->dtype, tensor->data, expected);
  return divisors;
}

// The config as the Hugging Face layout means it.
Result<ModelConfig> hf_config(const SourceModel& source) {
  ModelConfig config = source.config;
  // Their rows are unpermuted, so RoPE is half-split again.
  if (source.architecture().gguf_permutes_qk) config.rope.interleaved = false;
  std::vector<float> divisors = TRY(read_divisors(source.files, config.rope.dim / 2));
  if (!divisors.empty()) {
    if (config.rope.scaling != RopeScaling::kNone) {
      return error("{}: has frequency divisors and another RoPE scaling; config.json cannot say both", source.files.weights);
    }
    config.rope = TRY_IN(source.files.weights, recover_llama3(config.rope, divisors));
  }
  return config;
}

std::string generation_config(const ModelConfig& config, const std::optional<Tokenizer>& tokenizer) {
  Json json = Json::object();
  int64_t bos = tokenizer && tokenizer->bos() ? *tokenizer->bos() : config.bos_token_id;
  std::vector<int64_t> eos = config.eos_token_ids;
  if (tokenizer && !tokenizer->eos_ids().empty()) eos.assign(tokenizer->eos_ids().begin(), tokenizer->eos_ids().end());
  if (bos >= 0) json["bos_token_id"] = bos;
  if (eos.size() == 1) json["eos_token_id"] = eos[0];
  if (eos.size() > 1) json["eos_token_id"] = eos;
  return dump_json(json, 2) + "\n";
}

Result<std::string> rounded_config(const std::string& path, DType model_dtype) {
  Json json = TRY(read_json_file(path));
  json[json.contains("dtype") && !json.contains("torch_dtype") ? "dtype" : "torch_dtype"] = torch_name(model_dtype);
  json.erase("quantization_config");
  return dump_json(json, 2) + "\n";
}

}  // namespace

bool is_side_file(std::string_view name) {
  constexpr std::string_view kNames[] = {"config.json",
                                         "generation_config.json",
                                         "tokenizer.json",
                                         "tokenizer_config.json",
                                         "special_tokens_map.json",
                                         "added_tokens.json",
                                         "tokenizer.model",
                                         "tiktoken.model",
                                         "vocab.json",
                                         "merges.txt",
                                         "chat_template.jinja",
                                         "chat_template.json",
                                         "README.md"};
  constexpr std::string_view kPrefixes[] = {"configuration_", "modeling_", "tokenization_", "LICENSE"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames) ||
         std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

Result<std::vector<SideFile>> make_hf_files(const SourceModel& source, DType model_dtype, std::vector<std::string>& notes) {
  std::vector<SideFile> files;
  ModelConfig config = TRY(hf_config(source));
  files.push_back({"config.json", TRY(write_hf_config(config, dtype_name(model_dtype)))});
  auto tokenizer = TRY(find_tokenizer(source.files));
  files.push_back({"generation_config.json", generation_config(config, tokenizer)});
  if (!tokenizer) {
    notes.push_back("the input has no tokenizer: the output has none either");
    return files;
  }
  Tokenizer::HfFiles texts = TRY_IN(source.files.weights, tokenizer->to_tokenizer_json());
  files.push_back({"tokenizer.json", std::move(texts.tokenizer_json)});
  files.push_back({"tokenizer_config.json", std::move(texts.tokenizer_config_json)});
  return files;
}

Result<std::vector<SideFile>> copy_hf_files(const SourceModel& source, DType model_dtype, bool is_rounded) {
  std::vector<SideFile> files;
  std::string folder = folder_of(source.files.config);
  for (const std::string& name : TRY(list_files(folder))) {
    if (!is_side_file(name)) continue;
    std::string path = path_in(folder, name);
    bool changes = is_rounded && name == "config.json";
    files.push_back({name, changes ? TRY(rounded_config(path, model_dtype)) : TRY(read_file(path, kMaxSideFile))});
  }
  return files;
}

}  // namespace minke
