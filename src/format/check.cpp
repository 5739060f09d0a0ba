#include "format/check.h"

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "format/folder.h"
#include "format/gguf.h"
#include "format/model_file.h"
#include "format/safetensors.h"

namespace minke {
namespace {

Status check_json(const std::string& path) {
  TRY(read_json_file(path));
  return {};
}

Status check_weights(const ModelPath& model) {
  if (model.format == ModelFormat::kGguf) {
    TRY(open_gguf(model.path));
  } else if (is_folder(model.path)) {
    TRY(map_safetensors(model.path));
  } else {
    auto file = TRY(MappedFile::open(model.path));
    TRY(parse_safetensors(file->bytes(), model.path));
  }
  return {};
}

Status check_folder(const std::string& folder) {
  ModelPath model = TRY(find_model(folder));
  TRY(check_weights(model));
  std::vector<std::string> names = TRY(list_files(folder));
  for (const std::string& name : names) {
    if (name.ends_with(".json")) TRY(check_json(path_in(folder, name)));
  }
  return {};
}

}  // namespace

Status check_model_file(const std::string& path) {
  if (is_folder(path)) return check_folder(path);
  if (file_name(path) == kSafetensorsIndex) return check_weights({ModelFormat::kSafetensors, folder_of(path)});
  if (path.ends_with(".json")) return check_json(path);
  ModelPath model = TRY(find_model(path));
  return check_weights(model);
}

}  // namespace minke
