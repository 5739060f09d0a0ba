#include "hub/cache/store.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "hub/names.h"

namespace minke::hub {
namespace {

using SharedDirectory = std::shared_ptr<const Directory>;

SharedDirectory share(Directory directory) { return std::make_shared<const Directory>(std::move(directory)); }

std::string_view folder_of(std::string_view path) {
  size_t slash = path.rfind('/');
  return slash == path.npos ? std::string_view() : path.substr(0, slash);
}

std::string name_of(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

class CacheStore : public Store {
 public:
  CacheStore(Directory repo, SharedDirectory blobs, SharedDirectory locks, Directory snapshot, std::string commit)
      : repo_(std::move(repo)),
        blobs_(std::move(blobs)),
        locks_(std::move(locks)),
        snapshot_(std::move(snapshot)),
        commit_(std::move(commit)) {}

  Result<Place> place_of(const RemoteFile& file) override {
    CHECK(is_blob_name(file.hash), "{}", file.hash);
    return Place{blobs_, file.hash, blobs_, file.hash + ".incomplete", locks_, file.hash + ".lock", true};
  }

  Status publish(const RemoteFile& file) override {
    Directory folder = TRY(snapshot_.descend(folder_of(file.path)));
    std::string target = "../../";
    for (char c : file.path) {
      if (c == '/') target += "../";
    }
    return folder.link(name_of(file.path), target + "blobs/" + file.hash);
  }

  Status finish(const std::string& revision) override {
    if (is_commit(revision)) return {};  // a commit names itself
    Directory refs = TRY(repo_.child("refs"));
    Directory folder = TRY(refs.descend(folder_of(revision)));
    return folder.write_file(name_of(revision), commit_);
  }

  std::string root() const override { return snapshot_.path(); }
  std::string disk_path() const override { return blobs_->path(); }

 private:
  Directory repo_;
  SharedDirectory blobs_;
  SharedDirectory locks_;
  Directory snapshot_;
  std::string commit_;
};

class FolderStore : public Store {
 public:
  FolderStore(Directory root, SharedDirectory work, std::string commit)
      : root_(std::move(root)), work_(std::move(work)), commit_(std::move(commit)) {}

  Result<Place> place_of(const RemoteFile& file) override {
    SharedDirectory folder = share(TRY(root_.descend(folder_of(file.path))));
    return Place{folder, name_of(file.path), work_, file.hash + ".incomplete", work_, file.hash + ".lock", false};
  }

  // "commit\nhash\nseconds\n": lets huggingface_hub see which version the file is.
  Status publish(const RemoteFile& file) override {
    Directory folder = TRY(work_->descend(folder_of(file.path)));
    auto now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    return folder.write_file(name_of(file.path) + ".metadata", fmt::format("{}\n{}\n{:.6f}\n", commit_, file.hash, now));
  }

  Status finish(const std::string&) override { return {}; }
  std::string root() const override { return root_.path(); }
  std::string disk_path() const override { return root_.path(); }

 private:
  Directory root_;
  SharedDirectory work_;
  std::string commit_;
};

}  // namespace

Result<Directory> open_lock_directory(const std::string& cache_dir, const std::string& repo) {
  Directory cache = TRY(Directory::create(cache_dir));
  return TRY(cache.child(".locks")).child(repo_folder(repo));
}

Result<std::unique_ptr<Store>> open_cache_store(const std::string& cache_dir, const std::string& repo,
                                                const std::string& commit) {
  CHECK(is_commit(commit), "{}", commit);
  Directory cache = TRY(Directory::create(cache_dir));
  Directory locks = TRY(open_lock_directory(cache_dir, repo));
  Directory folder = TRY(cache.child(repo_folder(repo)));
  Directory blobs = TRY(folder.child("blobs"));
  Directory snapshots = TRY(folder.child("snapshots"));
  Directory snapshot = TRY(snapshots.child(commit));
  return std::make_unique<CacheStore>(std::move(folder), share(std::move(blobs)), share(std::move(locks)), std::move(snapshot),
                                      commit);
}

Result<std::unique_ptr<Store>> open_folder_store(const std::string& folder, const std::string& commit) {
  Directory root = TRY(Directory::create(folder));
  Directory work = TRY(root.descend(".cache/huggingface/download"));
  return std::make_unique<FolderStore>(std::move(root), share(std::move(work)), commit);
}

}  // namespace minke::hub
