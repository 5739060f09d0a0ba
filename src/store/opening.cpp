// Making, opening and destroying a store; what stands in its folder.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "store/schema.h"
#include "store/state.h"
#include "store/store.h"

namespace minke::store {
namespace {

namespace fs = std::filesystem;
using sqlite::Database;
using sqlite::Transaction;

constexpr const char* kDatabaseFiles[] = {kDatabaseName, "chats.sqlite-wal", "chats.sqlite-shm", "chats.sqlite-journal"};
constexpr const char* kLockName = "lock";

std::string database_path(const std::string& folder) { return folder + "/" + kDatabaseName; }

Result<Database> open_database(const std::string& folder) {
  const std::string path = database_path(folder);
  TRY(make_private_file(path));
  const sqlite::DatabaseOptions options = {{"store of chats", "name a folder that you can write to"}, 0, true};
  Database db = TRY(Database::open(path, options));
  // What is deleted is overwritten; nothing goes to files elsewhere.
  TRY(db.execute("PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON"));
  // The file may be damaged or come from somebody else.
  TRY(db.execute("PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF"));
  TRY(migrate(db));
  return db;
}

bool has_database(const std::string& folder) {
  std::error_code failed;
  return fs::exists(database_path(folder), failed);
}

tl::unexpected<Error> no_store(const std::string& folder) {
  return error("{}: there is no store of chats in this folder: make one first, or name another folder", folder);
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// $MINKE_HOME/NAME, $XDG/minke/NAME or ~/FALLBACK/minke/NAME
Result<std::string> default_path(const char* xdg, std::string_view fallback, std::string_view name) {
  if (const std::string home = variable("MINKE_HOME"); !home.empty()) return fmt::format("{}/{}", home, name);
  if (const std::string base = variable(xdg); !base.empty()) return fmt::format("{}/minke/{}", base, name);
  const std::string home = variable("HOME");
  if (home.empty()) return error("HOME is not set, so there is no place for chats: set HOME or MINKE_HOME");
  return fmt::format("{}/{}/minke/{}", home, fallback, name);
}

Status refuse_other_files(const std::string& folder) {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    const std::string name = entry.path().filename().string();
    const bool ours =
        name == kLockName || name == kDerivedFolder || name == kPagesFolder || std::ranges::count(kDatabaseFiles, name) > 0;
    if (!ours)
      return error("{}: does not belong to a store of chats: move it away, then shred the rest", entry.path().string());
  }
  return {};
}

}  // namespace

Result<std::optional<KeyKind>> Store::key_kind(const std::string& folder) {
  if (!has_database(folder)) return std::nullopt;
  const FolderLock lock = TRY(FolderLock::take(folder));
  Database db = TRY(open_database(folder));
  const auto locked = TRY(read_lock(db));
  if (!locked) return std::nullopt;
  return locked->kind;
}

Result<std::unique_ptr<Store>> Store::create(const std::string& folder, const Key& key, StoreOptions options) {
  TRY(make_private_folder(folder));
  FolderLock lock = TRY(FolderLock::take(folder));
  Database db = TRY(open_database(folder));
  if (TRY(read_lock(db))) return error("{}: there is a store of chats in this folder already: open it, or shred it", folder);
  Secret master = Secret::random(kKeyBytes);
  const LockedMaster locked = TRY(lock_master(master, key, options.cost));
  Rows rows(std::move(db), std::move(master));
  {
    Transaction transaction = TRY(Transaction::begin(rows.db()));
    TRY(write_lock(rows.db(), locked));
    TRY(rows.write_state({}, ""));
    TRY(transaction.commit());
  }
  TRY(make_private_folder(folder + "/" + kDerivedFolder));
  TRY(sync_directory(folder));
  auto state = std::make_unique<State>(folder, std::move(options), std::move(lock), std::move(rows));
  return std::unique_ptr<Store>(new Store(std::move(state)));
}

Result<std::unique_ptr<Store>> Store::open(const std::string& folder, const Key& key, StoreOptions options) {
  if (!has_database(folder)) return no_store(folder);
  TRY(make_private_folder(folder));
  FolderLock lock = TRY(FolderLock::take(folder));
  Database db = TRY(open_database(folder));
  const auto locked = TRY(read_lock(db));
  if (!locked) return no_store(folder);
  auto master = TRY(unlock_master(*locked, key, db.path()));
  if (!master) return nullptr;
  auto state = std::make_unique<State>(folder, std::move(options), std::move(lock), Rows(std::move(db), std::move(*master)));
  Contents contents = TRY(state->rows.read_all());
  for (ConversationHead& head : contents.heads) state->heads[head.id] = std::move(head);
  for (Folder& each : contents.folders) state->folders[each.id] = std::move(each);
  state->retention = contents.retention;
  state->settings = std::move(contents.settings);
  state->damaged = std::move(contents.damaged);
  TRY(make_private_folder(folder + "/" + kDerivedFolder));
  TRY(state->remove_orphans());
  TRY(state->sweep());
  // A disk that is too full to write the file anew must not lock the owner out; that it has to be done stays noted.
  (void)state->clean_if_needed();
  return std::unique_ptr<Store>(new Store(std::move(state)));
}

std::vector<StoredFile> Store::stored_files(const std::string& folder) {
  std::vector<StoredFile> files;
  std::error_code failed;
  const auto add = [&](const fs::path& path) {
    const auto n_bytes = fs::file_size(path, failed);
    if (!failed) files.push_back({path.string(), n_bytes});
  };
  for (const char* name : kDatabaseFiles) add(fs::path(folder) / name);
  for (const char* below : {kDerivedFolder, kPagesFolder}) {
    for (const auto& entry : fs::directory_iterator(fs::path(folder) / below, failed)) add(entry.path());
  }
  add(fs::path(folder) / kLockName);
  return files;
}

Status Store::shred(const std::string& folder) {
  if (!has_database(folder)) return no_store(folder);
  const FolderLock lock = TRY(FolderLock::take(folder));
  TRY(refuse_other_files(folder));
  for (const StoredFile& file : stored_files(folder)) TRY(overwrite_and_remove(file.path));
  std::error_code failed;
  for (const char* below : {kDerivedFolder, kPagesFolder}) fs::remove(folder + "/" + below, failed);
  if (!fs::remove(folder, failed)) return error("{}: cannot remove the empty folder: {}", folder, failed.message());
  return {};
}

Result<std::string> default_folder() { return default_path("XDG_DATA_HOME", ".local/share", "chats"); }
Result<std::string> default_key_file() { return default_path("XDG_CONFIG_HOME", ".config", "chats.key"); }

}  // namespace minke::store
