#include "store/store.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <set>

#include "base/check.h"
#include "store/state.h"

namespace minke::store {
namespace {

namespace fs = std::filesystem;
using sqlite::Transaction;

constexpr int64_t kMsPerDay = 86'400'000;

bool expired(const Retention& retention, int64_t since_ms, int64_t now_ms) {
  return retention.days && now_ms - since_ms >= *retention.days * kMsPerDay;
}

}  // namespace

int64_t Store::State::now() const {
  if (options.now_ms) return options.now_ms();
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since_1970).count();
}

Result<ConversationHead> Store::State::head(const Id& id) const {
  if (const auto found = heads.find(id); found != heads.end()) return found->second;
  if (const auto found = temporary.find(id); found != temporary.end()) return found->second.head;
  if (std::ranges::find(damaged, id) != damaged.end()) return error("conversation {}: its bytes are damaged", id.hex());
  return error("conversation {}: there is none with this id", id.hex());
}

Result<Conversation> Store::State::load(const Id& id) {
  if (const auto found = temporary.find(id); found != temporary.end()) return found->second;
  const ConversationHead known = TRY(head(id));
  return rows.read_conversation(known);
}

Status Store::State::check_folder_exists(const std::optional<Id>& id) const {
  if (id && !folders.contains(*id)) return error("folder {}: there is none with this id", id->hex());
  return {};
}

Result<bool> Store::State::has_message(const ConversationHead& head, int64_t number) {
  if (!head.temporary) return rows.has_message(head.id, number);
  return std::ranges::count(temporary[head.id].messages, number, &Message::number) > 0;
}

Retention Store::State::rule_of(const std::optional<Id>& folder_id) const {
  const auto found = folder_id ? folders.find(*folder_id) : folders.end();
  return found != folders.end() && found->second.retention ? *found->second.retention : retention;
}

Status Store::State::clean_if_needed() {
  if (!TRY(rows.needs_cleaning())) return {};
  TRY(remove_pages());
  TRY_IN("deleted, but not yet wiped from the file; the next opening tries again", rows.clean());
  return {};
}

void Store::State::remove_files(std::span<const Id> files) const {
  for (const Id& file : files) ::unlink(derived_path(file).c_str());  // else at the next opening, as an orphan
}

Status Store::State::delete_rows(std::span<const Id> ids) {
  std::vector<Id> files;
  Transaction transaction = TRY(Transaction::begin(rows.db()));
  for (const Id& id : ids) {
    const std::vector<Id> more = TRY(rows.derived_files(id));
    files.insert(files.end(), more.begin(), more.end());
    TRY(rows.remove_conversation(id));
    TRY(rows.remove_folder(id));  // what is damaged may have been either
  }
  TRY(transaction.commit());
  for (const Id& id : ids) {
    heads.erase(id);
    std::erase(damaged, id);
  }
  remove_files(files);
  return {};
}

Status Store::State::sweep_derived() {
  const std::vector<DerivedRow> all = TRY(rows.all_derived());
  for (const DerivedRow& row : all) {
    if (row.conversation || !expired(retention, row.created_ms, now())) continue;
    TRY(rows.mark_for_cleaning());
    TRY(rows.remove_derived(row.id));
    remove_files({&row.file, 1});
  }
  return {};
}

Result<int64_t> Store::State::sweep() {
  std::vector<Id> old;
  for (const auto& [id, head] : heads) {
    if (expired(rule_of(head.folder), head.updated_ms, now())) old.push_back(id);
  }
  if (!old.empty()) TRY(delete_rows(old));
  TRY(sweep_derived());
  if (retention.days == 0) TRY(remove_pages());
  return static_cast<int64_t>(old.size());
}

Status Store::State::remove_orphans() {
  const std::vector<Id> files = TRY(rows.derived_files());
  std::set<std::string> known;
  for (const Id& file : files) known.insert(file.hex());
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder + "/" + kDerivedFolder, failed)) {
    if (!known.contains(entry.path().filename().string())) fs::remove(entry.path(), failed);
  }
  return {};
}

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}
Store::~Store() = default;

Status Store::change_key(const Key& key) {
  const std::lock_guard guard(state_->mutex);
  Rows& rows = state_->rows;
  const LockedMaster locked = TRY(lock_master(rows.master(), key, state_->options.cost));
  Transaction transaction = TRY(Transaction::begin(rows.db()));
  TRY(write_lock(rows.db(), locked));
  TRY(rows.mark_for_cleaning());
  TRY(transaction.commit());
  return rows.clean();  // the master key wrapped by the old key goes
}

std::vector<Id> Store::damaged() const {
  const std::lock_guard guard(state_->mutex);
  return state_->damaged;
}

