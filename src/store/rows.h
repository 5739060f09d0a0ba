// The encrypted tables of a store. Each conversation has a random key, wrapped by the store's; its head and messages are sealed
// with it and bound to their place. Callers see to it that one thread at a time is in here.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "sqlite/database.h"
#include "store/conversation.h"
#include "store/crypto/cipher.h"
#include "store/crypto/key.h"

namespace minke::store {

// The lock of a file that may not have one yet: then none.
Result<std::optional<LockedMaster>> read_lock(sqlite::Database& db);
Status write_lock(sqlite::Database& db, const LockedMaster& locked);

// What a store that is opened finds.
struct Contents {
  std::vector<ConversationHead> heads;
  std::vector<Folder> folders;
  Retention retention;
  std::string settings;     // of the caller; empty: none
  std::vector<Id> damaged;  // conversations and folders whose bytes do not open
};

struct DerivedRow {
  Id id;
  std::optional<Id> conversation;
  Id file;
  std::string kind;
  int64_t created_ms = 0;
};

class Rows {
 public:
  Rows(sqlite::Database db, Secret master);

  sqlite::Database& db() { return db_; }
  const Secret& master() const { return master_; }

  Result<Contents> read_all();
  Status write_state(const Retention& retention, const std::string& settings);
  Status write_folder(const Folder& folder);
  Status remove_folder(const Id& id);

  Result<Secret> conversation_key(const Id& id);
  // Gives the conversation its key.
  Result<Secret> insert_conversation(const ConversationHead& head);
  Status write_head(const ConversationHead& head, const Secret& key);
  // Also marks the file for cleaning; the derived files are the caller's.
  Status remove_conversation(const Id& id);

  Status insert_message(const Id& conversation, const Message& message, const Secret& key);
  Result<std::map<Id, int64_t>> count_messages();
  Result<bool> has_message(const Id& conversation, int64_t number);
  Status remove_message(const Id& conversation, int64_t number);
  // The JSON text of each message in the order of numbers; none when it does not open.
  using Visitor = std::function<Status(int64_t number, const std::string* body)>;
  Status each_message(const Id& conversation, const Visitor& visit);
  Result<Conversation> read_conversation(const ConversationHead& head);

  // The name of a derived blob: tells nothing without the store's key.
  Id derived_id(const std::optional<Id>& conversation, std::string_view kind, std::string_view name) const;
  // The key that wraps a blob's own: the conversation's, or the store's for blobs of no conversation.
  Result<Secret> derived_owner_key(const std::optional<Id>& conversation);
  // For the files in the folder of pages.
  Secret pages_key() const;
  Status write_derived(const DerivedRow& row, const Secret& blob_key, const Secret& owner_key);
  struct DerivedPlace {
    Id file;
    Secret blob_key;
  };
  Result<std::optional<DerivedPlace>> find_derived(const Id& id, const Secret& owner_key);
  // Does not mark the file for cleaning: caches make room all the time.
  Status remove_derived(const Id& id);
  Status remove_derived_of(const Id& conversation);
  // Rows that do not open are left out.
  Result<std::vector<DerivedRow>> all_derived();
  Result<std::vector<Id>> derived_files(const std::optional<Id>& of_conversation = std::nullopt);

  // Until clean() has run, deleted bytes may still stand in unused parts of the file.
  Status mark_for_cleaning();
  Result<bool> needs_cleaning();
  // Writes the file anew without what was deleted and empties the write-ahead log.
  Status clean();

 private:
  sqlite::Database db_;
  Secret master_;
  Secret wrapping_;  // wraps keys of conversations
  Secret records_;   // seals settings and folders
  Secret derived_;   // names derived blobs, and wraps the keys of those of no conversation
};

}  // namespace minke::store
