#include "train/checkpoint/folders.h"

#include <fcntl.h>
#include <stdio.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/check.h"
#include "base/file.h"
#include "format/folder.h"
#include "model/training/adapter.h"
#include "train/checkpoint/state.h"

namespace minke {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kPartial = ".incomplete";
constexpr std::string_view kRemoved = ".removed";
constexpr std::string_view kDamaged = ".damaged";
constexpr size_t kMinDigits = 6;

std::optional<int64_t> step_of(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  int64_t step = 0;
  const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), step);
  if (failure != std::errc() || end != name.data() + name.size() || step < 0 || name.size() < kMinDigits) return std::nullopt;
  return step;
}

// Names in a folder, of files and folders; empty when there is no such folder.
Result<std::vector<std::string>> names_in(const std::string& folder) {
  std::vector<std::string> names;
  if (!file_exists(folder)) return names;
  std::error_code failure;
  fs::directory_iterator it(folder, failure);
  for (; !failure && it != fs::directory_iterator(); it.increment(failure)) names.push_back(it->path().filename().string());
  if (failure) return error("{}: cannot list the folder: {}", folder, failure.message());
  return names;
}

Status remove_folder(const std::string& path) {
  std::error_code failure;
  fs::remove_all(path, failure);
  if (failure) return error("{}: cannot remove the folder: {}", path, failure.message());
  return {};
}

Status rename_folder(const std::string& from, const std::string& to) {
  std::error_code failure;
  fs::rename(from, to, failure);
  if (failure) return error("{}: cannot rename to {}: {}", from, to, failure.message());
  return {};
}

// The deletion of a folder file by file must not be seen as a checkpoint.
Status remove_checkpoint(const std::string& run, const std::string& path) {
  const std::string removed = path + std::string(kRemoved);
  TRY(remove_folder(removed));
  TRY(rename_folder(path, removed));
  TRY(sync_directory(run));
  return remove_folder(removed);
}

}  // namespace

std::string checkpoint_name(int64_t step) {
  CHECK(step >= 0, "step {}", step);
  return fmt::format("{}{:0{}}", kPrefix, step, kMinDigits);
}

Result<std::vector<CheckpointFolder>> list_checkpoints(const std::string& run) {
  std::vector<CheckpointFolder> folders;
  for (const std::string& name : TRY(names_in(run))) {
    const std::optional<int64_t> step = step_of(name);
    if (step && is_folder(path_in(run, name))) folders.push_back({*step, path_in(run, name)});
  }
  std::sort(folders.begin(), folders.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return folders;
}

Result<std::string> model_folder(const std::string& model_or_run) {
  const std::vector<CheckpointFolder> checkpoints = TRY(list_checkpoints(model_or_run));
  const std::string folder = checkpoints.empty() ? model_or_run : checkpoints.back().path;
  if (fs::exists(path_in(folder, kAdapterConfigFile))) {
    return error("{}: holds an adapter and not a model; `minke convert BASE NEW --lora {}` makes a model of the two", folder,
                 folder);
  }
  if (!checkpoints.empty() || fs::exists(path_in(folder, "config.json"))) return folder;
  return error("{}: neither a model's folder (no config.json) nor a run's with a checkpoint; run the stage that makes it first",
               model_or_run);
}

Status remove_leftovers(const std::string& run) {
  for (const std::string& name : TRY(names_in(run))) {
    for (std::string_view suffix : {kPartial, kRemoved}) {
      if (!name.ends_with(suffix) || !step_of(name.substr(0, name.size() - suffix.size()))) continue;
      TRY(remove_folder(path_in(run, name)));
    }
  }
  return {};
}

Status set_aside(const CheckpointFolder& folder) {
  const std::string damaged = folder.path + std::string(kDamaged);
  TRY(remove_folder(damaged));
  TRY(rename_folder(folder.path, damaged));
  return sync_directory(folder_of(folder.path));
}

Result<PartialCheckpoint> PartialCheckpoint::create(const std::string& run, int64_t step) {
  std::error_code failure;
  fs::create_directories(run, failure);
  if (failure) return error("{}: cannot create the folder: {}", run, failure.message());
  TRY(remove_leftovers(run));
  std::string path = path_in(run, checkpoint_name(step));
  std::string partial = path + std::string(kPartial);
  fs::create_directory(partial, failure);
  if (failure) return error("{}: cannot create the folder: {}", partial, failure.message());
  return PartialCheckpoint(run, std::move(path), std::move(partial));
}

PartialCheckpoint::PartialCheckpoint(PartialCheckpoint&& other) noexcept
    : run_(std::move(other.run_)),
      path_(std::move(other.path_)),
      partial_(std::move(other.partial_)),
      is_pending_(std::exchange(other.is_pending_, false)) {}

PartialCheckpoint::~PartialCheckpoint() {
  if (!is_pending_) return;
  std::error_code ignored;
  fs::remove_all(partial_, ignored);
}

Result<std::string> PartialCheckpoint::commit() {
  CHECK(is_pending_, "{} was committed before", path_);
  TRY(sync_directory(partial_));
  if (!file_exists(path_)) {
    TRY(rename_folder(partial_, path_));
    is_pending_ = false;
    TRY(sync_directory(run_));
    return path_;
  }
  // The two change places at once, so that there is a whole one under the name at any moment.
  if (::renameat2(AT_FDCWD, partial_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) != 0) {
    return error("{}: exists already, and this file system cannot exchange it for the new one; remove it", path_);
  }
  is_pending_ = false;
  TRY(sync_directory(run_));
  TRY(remove_folder(partial_));
  return path_;
}

Result<std::vector<int64_t>> prune_checkpoints(const std::string& run, const KeepRule& rule) {
  CHECK(rule.keep_last >= 1, "keep_last = {}", rule.keep_last);
  const std::vector<CheckpointFolder> folders = TRY(list_checkpoints(run));
  const size_t n_last = std::min(folders.size(), static_cast<size_t>(rule.keep_last));
  std::optional<double> best;
  size_t best_index = folders.size();
  for (size_t i = 0; i < folders.size() && rule.keep_best; i++) {
    const std::string path = path_in(folders[i].path, kStateFile);
    const auto text = read_file(path, kMaxStateBytes);
    if (!text) continue;  // a damaged one is not the best
    const auto file = parse_state(*text, path);
    if (!file || !file->state.validation_loss) continue;
    if (!best || *file->state.validation_loss < *best) {
      best = file->state.validation_loss;
      best_index = i;
    }
  }
  std::vector<int64_t> removed;
  for (size_t i = 0; i + n_last < folders.size(); i++) {
    if (i == best_index) continue;
    TRY(remove_checkpoint(run, folders[i].path));
    removed.push_back(folders[i].step);
  }
  return removed;
}

}  // namespace minke
