// Blobs that others make from chats. A blob is a file of sealed bytes with a random name; its row holds the key. A new file is
// whole and synced before the row names it, and an old one goes after: a kill leaves a file that no row names, which the next
// opening removes.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "store/state.h"
#include "store/store.h"

namespace minke::store {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPagesLock = "lock";  // whoever writes pages may hold it
constexpr size_t kMaxBlobBytes = size_t{1} << 30;

std::string bound_to_file(const Id& file) { return fmt::format("minke-store-1/derived/{}", file.hex()); }

// When it was last used; the clock of the file system, so that reading writes nothing into the database.
void touch(const std::string& path) { (void)::utimensat(AT_FDCWD, path.c_str(), nullptr, 0); }

}  // namespace

Status Store::put_derived(const std::optional<Id>& conversation, std::string_view kind, std::string_view name,
                          std::span<const std::byte> bytes) {
  if (bytes.size() > kMaxBlobBytes)
    return error("derived {}: {} bytes, expected at most {}", kind, bytes.size(), kMaxBlobBytes);
  {
    const std::lock_guard guard(state_->mutex);
    if (conversation && state_->temporary.contains(*conversation)) {
      return error("conversation {}: is temporary, nothing of it may be written", conversation->hex());
    }
    if (!conversation && state_->retention.days == 0)
      return error("derived {}: the retention is 0 days: nothing is kept", kind);
  }
  // Without the mutex: this is what takes long.
  const Id file = Id::random();
  const Secret blob_key = Secret::random(kKeyBytes);
  const std::string path = state_->derived_path(file);
  TRY(write_private_file(path, seal(bytes, bound_to_file(file), blob_key)));

  const std::lock_guard guard(state_->mutex);
  Rows& rows = state_->rows;
  const auto name_it = [&]() -> Result<std::optional<Id>> {
    const Secret owner_key = TRY(rows.derived_owner_key(conversation));
    const Id id = rows.derived_id(conversation, kind, name);
    const auto old = TRY(rows.find_derived(id, owner_key));
    TRY(rows.write_derived({id, conversation, file, std::string(kind), state_->now()}, blob_key, owner_key));
    return old ? std::optional(old->file) : std::nullopt;
  };
  const auto replaced = name_it();
  if (!replaced) {
    ::unlink(path.c_str());
    return tl::unexpected<Error>(replaced.error());
  }
  if (*replaced) state_->remove_files({&**replaced, 1});
  return {};
}

Result<std::optional<std::string>> Store::get_derived(const std::optional<Id>& conversation, std::string_view kind,
                                                      std::string_view name) const {
  for (std::optional<Id> last;;) {
    std::optional<Rows::DerivedPlace> place;
    {
      const std::lock_guard guard(state_->mutex);
      if (conversation && state_->temporary.contains(*conversation)) return std::nullopt;
      const Secret owner_key = TRY(state_->rows.derived_owner_key(conversation));
      place = TRY(state_->rows.find_derived(state_->rows.derived_id(conversation, kind, name), owner_key));
    }
    if (!place) return std::nullopt;
    // Without the mutex: the file may be replaced meanwhile, and then its row names another.
    const std::string path = state_->derived_path(place->file);
    const auto sealed = read_file(path, kMaxBlobBytes + kSealBytes);
    if (!sealed && last != place->file) {
      last = place->file;
      continue;
    }
    if (!sealed) return tl::unexpected<Error>(sealed.error());
    touch(path);
    auto plain = unseal(bytes_of(*sealed), bound_to_file(place->file), place->blob_key);
    if (!plain) return error("{}: damaged: remove it, it can be made again", path);
    return std::move(*plain);
  }
}

Status Store::remove_derived(const std::optional<Id>& conversation, std::string_view kind, std::string_view name) {
  const std::lock_guard guard(state_->mutex);
  const Secret owner_key = TRY(state_->rows.derived_owner_key(conversation));
  const Id id = state_->rows.derived_id(conversation, kind, name);
  const auto place = TRY(state_->rows.find_derived(id, owner_key));
  if (!place) return {};
  TRY(state_->rows.mark_for_cleaning());
  TRY(state_->rows.remove_derived(id));
  state_->remove_files({&place->file, 1});
  return state_->clean_if_needed();
}

Status Store::trim_derived(std::string_view kind, uint64_t max_bytes) {
  const std::lock_guard guard(state_->mutex);
  struct Candidate {
    DerivedRow row;
    uint64_t n_bytes;
    timespec used;
  };
  std::vector<Candidate> candidates;
  uint64_t total = 0;
  std::vector<DerivedRow> rows = TRY(state_->rows.all_derived());
  for (DerivedRow& row : rows) {
    struct stat info {};
    if (row.kind != kind || ::stat(state_->derived_path(row.file).c_str(), &info) != 0) continue;
    const auto n_bytes = static_cast<uint64_t>(info.st_size);
    total += n_bytes;
    candidates.push_back({std::move(row), n_bytes, info.st_mtim});
  }
  std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) {
    return std::tuple(a.used.tv_sec, a.used.tv_nsec) < std::tuple(b.used.tv_sec, b.used.tv_nsec);
  });
  for (const Candidate& candidate : candidates) {
    if (total <= max_bytes) break;
    TRY(state_->rows.remove_derived(candidate.row.id));
    state_->remove_files({&candidate.row.file, 1});
    total -= candidate.n_bytes;
  }
  // No cleaning: a cache that makes room must not write the database anew each time. What a blob was made from still stands.
  return {};
}

std::optional<PagesPlace> Store::pages_place() const {
  const std::lock_guard guard(state_->mutex);
  if (state_->retention.days == 0) return std::nullopt;
  return PagesPlace{state_->folder + "/" + kPagesFolder, state_->rows.pages_key()};
}

Status Store::State::remove_pages() const {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder + "/" + kPagesFolder, failed)) {
    if (entry.path().filename() == kPagesLock) continue;
    std::error_code left;
    fs::remove(entry.path(), left);
    if (left) return error("{}: cannot be removed: {}", entry.path().string(), left.message());
  }
  return {};
}

}  // namespace minke::store
