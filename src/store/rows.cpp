#include "store/rows.h"

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "store/codec.h"

namespace minke::store {
namespace {

using sqlite::Statement;

std::string bound(std::string_view table, const Id& id) { return fmt::format("minke-store-1/{}/{}", table, id.hex()); }
std::string bound_message(const Id& conversation, int64_t number) {
  return fmt::format("minke-store-1/message/{}/{}", conversation.hex(), number);
}
constexpr std::string_view kBoundSettings = "minke-store-1/settings";
constexpr const char* kCallersSettings = "caller";  // beside the retention

Bytes seal_json(const Json& value, std::string_view bound_to, const Secret& key) {
  std::string text = dump_json(value);
  Bytes sealed = seal(bytes_of(text), bound_to, key);
  wipe(text);
  return sealed;
}

// Sealed bytes are ours, so what opens and cannot be read was written by another version.
Result<Json> unseal_json(std::span<const std::byte> sealed, std::string_view bound_to, const Secret& key) {
  auto text = unseal(sealed, bound_to, key);
  if (!text) return error("{}: damaged", bound_to);
  Result<Json> value = parse_json(*text, bound_to);
  wipe(*text);
  return value;
}

std::optional<Id> id_of(std::span<const std::byte> bytes) {
  Id id;
  if (bytes.size() != id.bytes.size()) return std::nullopt;
  std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
  return id;
}

Bytes copy_of(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace

Result<std::optional<LockedMaster>> read_lock(sqlite::Database& db) {
  Statement select = TRY(db.prepare("SELECT kind, salt, operations, memory_bytes, wrapped, checksum FROM lock"));
  if (!TRY(select.step())) return std::nullopt;
  LockedMaster locked;
  locked.kind = select.text(0) == key_kind_name(KeyKind::kKeyFile) ? KeyKind::kKeyFile : KeyKind::kPassphrase;
  locked.salt = copy_of(select.blob(1));
  locked.cost.operations = static_cast<uint64_t>(select.integer(2));
  locked.cost.memory_bytes = static_cast<uint64_t>(select.integer(3));
  locked.wrapped = copy_of(select.blob(4));
  locked.checksum = copy_of(select.blob(5));
  return locked;
}

Status write_lock(sqlite::Database& db, const LockedMaster& locked) {
  Statement insert =
      TRY(db.prepare("INSERT OR REPLACE INTO lock (id, kind, salt, operations, memory_bytes, wrapped, checksum) "
                     "VALUES (1, ?, ?, ?, ?, ?, ?)"));
  insert.bind(1, key_kind_name(locked.kind)).bind(2, locked.salt);
  insert.bind(3, static_cast<int64_t>(locked.cost.operations)).bind(4, static_cast<int64_t>(locked.cost.memory_bytes));
  insert.bind(5, locked.wrapped).bind(6, locked.checksum);
  return insert.run();
}

Rows::Rows(sqlite::Database db, Secret master)
    : db_(std::move(db)),
      master_(std::move(master)),
      wrapping_(subkey(master_, 1)),
      records_(subkey(master_, 2)),
      derived_(subkey(master_, 3)) {}

Result<Contents> Rows::read_all() {
  Contents contents;
  Statement state = TRY(db_.prepare("SELECT settings FROM state"));
  if (!TRY(state.step())) return error("{}: the record of the settings is missing: put a copy of the file back", db_.path());
  Json settings = TRY_IN(db_.path(), unseal_json(state.blob(0), kBoundSettings, records_));
  if (const auto found = settings.find(kCallersSettings); found != settings.end()) {
    contents.settings = dump_json(*found);
    settings.erase(kCallersSettings);
  }
  contents.retention = TRY_IN(db_.path(), retention_from_json(settings, "settings"));

  Statement folders = TRY(db_.prepare("SELECT id, body FROM folders"));
  while (TRY(folders.step())) {
    const auto id = id_of(folders.blob(0));
    if (!id) return error("{}: folders: an id of {} bytes, expected 16", db_.path(), folders.blob(0).size());
    const auto body = unseal_json(folders.blob(1), bound("folder", *id), records_);
    if (!body) {
      contents.damaged.push_back(*id);
      continue;
    }
    contents.folders.push_back(TRY_IN(db_.path(), folder_from_json(*body, "folder")));
  }

  Statement heads = TRY(db_.prepare("SELECT id, wrapped_key, head FROM conversations"));
  while (TRY(heads.step())) {
    const auto id = id_of(heads.blob(0));
    if (!id) return error("{}: conversations: an id of {} bytes, expected 16", db_.path(), heads.blob(0).size());
    const auto key = unwrap_key(heads.blob(1), bound("key", *id), wrapping_);
    const auto head = key ? unseal_json(heads.blob(2), bound("head", *id), *key) : Result<Json>(error("damaged"));
    if (!head) {
      contents.damaged.push_back(*id);
      continue;
    }
    contents.heads.push_back(TRY_IN(db_.path(), head_from_json(*head, "conversation")));
  }
  return contents;
}

Status Rows::write_state(const Retention& retention, const std::string& settings) {
  Json state = retention_to_json(retention);
  if (!settings.empty()) state[kCallersSettings] = TRY(parse_json(settings, "settings"));
  Statement write =
      TRY(db_.prepare("INSERT INTO state (id, settings, cleaning) VALUES (1, ?, 0) "
                      "ON CONFLICT (id) DO UPDATE SET settings = excluded.settings"));
  const Bytes sealed = seal_json(state, kBoundSettings, records_);
  return write.bind(1, sealed).run();
}

Status Rows::write_folder(const Folder& folder) {
  Statement write = TRY(db_.prepare("INSERT OR REPLACE INTO folders (id, body) VALUES (?, ?)"));
  const Bytes sealed = seal_json(folder_to_json(folder), bound("folder", folder.id), records_);
  return write.bind(1, folder.id.bytes).bind(2, sealed).run();
}

Status Rows::remove_folder(const Id& id) {
  Statement remove = TRY(db_.prepare("DELETE FROM folders WHERE id = ?"));
  TRY(remove.bind(1, id.bytes).run());
  return mark_for_cleaning();
}

Result<Secret> Rows::conversation_key(const Id& id) {
  Statement select = TRY(db_.prepare("SELECT wrapped_key FROM conversations WHERE id = ?"));
  select.bind(1, id.bytes);
  if (!TRY(select.step())) return error("conversation {}: there is none with this id", id.hex());
  auto key = unwrap_key(select.blob(0), bound("key", id), wrapping_);
  if (!key) return error("{}: conversation {}: its key is damaged", db_.path(), id.hex());
  return std::move(*key);
}

Result<Secret> Rows::insert_conversation(const ConversationHead& head) {
  Secret key = Secret::random(kKeyBytes);
  Statement insert = TRY(db_.prepare("INSERT INTO conversations (id, wrapped_key, head) VALUES (?, ?, ?)"));
  const Bytes wrapped = wrap_key(key, bound("key", head.id), wrapping_);
  const Bytes sealed = seal_json(head_to_json(head), bound("head", head.id), key);
  TRY(insert.bind(1, head.id.bytes).bind(2, wrapped).bind(3, sealed).run());
  return key;
}

Status Rows::write_head(const ConversationHead& head, const Secret& key) {
  Statement update = TRY(db_.prepare("UPDATE conversations SET head = ? WHERE id = ?"));
  const Bytes sealed = seal_json(head_to_json(head), bound("head", head.id), key);
  return update.bind(1, sealed).bind(2, head.id.bytes).run();
}

Status Rows::remove_conversation(const Id& id) {
  Statement remove = TRY(db_.prepare("DELETE FROM conversations WHERE id = ?"));
  TRY(remove.bind(1, id.bytes).run());
  return mark_for_cleaning();
}

Status Rows::insert_message(const Id& conversation, const Message& message, const Secret& key) {
  Statement insert = TRY(db_.prepare("INSERT INTO messages (conversation, number, body) VALUES (?, ?, ?)"));
  const Bytes sealed = seal_json(message_to_json(message), bound_message(conversation, message.number), key);
  return insert.bind(1, conversation.bytes).bind(2, message.number).bind(3, sealed).run();
}

Result<std::map<Id, int64_t>> Rows::count_messages() {
  std::map<Id, int64_t> counts;
  Statement select = TRY(db_.prepare("SELECT conversation, count(*) FROM messages GROUP BY conversation"));
  while (TRY(select.step())) {
    if (const auto id = id_of(select.blob(0))) counts[*id] = select.integer(1);
  }
  return counts;
}

Result<bool> Rows::has_message(const Id& conversation, int64_t number) {
  Statement select = TRY(db_.prepare("SELECT 1 FROM messages WHERE conversation = ? AND number = ?"));
  return select.bind(1, conversation.bytes).bind(2, number).step();
}

Status Rows::remove_message(const Id& conversation, int64_t number) {
  Statement remove = TRY(db_.prepare("DELETE FROM messages WHERE conversation = ? AND number = ?"));
  TRY(remove.bind(1, conversation.bytes).bind(2, number).run());
  return mark_for_cleaning();
}

Status Rows::each_message(const Id& conversation, const Visitor& visit) {
  const Secret key = TRY(conversation_key(conversation));
  Statement select = TRY(db_.prepare("SELECT number, body FROM messages WHERE conversation = ? ORDER BY number"));
  select.bind(1, conversation.bytes);
  while (TRY(select.step())) {
    const int64_t number = select.integer(0);
    auto body = unseal(select.blob(1), bound_message(conversation, number), key);
    const Status visited = visit(number, body ? &*body : nullptr);
    if (body) wipe(*body);
    TRY(visited);
  }
  return {};
}

Result<Conversation> Rows::read_conversation(const ConversationHead& head) {
  Conversation conversation;
  conversation.head = head;
  const Visitor read = [&](int64_t number, const std::string* body) -> Status {
    if (body == nullptr) {
      conversation.damaged.push_back(number);
      return {};
    }
    const std::string where = fmt::format("{}: conversation {}: message {}", db_.path(), head.id.hex(), number);
    const Json value = TRY(parse_json(*body, where));
    conversation.messages.push_back(TRY(message_from_json(value, where)));
    return {};
  };
  TRY(each_message(head.id, read));
  return conversation;
}

Id Rows::derived_id(const std::optional<Id>& conversation, std::string_view kind, std::string_view name) const {
  const std::string owner = conversation ? conversation->hex() : "store";
  const std::string text = fmt::format("{}/{}/{}/{}", owner, kind.size(), kind, name);
  return *id_of(digest(bytes_of(text), sizeof(Id::bytes), &derived_));
}

Result<Secret> Rows::derived_owner_key(const std::optional<Id>& conversation) {
  return conversation ? conversation_key(*conversation) : Result<Secret>(subkey(derived_, 1));
}

Secret Rows::pages_key() const { return subkey(derived_, 2); }

Status Rows::write_derived(const DerivedRow& row, const Secret& blob_key, const Secret& owner_key) {
  Statement write =
      TRY(db_.prepare("INSERT OR REPLACE INTO derived (id, conversation, file, wrapped_key, head) VALUES (?, ?, ?, ?, ?)"));
  Json head = Json::object();
  head["kind"] = row.kind;
  head["created_ms"] = row.created_ms;
  const Bytes wrapped = wrap_key(blob_key, bound("derived-key", row.file), owner_key);
  const Bytes sealed = seal_json(head, bound("derived-head", row.file), derived_);
  write.bind(1, row.id.bytes).bind(3, row.file.bytes).bind(4, wrapped).bind(5, sealed);
  if (row.conversation) write.bind(2, row.conversation->bytes);  // else NULL, as all that is not bound
  return write.run();
}

Result<std::optional<Rows::DerivedPlace>> Rows::find_derived(const Id& id, const Secret& owner_key) {
  Statement select = TRY(db_.prepare("SELECT file, wrapped_key FROM derived WHERE id = ?"));
  select.bind(1, id.bytes);
  if (!TRY(select.step())) return std::nullopt;
  const auto file = id_of(select.blob(0));
  auto key = file ? unwrap_key(select.blob(1), bound("derived-key", *file), owner_key) : std::nullopt;
  if (!key) return error("{}: derived {}: its key is damaged", db_.path(), id.hex());
  return DerivedPlace{*file, std::move(*key)};
}

Status Rows::remove_derived(const Id& id) {
  Statement remove = TRY(db_.prepare("DELETE FROM derived WHERE id = ?"));
  return remove.bind(1, id.bytes).run();
}

Status Rows::remove_derived_of(const Id& conversation) {
  Statement remove = TRY(db_.prepare("DELETE FROM derived WHERE conversation = ?"));
  TRY(remove.bind(1, conversation.bytes).run());
  return mark_for_cleaning();
}

Result<std::vector<DerivedRow>> Rows::all_derived() {
  std::vector<DerivedRow> rows;
  Statement select = TRY(db_.prepare("SELECT id, conversation, file, head FROM derived"));
  while (TRY(select.step())) {
    const auto id = id_of(select.blob(0));
    const auto file = id_of(select.blob(2));
    if (!id || !file) continue;
    const auto head = unseal_json(select.blob(3), bound("derived-head", *file), derived_);
    if (!head) continue;
    rows.push_back({*id, id_of(select.blob(1)), *file, head->value("kind", ""), head->value("created_ms", int64_t{0})});
  }
  return rows;
}

Result<std::vector<Id>> Rows::derived_files(const std::optional<Id>& of_conversation) {
  std::vector<Id> files;
  Statement select = TRY(db_.prepare("SELECT file FROM derived WHERE ?1 IS NULL OR conversation = ?1"));
  if (of_conversation) select.bind(1, of_conversation->bytes);
  while (TRY(select.step())) {
    if (const auto file = id_of(select.blob(0))) files.push_back(*file);
  }
  return files;
}

Status Rows::mark_for_cleaning() { return db_.execute("UPDATE state SET cleaning = 1"); }

Result<bool> Rows::needs_cleaning() {
  Statement select = TRY(db_.prepare("SELECT cleaning FROM state"));
  TRY(select.step());
  return select.integer(0) != 0;
}

Status Rows::clean() {
  TRY(db_.execute("VACUUM"));
  {
    Statement checkpoint = TRY(db_.prepare("PRAGMA wal_checkpoint(TRUNCATE)"));
    TRY(checkpoint.step());
    if (checkpoint.integer(0) != 0) return error("{}: the write-ahead log is in use and was not emptied", db_.path());
  }
  return db_.execute("UPDATE state SET cleaning = 0");
}

}  // namespace minke::store
