#include "hub/selection.h"

#include <fnmatch.h>

#include <algorithm>

#include "hub/gguf_names.h"
#include "hub/names.h"

namespace minke::hub {
namespace {

bool ends_with_any(std::string_view path, std::initializer_list<std::string_view> endings) {
  std::string lower = ascii_lower(path);
  return std::any_of(endings.begin(), endings.end(), [&](std::string_view ending) { return lower.ends_with(ending); });
}

bool is_at_root(std::string_view path) { return path.find('/') == path.npos; }

// Files that a safetensors model needs beside its weights. Loaders read the root of a repository; what lies in folders
// (other formats, demos) is taken by --include only.
bool is_companion(const std::string& path) {
  static constexpr const char* kPatterns[] = {"config.json",
                                              "generation_config.json",
                                              "tokenizer*",
                                              "chat_template*",
                                              "*.jinja",
                                              "*.model",
                                              "*.tiktoken",
                                              "vocab.json",
                                              "vocab.txt",
                                              "merges.txt",
                                              "special_tokens_map.json",
                                              "added_tokens.json",
                                              "LICENSE*",
                                              "LICENCE*"};
  if (!is_at_root(path) || is_pickle(path) || path.ends_with(".py")) return false;
  return std::any_of(std::begin(kPatterns), std::end(kPatterns),
                     [&](const char* pattern) { return glob_matches(pattern, path); });
}

bool is_safetensors(std::string_view path) { return is_at_root(path) && path.ends_with(".safetensors"); }

bool matches_any(const std::vector<std::string>& patterns, const std::string& path) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) { return glob_matches(pattern, path); });
}

// "model*.safetensors" is what config.json speaks of; a "consolidated.safetensors" beside it holds the same weights again.
std::vector<std::string> safetensors_paths(const std::vector<std::string>& paths) {
  auto is_main = [](const std::string& path) { return is_safetensors(path) && path.starts_with("model"); };
  bool has_main = std::any_of(paths.begin(), paths.end(), is_main);
  std::vector<std::string> chosen;
  for (const std::string& path : paths) {
    bool is_weight = has_main ? is_main(path) : is_safetensors(path);
    bool is_index = is_at_root(path) && path.ends_with(".safetensors.index.json");
    if (is_weight || is_index || is_companion(path)) chosen.push_back(path);
  }
  return chosen;
}

Result<std::vector<std::string>> one_file(const std::vector<std::string>& paths, const std::string& file) {
  if (is_pickle(file))
    return error("{} is a pickle file, which can run code when it is loaded: minke reads safetensors and GGUF",
                 printable(file));
  if (std::find(paths.begin(), paths.end(), file) == paths.end())
    return error("there is no file {} in this revision", printable(file));
  for (const GgufSet& set : gguf_sets(paths)) {
    if (std::find(set.parts.begin(), set.parts.end(), file) == set.parts.end()) continue;
    if (!set.missing.empty())
      return error("{}: part {} is missing in this revision", printable(file), printable(set.missing.front()));
    return set.parts;
  }
  return std::vector<std::string>{file};
}

Result<std::vector<std::string>> by_patterns(const std::vector<std::string>& paths, const std::vector<std::string>& include) {
  std::vector<std::string> chosen;
  bool has_pickle = false;
  for (const std::string& path : paths) {
    if (!matches_any(include, path)) continue;
    if (is_pickle(path)) {
      has_pickle = true;
    } else {
      chosen.push_back(path);
    }
  }
  if (!chosen.empty()) return chosen;
  if (has_pickle)
    return error(
        "the patterns match pickle files only, which can run code when they are loaded: minke reads safetensors and GGUF");
  return error("no file matches the include patterns");
}

Result<std::vector<std::string>> by_format(const std::vector<std::string>& paths, const std::string& quant) {
  bool has_safetensors = std::any_of(paths.begin(), paths.end(), is_safetensors);
  std::vector<GgufSet> sets = gguf_sets(paths);
  if (!sets.empty() && (!quant.empty() || !has_safetensors)) return TRY(choose_gguf(sets, quant)).parts;
  if (!quant.empty()) return error("\"{}\" asks for a GGUF file and the repository has none: leave ':{}' out", quant, quant);
  if (has_safetensors) return safetensors_paths(paths);
  auto pickle = std::find_if(paths.begin(), paths.end(), is_pickle);
  if (pickle != paths.end()) {
    return error(
        "it has pickle weights only ({}), which can run code when they are loaded: look for a repository with safetensors or "
        "GGUF",
        printable(*pickle));
  }
  return error("it has neither safetensors nor GGUF files ({} files in all)", paths.size());
}

}  // namespace

bool is_pickle(std::string_view path) {
  return ends_with_any(path, {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz", ".dill"});
}

bool glob_matches(const std::string& pattern, const std::string& path) {
  std::string whole = pattern.ends_with('/') ? pattern + "*" : pattern;
  return ::fnmatch(whole.c_str(), path.c_str(), FNM_NOESCAPE) == 0;
}

Result<std::vector<RemoteFile>> select_files(const std::vector<RemoteFile>& files, const ModelReference& reference,
                                             const HubOptions& options) {
  std::vector<std::string> paths;
  for (const RemoteFile& file : files) {
    if (!matches_any(options.exclude, file.path)) paths.push_back(file.path);
  }
  std::vector<std::string> chosen;
  if (!reference.file.empty()) {
    chosen = TRY_IN(reference.repo, one_file(paths, reference.file));
  } else if (!options.include.empty()) {
    chosen = TRY_IN(reference.repo, by_patterns(paths, options.include));
  } else {
    chosen = TRY_IN(reference.repo, by_format(paths, reference.quant));
  }
  TRY_IN(reference.repo, check_no_collisions(chosen));
  std::sort(chosen.begin(), chosen.end());
  std::vector<RemoteFile> selected;
  for (const RemoteFile& file : files) {
    if (std::binary_search(chosen.begin(), chosen.end(), file.path)) selected.push_back(file);
  }
  return selected;
}

}  // namespace minke::hub
