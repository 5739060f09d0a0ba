#include "tokenizer/load.h"

#include <filesystem>

#include "format/gguf.h"
#include "format/model_file.h"

namespace minke {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code code;
  return fs::exists(path, code);
}

Result<Tokenizer> tokenizer_of_gguf(const std::string& path) {
  GgufFile file = TRY(open_gguf(path));
  return Tokenizer::from_gguf(file.metadata, path);
}

}  // namespace

Result<Tokenizer> load_tokenizer_for(const std::string& path) {
  if (path.ends_with(".json")) return Tokenizer::from_tokenizer_json(path);
  std::error_code code;
  if (fs::is_directory(path, code)) {
    bool has_files = is_there(fs::path(path) / "tokenizer.json") || is_there(fs::path(path) / "tiktoken.model");
    if (has_files) return Tokenizer::from_directory(path);
    auto found = find_model(path);
    if (found && found->format == ModelFormat::kGguf) return tokenizer_of_gguf(found->path);
    return Tokenizer::from_directory(path);
  }
  if (!is_there(path)) return error("{}: no such file or folder", path);
  ModelPath found = TRY(find_model(path));
  if (found.format == ModelFormat::kGguf) return tokenizer_of_gguf(found.path);
  fs::path folder = fs::path(found.path).parent_path();
  return Tokenizer::from_directory(folder.empty() ? "." : folder.string());
}

}  // namespace minke
