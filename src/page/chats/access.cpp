// Opening, locking and destroying the store; what belongs to all of it.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "page/chats/chats.h"

namespace minke::page {
namespace {

using store::Key;
using store::KeyKind;
using store::Store;

std::string state_text(const char* state, std::optional<KeyKind> kind) {
  Json out = {{"state", state}, {"protection", nullptr}};
  if (kind) out["protection"] = *kind == KeyKind::kPassphrase ? "passphrase" : "keyfile";
  return dump_json(out);
}

std::string days_text(std::optional<int64_t> days) {
  Json out = {{"days", nullptr}};
  if (days) out["days"] = *days;
  return dump_json(out);
}

bool exists(const std::string& path) {
  std::error_code failed;
  return std::filesystem::exists(path, failed);
}

// The file that is there, or a new one.
Result<Key> key_of_file(const std::string& path) {
  if (!exists(path)) {
    std::error_code failed;  // then the file cannot be made either, which says why
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), failed);
    TRY(store::create_key_file(path));
  }
  return Key::file(path);
}

}  // namespace

Chats::Chats(Places places, store::StoreOptions options, StoreWatch watch)
    : places_(std::move(places)), options_(std::move(options)), watch_(std::move(watch)) {
  const auto kind = Store::key_kind(places_.chats);
  if (!kind || *kind != KeyKind::kKeyFile) return;
  // What goes wrong is said when the user unlocks it.
  if (const auto key = Key::file(places_.key_file)) (void)open(*key);
}

Chats::~Chats() { take_pages_back(); }

void Chats::lend_pages() {
  const auto place = store_->pages_place();
  if (!place) return take_pages_back();
  if (!watch_.opened || lends_pages_) return;
  watch_.opened(*place);
  lends_pages_ = true;
}

void Chats::take_pages_back() {
  if (lends_pages_) watch_.closing();
  lends_pages_ = false;
}

Outcome<void> Chats::tell_deleted() const {
  const Status done = watch_.deleted ? watch_.deleted() : Status();
  if (!done) return failure(done.error());
  return {};
}

bool Chats::is_open() {
  const std::shared_lock guard(store_mutex_);
  return store_ != nullptr;
}

Outcome<void> Chats::open(const Key& key) {
  auto opened = Store::open(places_.chats, key, options_);
  if (!opened) return failure(opened.error(), ErrorKind::kConflict, "store_not_usable");
  if (*opened == nullptr) {
    const bool is_file = key.kind() == KeyKind::kKeyFile;
    return refusal(ErrorKind::kForbidden,
                   is_file ? fmt::format("{}: this key file does not open the store: put the right one there", places_.key_file)
                           : "the passphrase does not open this store",
                   is_file ? "wrong_key_file" : "wrong_passphrase");
  }
  const std::unique_lock guard(store_mutex_);
  store_ = std::move(*opened);
  key_kind_ = key.kind();
  lend_pages();
  return {};
}

tl::unexpected<ApiError> Chats::refuse_closed() {
  // Without a look into the files, which would lock them for a moment: somebody may be unlocking the store.
  if (Store::stored_files(places_.chats).empty())
    return refusal(ErrorKind::kNotFound, "no chats are kept here: create a store first", "no_store");
  return refusal(ErrorKind::kLocked, "the store of chats is locked: unlock it", "locked");
}

Outcome<Chats::Use> Chats::use() {
  std::shared_lock guard(store_mutex_);
  if (store_ == nullptr) {
    guard.unlock();
    return refuse_closed();
  }
  return Use{std::move(guard), store_.get()};
}

Outcome<std::string> Chats::state() {
  // One that another program has open counts as locked; unlocking it says why it does not open.
  const std::lock_guard opening(opening_);
  if (is_open()) return state_text("open", key_kind_);
  const auto kind = Store::key_kind(places_.chats);
  if (!kind) return state_text("locked", KeyKind::kPassphrase);
  return state_text(*kind ? "locked" : "none", *kind);
}

