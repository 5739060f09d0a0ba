#include "format/model_file.h"

#include <set>

#include "format/content.h"
#include "format/folder.h"
#include "format/gguf_parts.h"
#include "format/quote.h"

namespace minke {
namespace {

// Files that lie beside a model and are not one: image encoders and draft heads.
bool is_sidecar(std::string_view name) { return name.starts_with("mmproj-") || name.starts_with("mtp-"); }

// One path per GGUF model in the folder: the first part that is there stands for its set.
std::vector<std::string> gguf_models(const std::string& folder, const std::vector<std::string>& names) {
  std::vector<std::string> models;
  std::set<std::string> sets;
  for (const std::string& name : names) {
    if (!name.ends_with(".gguf") || is_sidecar(name)) continue;
    auto part = gguf_part_name(name);
    if (part && !sets.insert(fmt::format("{} {}", part->n_parts, part->prefix)).second) continue;
    models.push_back(path_in(folder, name));
  }
  return models;
}

Result<ModelPath> find_in_folder(const std::string& folder) {
  bool has_safetensors = file_exists(path_in(folder, kSafetensorsSingle)) || file_exists(path_in(folder, kSafetensorsIndex));
  std::vector<std::string> names = TRY(list_files(folder));
  std::vector<std::string> ggufs = gguf_models(folder, names);
  if (has_safetensors && !ggufs.empty()) {
    return error("{}: holds safetensors and GGUF weights; give the path of {} or of {}", folder,
                 quote_name(file_name(ggufs[0])), kSafetensorsSingle);
  }
  if (has_safetensors) return ModelPath{ModelFormat::kSafetensors, folder};
  if (ggufs.size() == 1) return ModelPath{ModelFormat::kGguf, ggufs[0]};
  if (ggufs.size() > 1) {
    return error("{}: holds {} GGUF models, give the path of one, for example {}", folder, ggufs.size(), ggufs[0]);
  }
  return no_weights(folder);
}

// Downloads are also kept under names that say nothing (a hash), so the content decides where the name does not.
Result<ModelPath> find_by_content(const std::string& path) {
  auto file = TRY(MappedFile::open(path));
  Content content = sniff_content(file->bytes());
  if (content == Content::kGguf) return ModelPath{ModelFormat::kGguf, path};
  if (content == Content::kSafetensors && !has_pickle_name(path)) return ModelPath{ModelFormat::kSafetensors, path};
  std::string reason = explain_content(content);
  if (has_pickle_name(path) && (reason.empty() || content == Content::kSafetensors)) reason = kPickleReason;
  return error("{}: not a model file: {}", path, reason.empty() ? "neither safetensors nor GGUF" : reason);
}

}  // namespace

Result<ModelPath> find_model(const std::string& path) {
  if (is_folder(path)) return find_in_folder(path);
  if (path.ends_with(".gguf")) return ModelPath{ModelFormat::kGguf, path};
  if (path.ends_with(".safetensors") || path.ends_with(kSafetensorsIndex)) return ModelPath{ModelFormat::kSafetensors, path};
  return find_by_content(path);
}

Result<ModelFiles> open_model(const std::string& path) {
  ModelPath found = TRY(find_model(path));
  ModelFiles out;
  out.format = found.format;
  out.weights = found.path;
  if (found.format == ModelFormat::kGguf) {
    GgufFile file = TRY(open_gguf(found.path));
    out.tensors = std::move(file.tensors);
    out.gguf = std::move(file.metadata);
  } else {
    SafetensorsFile file = TRY(open_safetensors(found.path));
    out.tensors = std::move(file.tensors);
    out.safetensors_metadata = std::move(file.metadata);
  }
  std::string folder = is_folder(found.path) ? found.path : folder_of(found.path);
  auto beside = [&](std::string_view name) {
    std::string companion = path_in(folder, name);
    return file_exists(companion) ? companion : std::string();
  };
  out.config = beside("config.json");
  out.generation_config = beside("generation_config.json");
  out.tokenizer = beside("tokenizer.json");
  out.tokenizer_config = beside("tokenizer_config.json");
  out.chat_template = beside("chat_template.jinja");
  return out;
}

}  // namespace minke
