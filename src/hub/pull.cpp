#include "hub/pull.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "hub/blob_download.h"
#include "hub/cached.h"
#include "hub/cancel.h"
#include "hub/names.h"
#include "hub/net/outbound_log.h"
#include "hub/selection.h"

namespace minke::hub {
namespace {

double gigabytes(uint64_t n_bytes) { return static_cast<double>(n_bytes) / 1e9; }

// The files of one pull, handed out to the threads one after another; the first error stops them all.
class Workload {
 public:
  Workload(std::vector<BlobJob> jobs, Store& store, const HubOptions& options, OutboundLog& log, ProgressMeter& meter,
           Cancel& cancel)
      : jobs_(std::move(jobs)),
        store_(store),
        options_(options),
        log_(log),
        meter_(meter),
        cancel_(cancel),
        results_(jobs_.size()) {}

  Status run();
  const std::vector<BlobJob>& jobs() const { return jobs_; }
  const BlobResult& result(size_t i) const { return results_[i]; }

 private:
  void work();
  Status do_job(Transport& transport, size_t i);
  void fail(Error e);

  std::vector<BlobJob> jobs_;
  Store& store_;
  const HubOptions& options_;
  OutboundLog& log_;
  ProgressMeter& meter_;
  Cancel& cancel_;
  std::vector<BlobResult> results_;
  std::atomic<size_t> next_{0};
  std::mutex mutex_;
  std::optional<Error> first_error_;
};

void Workload::fail(Error e) {
  std::lock_guard lock(mutex_);
  if (!first_error_) first_error_ = std::move(e);
  cancel_.stop();
}

Status Workload::do_job(Transport& transport, size_t i) {
  results_[i] = TRY(download_blob(transport, jobs_[i], options_, meter_, cancel_));
  std::lock_guard lock(mutex_);  // two files of one folder must not make it at once
  return store_.publish(jobs_[i].file);
}

void Workload::work() {
  auto transport = Transport::create(options_, log_, cancel_);
  if (!transport) return fail(transport.error());
  for (size_t i = next_.fetch_add(1); i < jobs_.size() && !cancel_.is_set(); i = next_.fetch_add(1)) {
    if (auto done = do_job(*transport, i); !done) return fail(done.error());
  }
}

Status Workload::run() {
  size_t n_threads =
      std::clamp<size_t>(static_cast<size_t>(std::max(options_.n_connections, 1)), 1, std::max<size_t>(jobs_.size(), 1));
  std::vector<std::thread> threads;
  try {
    for (size_t i = 1; i < n_threads; i++) threads.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
    // No more threads to be had: those that there are do the work.
  }
  work();
  for (std::thread& thread : threads) thread.join();
  if (first_error_) return tl::unexpected<Error>(*first_error_);
  if (cancel_.is_set()) return error("cancelled");
  return {};
}

// Before the first byte: a disk that cannot hold the model is known now, not after hours.
Status check_disk_space(const std::string& repo, const std::vector<BlobJob>& jobs, const std::string& path) {
  std::map<std::string, uint64_t> needed_of;  // by hash: equal files are one blob
  for (const BlobJob& job : jobs) needed_of[job.file.hash] = job.file.size - present_bytes(job);
  uint64_t needed = 0;
  for (const auto& [hash, n_bytes] : needed_of) {
    if (__builtin_add_overflow(needed, n_bytes, &needed))
      return error("{}: the sizes of its files add up to more than 2^64 bytes", repo);
  }
  std::error_code code;
  auto space = std::filesystem::space(path, code);
  if (code || needed <= space.available) return {};  // a file system that does not tell is found out when it is full
  return error("{}: {:.3f} GB are needed and {:.3f} GB are free at {}: make room or set HF_HUB_CACHE to a larger disk", repo,
               gigabytes(needed), gigabytes(space.available), path);
}

Result<PullResult> pull_offline(const ModelReference& reference, const HubOptions& options) {
  if (!options.local_dir.empty())
    return error("{}: a pull into a folder needs the network and HF_HUB_OFFLINE is set", reference.repo);
  CachedRevision revision = TRY(find_cached(reference, options));
  ResolvedModel model = TRY(resolve_in(revision, reference));
  PullResult result;
  result.path = revision.path;
  result.commit = revision.commit;
  for (const CachedFile& file : model.files) {
    result.files.push_back({file.path, file.size, true});
    result.reused_bytes += file.size;
  }
  return result;
}

PullResult sum_up(const Workload& workload, const Store& store, const std::string& commit) {
  PullResult result;
  result.path = store.root();
  result.commit = commit;
  for (size_t i = 0; i < workload.jobs().size(); i++) {
    const BlobResult& blob = workload.result(i);
    const RemoteFile& file = workload.jobs()[i].file;
    result.files.push_back({file.path, file.size, blob.downloaded_bytes == 0 && blob.reused_bytes == file.size});
    result.downloaded_bytes += blob.downloaded_bytes;
    result.reused_bytes += blob.reused_bytes;
  }
  return result;
}

}  // namespace

Result<PullResult> pull(const ModelReference& reference, const HubOptions& options, ProgressSink& sink,
                        const std::atomic<bool>& user_cancel) {
  TRY(check_repo(reference.repo));
  const std::string& revision = reference.revision.empty() ? options.revision : reference.revision;
  TRY(check_revision(revision));
  if (options.offline) return pull_offline(reference, options);

  Cancel cancel(user_cancel);
  OutboundFile log = TRY(OutboundFile::open(options.outbound_log));
  Transport transport = TRY(Transport::create(options, log, cancel));
  Retry retry(options.retry, cancel, [&](const std::string& text) { sink.on_note(text); });
  std::string commit = TRY(resolve_commit(transport, reference.repo, revision, retry));
  std::vector<RemoteFile> files = TRY(list_files(transport, reference.repo, commit, retry));
  files = TRY(select_files(files, reference, options));

  std::optional<FileLock> repo_lock;
  std::unique_ptr<Store> store;
  if (options.local_dir.empty()) {
    Directory locks = TRY(open_lock_directory(options.cache_dir, reference.repo));
    auto on_wait = [&] { sink.on_note(fmt::format("{} is being removed by another process; waiting", reference.repo)); };
    repo_lock.emplace(TRY(FileLock::acquire(locks, kRepoLockName, FileLock::Mode::kShared, cancel, on_wait)));
    store = TRY(open_cache_store(options.cache_dir, reference.repo, commit));
  } else {
    store = TRY(open_folder_store(options.local_dir, commit));
  }
  std::vector<BlobJob> jobs;
  uint64_t total = 0;
  for (RemoteFile& file : files) {
    total += file.size;
    Place place = TRY(store->place_of(file));
    jobs.push_back({reference.repo, commit, std::move(file), std::move(place)});
  }
  TRY(check_disk_space(reference.repo, jobs, store->disk_path()));
  ProgressMeter meter(sink, total);
  Workload workload(std::move(jobs), *store, options, log, meter, cancel);
  TRY(workload.run());
  TRY(store->finish(revision));
  return sum_up(workload, *store, commit);
}

}  // namespace minke::hub