Outcome<std::string> Chats::create(const std::optional<std::string>& passphrase) {
  {
    const std::lock_guard opening(opening_);
    const auto kind = is_open() ? Result<std::optional<KeyKind>>(key_kind_) : Store::key_kind(places_.chats);
    if (!kind) return failure(kind.error(), ErrorKind::kConflict, "store_not_usable");
    if (*kind) return refusal(ErrorKind::kConflict, "there is a store of chats already: unlock it, or shred it", "exists");
    const Result<Key> key = passphrase ? Key::passphrase(*passphrase) : key_of_file(places_.key_file);
    if (!key) return failure(key.error(), passphrase ? ErrorKind::kInvalid : ErrorKind::kInternal);
    auto created = Store::create(places_.chats, *key, options_);
    if (!created) return failure(created.error());
    const std::unique_lock guard(store_mutex_);
    store_ = std::move(*created);
    key_kind_ = key->kind();
    lend_pages();
    const std::lock_guard settings(settings_mutex_);
    if (const auto kept = store_->set_settings(settings_); !kept) return failure(kept.error());
  }
  return state();
}

Outcome<std::string> Chats::unlock(const std::string& passphrase) {
  {
    const std::lock_guard opening(opening_);
    if (!is_open()) {
      const auto kind = Store::key_kind(places_.chats);
      if (!kind) return failure(kind.error(), ErrorKind::kConflict, "store_not_usable");
      if (!*kind) return refusal(ErrorKind::kNotFound, "no chats are kept here: create a store first", "no_store");
      const bool is_file = **kind == KeyKind::kKeyFile;
      const Result<Key> key = is_file ? Key::file(places_.key_file) : Key::passphrase(passphrase);
      if (!key) return failure(key.error(), is_file ? ErrorKind::kInternal : ErrorKind::kInvalid);
      if (auto opened = open(*key); !opened) return tl::unexpected(std::move(opened.error()));
    }
  }
  return state();
}

Outcome<std::string> Chats::lock() {
  {
    const std::lock_guard opening(opening_);
    const std::unique_lock guard(store_mutex_);
    take_pages_back();
    store_.reset();
  }
  return state();
}

Outcome<std::string> Chats::shred() {
  const std::lock_guard opening(opening_);
  // Who cannot open it may not destroy it from afar; `minke data shred` needs no key.
  if (!is_open()) return refuse_closed();
  {
    const std::unique_lock guard(store_mutex_);
    if (const auto told = tell_deleted(); !told) return tl::unexpected(told.error());
    take_pages_back();
    store_.reset();
  }
  if (const auto done = shred_chats(places_); !done) return failure(done.error());
  const std::lock_guard settings(settings_mutex_);
  settings_ = "{}";
  return std::string("{}");
}

Outcome<std::string> Chats::retention() {
  const auto used = use();
  if (!used) return tl::unexpected(used.error());
  return days_text(used->store->retention().days);
}

Outcome<std::string> Chats::set_retention(std::optional<int64_t> days) {
  const std::lock_guard opening(opening_);
  const auto used = use();
  if (!used) return tl::unexpected(used.error());
  if (const auto done = used->store->set_retention({days}); !done) return failure(done.error(), ErrorKind::kInvalid);
  lend_pages();  // with 0 days there are none, and the sweep removes what was just written
  const auto swept = used->store->sweep();
  if (!swept) return failure(swept.error());
  if (*swept > 0) {
    if (const auto told = tell_deleted(); !told) return tl::unexpected(told.error());
  }
  return days_text(days);
}

void Chats::sweep() {
  // What it cannot delete now, the next one will; nobody is there to be told.
  const auto used = use();
  if (!used) return;
  const auto swept = used->store->sweep();
  if (swept.value_or(0) > 0) (void)tell_deleted();
}

Outcome<std::string> Chats::settings() {
  const auto used = use();
  if (used) {
    const std::string kept = used->store->settings();
    return kept.empty() ? "{}" : kept;
  }
  if (used.error().kind == ErrorKind::kLocked) return tl::unexpected(used.error());
  const std::lock_guard guard(settings_mutex_);
  return settings_;
}

Outcome<std::string> Chats::set_settings(const std::string& json) {
  const auto used = use();
  if (!used && used.error().kind == ErrorKind::kLocked) return tl::unexpected(used.error());
  std::string checked = json;
  if (const auto ok = store::check_settings(checked); !ok) return failure(ok.error(), ErrorKind::kInvalid);
  if (used) {
    if (const auto kept = used->store->set_settings(checked); !kept) return failure(kept.error());
  } else {
    const std::lock_guard guard(settings_mutex_);
    settings_ = checked;
  }
  return checked;
}

}  // namespace minke::page