Result<ConversationHead> Store::create_conversation(const std::string& title, const std::optional<Id>& folder, bool temporary) {
  const std::lock_guard guard(state_->mutex);
  TRY(state_->check_folder_exists(folder));
  ConversationHead head;
  head.id = Id::random();
  head.title = title;
  head.folder = folder;
  head.created_ms = head.updated_ms = state_->now();
  head.temporary = temporary || state_->rule_of(folder).days == 0;
  TRY(check_head(head));
  if (head.temporary) {
    state_->temporary[head.id].head = head;
  } else {
    TRY(state_->rows.insert_conversation(head));
    state_->heads[head.id] = head;
  }
  return head;
}

std::vector<ConversationHead> Store::list() const {
  const std::lock_guard guard(state_->mutex);
  std::vector<ConversationHead> heads;
  for (const auto& [id, head] : state_->heads) heads.push_back(head);
  for (const auto& [id, conversation] : state_->temporary) heads.push_back(conversation.head);
  std::ranges::sort(heads, [](const ConversationHead& a, const ConversationHead& b) {
    return std::tuple(!a.pinned, -a.updated_ms, a.id) < std::tuple(!b.pinned, -b.updated_ms, b.id);
  });
  return heads;
}

std::optional<ConversationHead> Store::find(const Id& id) const {
  const std::lock_guard guard(state_->mutex);
  const auto head = state_->head(id);
  return head ? std::optional(*head) : std::nullopt;
}

Result<std::map<Id, int64_t>> Store::count_messages() const {
  const std::lock_guard guard(state_->mutex);
  std::map<Id, int64_t> counts = TRY(state_->rows.count_messages());
  for (const auto& [id, conversation] : state_->temporary) counts[id] = static_cast<int64_t>(conversation.messages.size());
  return counts;
}

Result<Conversation> Store::load(const Id& id) const {
  const std::lock_guard guard(state_->mutex);
  return state_->load(id);
}

Status Store::change(const Id& id, const ConversationChange& change) {
  const std::lock_guard guard(state_->mutex);
  ConversationHead head = TRY(state_->head(id));
  if (change.title) head.title = *change.title;
  if (change.folder) {
    TRY(state_->check_folder_exists(*change.folder));
    head.folder = *change.folder;
  }
  if (change.pinned) head.pinned = *change.pinned;
  if (change.archived) head.archived = *change.archived;
  if (change.extra) head.extra = *change.extra;
  TRY(check_head(head));
  if (change.current) head.current = *change.current;
  if (head.current != 0 && !TRY(state_->has_message(head, head.current)))
    return error("conversation {}: there is no message {}", id.hex(), head.current);
  if (head.temporary) {
    state_->temporary[id].head = head;
    return {};
  }
  const Secret key = TRY(state_->rows.conversation_key(id));
  TRY(state_->rows.write_head(head, key));
  state_->heads[id] = head;
  return {};
}

Result<int64_t> Store::append(const Id& id, Message message) {
  const std::lock_guard guard(state_->mutex);
  ConversationHead head = TRY(state_->head(id));
  TRY(check_message(message));
  head.updated_ms = state_->now();
  if (message.created_ms == 0) message.created_ms = head.updated_ms;
  if (message.number == 0) message.number = ++head.last_number;
  head.current = message.number;
  if (message.number < 0 || message.number > head.last_number || TRY(state_->has_message(head, message.number)))
    return error("conversation {}: number {} is not reserved", id.hex(), message.number);
  // A number below: messages that are read in the order of their numbers have their parents before them.
  const bool can_follow = message.parent < message.number && TRY(state_->has_message(head, message.parent));
  if (message.parent != 0 && !can_follow)
    return error("conversation {}: there is no message {} to follow", id.hex(), message.parent);
  if (head.temporary) {
    Conversation& conversation = state_->temporary[id];
    conversation.head = head;
    const auto place = std::ranges::upper_bound(conversation.messages, message.number, {}, &Message::number);
    conversation.messages.insert(place, std::move(message));
    return head.current;
  }
  const Secret key = TRY(state_->rows.conversation_key(id));
  Transaction transaction = TRY(Transaction::begin(state_->rows.db()));
  TRY(state_->rows.insert_message(id, message, key));
  TRY(state_->rows.write_head(head, key));
  TRY(transaction.commit());
  state_->heads[id] = head;
  return head.current;
}

Result<int64_t> Store::reserve(const Id& id) {
  const std::lock_guard guard(state_->mutex);
  ConversationHead head = TRY(state_->head(id));
  const int64_t number = ++head.last_number;
  if (head.temporary) {
    state_->temporary[id].head = head;
    return number;
  }
  const Secret key = TRY(state_->rows.conversation_key(id));
  TRY(state_->rows.write_head(head, key));
  state_->heads[id] = head;
  return number;
}

