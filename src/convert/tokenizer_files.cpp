#include "convert/tokenizer_files.h"

#include "format/folder.h"

namespace minke {

Result<std::optional<Tokenizer>> find_tokenizer(const ModelFiles& files) {
  if (files.format == ModelFormat::kGguf) {
    if (!files.gguf.has("tokenizer.ggml.model")) return std::nullopt;
    std::string model = TRY_IN(files.weights, files.gguf.string("tokenizer.ggml.model"));
    if (model == kNoVocabulary || model == "none") return std::nullopt;
    return TRY(Tokenizer::from_gguf(files.gguf, files.weights));
  }
  if (!files.tokenizer.empty()) return TRY(Tokenizer::from_tokenizer_json(files.tokenizer));
  std::string folder = is_folder(files.weights) ? files.weights : folder_of(files.weights);
  if (file_exists(path_in(folder, "tiktoken.model"))) return TRY(Tokenizer::from_directory(folder));
  return std::nullopt;
}

}  // namespace minke
