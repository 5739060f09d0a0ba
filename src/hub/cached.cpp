#include "hub/cached.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "hub/gguf_names.h"
#include "hub/names.h"
#include "hub/selection.h"

namespace minke::hub {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxRefBytes = 256;

// The names in a folder, sorted; none when it cannot be read. Links are named, not followed.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code))
    names.push_back(it->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

bool is_real_directory(const fs::path& path) {
  std::error_code code;
  return fs::symlink_status(path, code).type() == fs::file_type::directory;
}

// All files and links below a folder, as relative paths, sorted. Linked folders are not entered.
std::vector<std::string> files_below(const fs::path& folder) {
  std::vector<std::string> paths;
  std::error_code code;
  for (fs::recursive_directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    if (!is_real_directory(it->path())) paths.push_back(it->path().lexically_relative(folder).string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

CachedFile read_cached_file(const fs::path& snapshot, const std::string& relative) {
  CachedFile file;
  file.path = relative;
  std::error_code code;
  fs::path target = fs::read_symlink(snapshot / relative, code);
  if (!code && is_blob_name(target.filename().string())) file.blob = target.filename().string();
  file.is_present = fs::is_regular_file(snapshot / relative, code);
  if (file.is_present) file.size = fs::file_size(snapshot / relative, code);
  if (code) file.size = 0;
  return file;
}

CachedRevision read_revision(const fs::path& snapshots, const std::string& commit) {
  CachedRevision revision;
  revision.commit = commit;
  revision.path = (snapshots / commit).string();
  for (const std::string& path : files_below(snapshots / commit))
    revision.files.push_back(read_cached_file(snapshots / commit, path));
  return revision;
}

std::string format_of(const CachedModel& model) {
  bool has_safetensors = false;
  bool has_gguf = false;
  for (const CachedRevision& revision : model.revisions) {
    for (const CachedFile& file : revision.files) {
      has_safetensors |= file.path.ends_with(".safetensors");
      has_gguf |= is_gguf(file.path);
    }
  }
  if (has_safetensors && has_gguf) return "safetensors+gguf";
  return has_safetensors ? "safetensors" : has_gguf ? "gguf" : "other";
}

std::vector<std::string> present_paths(const CachedRevision& revision) {
  std::vector<std::string> paths;
  for (const CachedFile& file : revision.files) {
    if (file.is_present) paths.push_back(file.path);
  }
  return paths;
}

void measure_blobs(CachedModel& model) {
  for (const std::string& name : names_in(fs::path(model.path) / "blobs")) {
    struct stat info {};
    if (::lstat((fs::path(model.path) / "blobs" / name).c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    uint64_t size = static_cast<uint64_t>(info.st_size);
    model.size_bytes += size;
    if (name.ends_with(".incomplete")) model.partial_bytes += size;
    if (is_blob_name(name)) model.last_used = std::max({model.last_used, info.st_atime, info.st_mtime});
  }
}

CachedModel read_model(const fs::path& folder, const std::string& repo) {
  CachedModel model;
  model.repo = repo;
  model.path = folder.string();
  for (const std::string& commit : names_in(folder / "snapshots")) {
    if (is_commit(commit) && is_real_directory(folder / "snapshots" / commit)) {
      model.revisions.push_back(read_revision(folder / "snapshots", commit));
    }
  }
  for (const std::string& ref : files_below(folder / "refs")) {
    auto text = read_file((folder / "refs" / ref).string(), kMaxRefBytes);
    for (CachedRevision& revision : model.revisions) {
      if (text && *text == revision.commit) revision.refs.push_back(ref);
    }
  }
  std::set<std::string> quants;
  for (const CachedRevision& revision : model.revisions) {
    for (const GgufSet& set : gguf_sets(present_paths(revision))) {
      if (!set.quant.empty()) quants.insert(set.quant);
    }
  }
  model.quants.assign(quants.begin(), quants.end());
  model.format = format_of(model);
  measure_blobs(model);
  return model;
}

tl::unexpected<Error> not_cached(const ModelReference& reference, const HubOptions& options, std::string_view what) {
  std::string_view offline = options.offline ? " (HF_HUB_OFFLINE is set: unset it first)" : "";
  return error("{}: {} in the cache {}: run `minke pull {}`{}", reference.repo, what, options.cache_dir, to_text(reference),
               offline);
}

// Every file that the index of a sharded model names must be there.
Status check_shards(const CachedRevision& revision, const std::string& index_path, const std::set<std::string>& present) {
  std::string where = fmt::format("{}/{}", revision.path, index_path);
  Json index = TRY(read_json_file(where));
  auto map = index.is_object() ? index.find("weight_map") : index.end();
  if (!index.is_object() || map == index.end() || !map->is_object()) return error("{}: weight_map: expected an object", where);
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string()) return error("{}: weight_map: {}: expected a file name", where, printable(tensor));
    if (!present.contains(shard.get<std::string>())) return error("{} is missing", printable(shard.get<std::string>()));
  }
  return {};
}

Status check_safetensors(const CachedRevision& revision, const std::set<std::string>& present) {
  bool has_weights = false;
  for (const std::string& path : present) {
    if (path.find('/') != path.npos) continue;
    if (path.ends_with(".safetensors")) has_weights = true;
    if (path.ends_with(".safetensors.index.json")) TRY(check_shards(revision, path, present));
  }
  if (!has_weights) return error("no weights (safetensors or GGUF) are there");
  if (!present.contains("config.json")) return error("config.json is missing");
  return {};
}

Result<ResolvedModel> resolve_paths(const CachedRevision& revision, const ModelReference& reference) {
  std::vector<std::string> paths = present_paths(revision);
  std::set<std::string> present(paths.begin(), paths.end());
  for (const CachedFile& file : revision.files) {
    if (!file.is_present && reference.file.empty()) return error("{} is a link to a file that is gone", printable(file.path));
  }
  std::vector<std::string> chosen = paths;
  ResolvedModel model;
  model.path = revision.path;
  std::vector<GgufSet> sets = gguf_sets(paths);
  bool wants_gguf = !reference.quant.empty() || std::none_of(paths.begin(), paths.end(), [](const std::string& path) {
    return path.ends_with(".safetensors");
  });
  if (!reference.file.empty()) {
    if (!present.contains(reference.file)) return error("{} is not there", printable(reference.file));
    chosen = {reference.file};
    for (const GgufSet& set : sets) {
      if (std::find(set.parts.begin(), set.parts.end(), reference.file) == set.parts.end()) continue;
      chosen = TRY(choose_gguf({set}, "")).parts;
    }
    model.path = fmt::format("{}/{}", revision.path, chosen.front());
  } else if (!sets.empty() && wants_gguf) {
    chosen = TRY(choose_gguf(sets, reference.quant)).parts;
    model.path = fmt::format("{}/{}", revision.path, chosen.front());
  } else if (!reference.quant.empty()) {
    return error("no GGUF file is there");
  } else {
    TRY(check_safetensors(revision, present));
  }
  for (const CachedFile& file : revision.files) {
    if (std::find(chosen.begin(), chosen.end(), file.path) != chosen.end()) model.files.push_back(file);
  }
  return model;
}

}  // namespace

Result<std::vector<CachedModel>> list_cached(const HubOptions& options) {
  std::vector<CachedModel> models;
  for (const std::string& name : names_in(options.cache_dir)) {
    auto repo = repo_of_folder(name);
    fs::path folder = fs::path(options.cache_dir) / name;
    if (repo && is_real_directory(folder)) models.push_back(read_model(folder, *repo));
  }
  std::sort(models.begin(), models.end(), [](const CachedModel& a, const CachedModel& b) { return a.repo < b.repo; });
  return models;
}

Result<CachedRevision> find_cached(const ModelReference& reference, const HubOptions& options) {
  TRY(check_repo(reference.repo));
  const std::string& wanted = reference.revision.empty() ? options.revision : reference.revision;
  TRY(check_revision(wanted));
  fs::path folder = fs::path(options.cache_dir) / repo_folder(reference.repo);
  if (!is_real_directory(folder)) return not_cached(reference, options, "the model is not");
  CachedModel model = read_model(folder, reference.repo);
  for (CachedRevision& revision : model.revisions) {
    bool is_named = std::find(revision.refs.begin(), revision.refs.end(), wanted) != revision.refs.end();
    if (is_named || revision.commit == wanted) return std::move(revision);
  }
  // A model that was put there by commit has no ref; when there is one revision only, there is no doubt which is meant.
  if (reference.revision.empty() && model.revisions.size() == 1) return std::move(model.revisions.front());
  return not_cached(reference, options, fmt::format("revision {} is not", wanted));
}

Result<ResolvedModel> resolve_in(const CachedRevision& revision, const ModelReference& reference) {
  auto model = resolve_paths(revision, reference);
  if (model) return model;
  return error("{}: incomplete in the cache at {}: {}: run `minke pull {}`", reference.repo, revision.path,
               model.error().message, to_text(reference));
}

Result<std::string> resolve_cached(const ModelReference& reference, const HubOptions& options) {
  CachedRevision revision = TRY(find_cached(reference, options));
  return TRY(resolve_in(revision, reference)).path;
}

}  // namespace minke::hub