Status Store::remove(std::span<const Id> ids) {
  const std::lock_guard guard(state_->mutex);
  std::vector<Id> kept;
  for (const Id& id : ids) {
    const bool is_damaged = std::ranges::find(state_->damaged, id) != state_->damaged.end();
    if (state_->is_kept(id) || is_damaged) {
      kept.push_back(id);
    } else if (!state_->temporary.contains(id)) {
      return error("conversation {}: there is none with this id", id.hex());
    }
  }
  for (const Id& id : ids) state_->temporary.erase(id);
  if (kept.empty()) return {};
  TRY(state_->delete_rows(kept));
  return state_->clean_if_needed();
}

Status Store::remove_branch(const Id& id, int64_t number) {
  const std::lock_guard guard(state_->mutex);
  Conversation conversation = TRY(state_->load(id));
  std::set<int64_t> gone;
  int64_t parent = 0;
  for (const Message& message : conversation.messages) {  // parents come first
    if (message.number == number) parent = message.parent;
    if (message.number == number || gone.contains(message.parent)) gone.insert(message.number);
  }
  if (gone.empty()) return error("conversation {}: there is no message {}", id.hex(), number);
  ConversationHead& head = conversation.head;
  if (gone.contains(head.current)) head.current = parent;
  if (head.temporary) {
    std::erase_if(conversation.messages, [&](const Message& message) { return gone.contains(message.number); });
    state_->temporary[id] = std::move(conversation);
    return {};
  }
  Rows& rows = state_->rows;
  const Secret key = TRY(rows.conversation_key(id));
  Transaction transaction = TRY(Transaction::begin(rows.db()));
  for (int64_t each : gone) TRY(rows.remove_message(id, each));
  // Nobody knows from which messages a blob was made.
  const std::vector<Id> files = TRY(rows.derived_files(id));
  TRY(rows.remove_derived_of(id));
  TRY(rows.write_head(head, key));
  TRY(transaction.commit());
  state_->heads[id] = head;
  state_->remove_files(files);
  return state_->clean_if_needed();
}

std::vector<Folder> Store::folders() const {
  const std::lock_guard guard(state_->mutex);
  std::vector<Folder> folders;
  for (const auto& [id, folder] : state_->folders) folders.push_back(folder);
  std::ranges::sort(folders, {}, &Folder::name);
  return folders;
}

Result<Id> Store::create_folder(const std::string& name) {
  const std::lock_guard guard(state_->mutex);
  const Folder folder = {Id::random(), name, std::nullopt};
  TRY(check_folder(folder));
  TRY(state_->rows.write_folder(folder));
  state_->folders[folder.id] = folder;
  return folder.id;
}

Status Store::change_folder(const Folder& folder) {
  const std::lock_guard guard(state_->mutex);
  TRY(state_->check_folder_exists(folder.id));
  TRY(check_folder(folder));
  TRY(state_->rows.write_folder(folder));
  state_->folders[folder.id] = folder;
  return {};
}

Status Store::remove_folder(const Id& id) {
  const std::lock_guard guard(state_->mutex);
  TRY(state_->check_folder_exists(id));
  std::vector<ConversationHead> moved;
  Transaction transaction = TRY(Transaction::begin(state_->rows.db()));
  for (const auto& [each, head] : state_->heads) {
    if (head.folder != id) continue;
    const Secret key = TRY(state_->rows.conversation_key(each));
    moved.push_back(head);
    moved.back().folder.reset();
    TRY(state_->rows.write_head(moved.back(), key));
  }
  TRY(state_->rows.remove_folder(id));
  TRY(transaction.commit());
  for (const ConversationHead& head : moved) state_->heads[head.id] = head;
  for (auto& [each, conversation] : state_->temporary) {
    if (conversation.head.folder == id) conversation.head.folder.reset();
  }
  state_->folders.erase(id);
  return state_->clean_if_needed();
}

Retention Store::retention() const {
  const std::lock_guard guard(state_->mutex);
  return state_->retention;
}

Status Store::set_retention(const Retention& retention) {
  const std::lock_guard guard(state_->mutex);
  TRY(check_folder({{}, "", retention}));
  TRY(state_->rows.write_state(retention, state_->settings));
  state_->retention = retention;
  return {};
}

std::string Store::settings() const {
  const std::lock_guard guard(state_->mutex);
  return state_->settings;
}

Status Store::set_settings(std::string_view json) {
  std::string settings(json);
  TRY(check_settings(settings));
  const std::lock_guard guard(state_->mutex);
  TRY(state_->rows.write_state(state_->retention, settings));
  state_->settings = std::move(settings);
  return {};
}

Result<int64_t> Store::sweep() {
  const std::lock_guard guard(state_->mutex);
  const int64_t n_removed = TRY(state_->sweep());
  TRY(state_->clean_if_needed());
  return n_removed;
}

}  // namespace minke::store
