// remove_cached() of cached.h: links first, then the blobs that no link needs any more, so that a process that is killed in
// between leaves bytes too many and never a link to nothing.
#include <algorithm>
#include <filesystem>
#include <set>

#include "hub/cache/store.h"
#include "hub/cached.h"
#include "hub/gguf_names.h"
#include "hub/names.h"

namespace minke::hub {
namespace {

namespace fs = std::filesystem;

Status remove_path(const fs::path& path) {
  std::error_code code;
  fs::remove(path, code);
  if (code) return storage_error(path.string(), "cannot remove", code.value());
  return {};
}

// Folders that the removal left empty, from the deepest up to (not including) the snapshots folder.
void remove_empty_folders(fs::path folder, const fs::path& snapshots) {
  std::error_code code;
  while (folder != snapshots && fs::remove(folder, code) && !code) folder = folder.parent_path();
}

// The files of a revision that the reference means.
std::set<std::string> paths_to_remove(const CachedRevision& revision, const ModelReference& reference) {
  std::set<std::string> chosen;
  std::vector<std::string> paths;
  for (const CachedFile& file : revision.files) paths.push_back(file.path);
  if (reference.quant.empty() && reference.file.empty()) return {paths.begin(), paths.end()};
  if (reference.file.empty()) {
    std::vector<GgufSet> sets = gguf_sets(paths);
    for (GgufSet& set : sets) set.missing.clear();  // what is there of a broken set can be removed
    if (sets.empty()) return chosen;
    auto set = choose_gguf(sets, reference.quant);
    if (set) chosen.insert(set->parts.begin(), set->parts.end());
  } else if (std::find(paths.begin(), paths.end(), reference.file) != paths.end()) {
    chosen.insert(reference.file);
  }
  return chosen;
}

class Removal {
 public:
  Removal(const CachedModel& model, const Directory& locks) : model_(model), locks_(locks), folder_(model.path) {}

  Status take(const CachedRevision& revision, const std::set<std::string>& paths);
  Status remove_blobs(bool is_whole_model);
  Status remove_rest();
  const Removed& removed() const { return removed_; }

 private:
  Status remove_blob(const std::string& name);

  const CachedModel& model_;
  const Directory& locks_;
  fs::path folder_;
  std::set<std::pair<std::string, std::string>> taken_;  // commit, path
  std::set<std::string> freed_;                          // blobs that a removed link named
  Removed removed_;
};

Status Removal::take(const CachedRevision& revision, const std::set<std::string>& paths) {
  fs::path snapshots = folder_ / "snapshots";
  for (const CachedFile& file : revision.files) {
    if (!paths.contains(file.path)) continue;
    fs::path link = fs::path(revision.path) / file.path;
    TRY(remove_path(link));
    taken_.emplace(revision.commit, file.path);
    if (file.blob.empty()) removed_.freed_bytes += file.size;
    if (!file.blob.empty()) freed_.insert(file.blob);
    removed_.n_files++;
    remove_empty_folders(link.parent_path(), snapshots);
  }
  std::error_code code;
  if (paths.size() != revision.files.size()) return {};
  fs::remove_all(revision.path, code);  // empty folders and such; follows no link
  for (const std::string& ref : revision.refs) TRY(remove_path(folder_ / "refs" / ref));
  return {};
}

Status Removal::remove_blob(const std::string& name) {
  // The lock of a download, by this program or another one, is named after the hash.
  std::string hash = name.substr(0, name.find('.'));
  auto lock = TRY(FileLock::try_acquire(locks_, hash + ".lock", FileLock::Mode::kExclusive));
  if (!lock) return error("{}: another program is downloading {} of it: try again when it is done", model_.repo, name);
  std::error_code code;
  fs::path path = folder_ / "blobs" / name;
  uint64_t size = fs::file_size(path, code);
  if (code) return {};  // gone already
  TRY(remove_path(path));
  removed_.n_blobs++;
  removed_.freed_bytes += size;
  return {};
}

Status Removal::remove_blobs(bool is_whole_model) {
  std::set<std::string> needed;
  for (const CachedRevision& revision : model_.revisions) {
    for (const CachedFile& file : revision.files) {
      if (!file.blob.empty() && !taken_.contains({revision.commit, file.path})) needed.insert(file.blob);
    }
  }
  std::vector<std::string> names;
  std::error_code code;
  for (fs::directory_iterator it(folder_ / "blobs", code), end; !code && it != end; it.increment(code)) {
    std::string name = it->path().filename().string();
    bool is_ours = is_blob_name(name.substr(0, name.find('.')));
    if (is_ours && !needed.contains(name) && (is_whole_model || freed_.contains(name))) names.push_back(name);
  }
  for (const std::string& name : names) TRY(remove_blob(name));
  return {};
}

Status Removal::remove_rest() {
  std::error_code code;
  fs::remove_all(folder_, code);  // follows no link
  if (code) return storage_error(folder_.string(), "cannot remove", code.value());
  return {};
}

}  // namespace

Result<Removed> remove_cached(const ModelReference& reference, const HubOptions& options) {
  TRY(check_repo(reference.repo));
  auto find = [&]() -> Result<CachedModel> {
    std::vector<CachedModel> models = TRY(list_cached(options));
    auto found =
        std::find_if(models.begin(), models.end(), [&](const CachedModel& model) { return model.repo == reference.repo; });
    if (found == models.end()) return error("{}: not in the cache {}", reference.repo, options.cache_dir);
    return std::move(*found);
  };
  TRY(find());  // before a lock file is made for a model that is not there
  Directory locks = TRY(open_lock_directory(options.cache_dir, reference.repo));
  auto lock = TRY(FileLock::try_acquire(locks, kRepoLockName, FileLock::Mode::kExclusive));
  if (!lock) return error("{}: a pull of it is under way: stop it first", reference.repo);
  CachedModel model = TRY(find());

  bool is_whole_model = reference.revision.empty() && reference.quant.empty() && reference.file.empty();
  Removal removal(model, locks);
  for (const CachedRevision& revision : model.revisions) {
    bool is_named = std::find(revision.refs.begin(), revision.refs.end(), reference.revision) != revision.refs.end();
    if (!reference.revision.empty() && !is_named && revision.commit != reference.revision) continue;
    TRY(removal.take(revision, paths_to_remove(revision, reference)));
  }
  if (removal.removed().n_files == 0 && !is_whole_model)
    return error("{}: nothing in the cache matches {}", reference.repo, to_text(reference));
  TRY(removal.remove_blobs(is_whole_model));
  std::error_code code;
  bool is_empty = fs::is_empty(fs::path(model.path) / "snapshots", code);
  if (is_whole_model || (is_empty && !code)) TRY(removal.remove_rest());
  return removal.removed();
}

}  // namespace minke::hub
