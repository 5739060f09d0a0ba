#include "store/schema.h"

#include <iterator>

namespace minke::store {
namespace {

constexpr int64_t kApplicationId = 0x6d6e6b63;  // "mnkc", so that another program's database is not taken for ours

// Version 1. Whatever says something about a chat is inside sealed bytes (crypto/cipher.h); readable are random ids, which
// message belongs to which conversation, numbers of messages, and sizes. cleaning = 1: something was deleted, and the file
// still has to be rewritten without it.
constexpr const char* kConversations = R"(
CREATE TABLE lock (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  kind TEXT NOT NULL CHECK (kind IN ('passphrase', 'key file')),
  salt BLOB NOT NULL,
  operations INTEGER NOT NULL,
  memory_bytes INTEGER NOT NULL,
  wrapped BLOB NOT NULL,
  checksum BLOB NOT NULL
) STRICT;
CREATE TABLE state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  settings BLOB NOT NULL,
  cleaning INTEGER NOT NULL
) STRICT;
CREATE TABLE folders (
  id BLOB PRIMARY KEY,
  body BLOB NOT NULL
) STRICT;
CREATE TABLE conversations (
  id BLOB PRIMARY KEY,
  wrapped_key BLOB NOT NULL,
  head BLOB NOT NULL
) STRICT;
CREATE TABLE messages (
  conversation BLOB NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  body BLOB NOT NULL,
  UNIQUE (conversation, number)
) STRICT;
)";

// Version 2: files made from chats (a KV cache, logs). `id` is a keyed hash of owner, kind and name; `file` names the file.
constexpr const char* kDerived = R"(
CREATE TABLE derived (
  id BLOB PRIMARY KEY,
  conversation BLOB REFERENCES conversations (id) ON DELETE CASCADE,
  file BLOB NOT NULL UNIQUE,
  wrapped_key BLOB NOT NULL,
  head BLOB NOT NULL
) STRICT;
CREATE INDEX derived_of_conversation ON derived (conversation);
)";

constexpr const char* kSteps[] = {kConversations, kDerived};
static_assert(std::size(kSteps) == kSchemaVersion);

Status check_owner(sqlite::Database& db) {
  const int64_t application = TRY(db.pragma("application_id"));
  const int64_t version = TRY(db.pragma("user_version"));
  sqlite::Statement tables = TRY(db.prepare("SELECT count(*) FROM sqlite_schema"));
  TRY(tables.step());
  const bool empty = tables.integer(0) == 0 && application == 0 && version == 0;
  if (application != kApplicationId && !empty) {
    return error("{}: not a store of chats: the SQLite database of another program; name another folder", db.path());
  }
  if (version > kSchemaVersion) {
    return error("{}: written by a newer minke: expected schema version {} or older, got {}; update minke", db.path(),
                 kSchemaVersion, version);
  }
  return {};
}

}  // namespace

Status migrate(sqlite::Database& db, int64_t to_version) {
  TRY(check_owner(db));
  for (int64_t version = TRY(db.pragma("user_version")); version < to_version; version++) {
    sqlite::Transaction transaction = TRY(sqlite::Transaction::begin(db));
    TRY(db.execute(kSteps[version]));
    TRY(db.execute(fmt::format("PRAGMA user_version = {}", version + 1)));
    TRY(db.execute(fmt::format("PRAGMA application_id = {}", kApplicationId)));
    TRY(transaction.commit());
  }
  return {};
}

}  // namespace minke::store
