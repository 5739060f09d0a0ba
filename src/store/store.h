// The store of chats: one folder, encrypted, that keeps conversations, their folders, and whatever else was made from them.
// docs/privacy.md says which bytes stand where.
//
// Threads: every member function may be called from any thread at any time. One mutex serialises them, so callers with an event
// loop call from a pool of threads. What they cost: reading a conversation, its size; writing, one or two syncs of the disk;
// deleting, writing the whole database anew; search, opening every message, with the mutex given back after each conversation.
// A call that returned without an error is on the disk: no kill and, where the disk keeps its word, no power cut loses it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "store/conversation.h"
#include "store/crypto/key.h"

namespace minke::store {

struct StoreOptions {
  KeyCost cost = {};                          // of a passphrase that is set
  std::function<int64_t()> now_ms = nullptr;  // the system's clock when empty
};

// None of the fields that are not set change.
struct ConversationChange {
  std::optional<std::string> title = std::nullopt;
  std::optional<std::optional<Id>> folder = std::nullopt;
  std::optional<bool> pinned = std::nullopt;
  std::optional<bool> archived = std::nullopt;
  std::optional<int64_t> current = std::nullopt;  // a message that is there, or 0
  std::optional<std::string> extra = std::nullopt;
};

struct SearchHit {
  Id conversation;
  std::string title;
  int64_t message = 0;  // 0: the title
  std::string snippet;
};

// Where pages of a model's cache of chats may be written, and the key to encrypt them with.
struct PagesPlace {
  std::string folder;
  Secret key;
};

struct StoredFile {
  std::string path;
  uint64_t n_bytes = 0;
};

// Conversations apart from any store; see transfer/.
struct Archive {
  std::vector<Folder> folders;
  std::vector<Conversation> conversations;
};

struct ImportReport {
  std::vector<Id> added;  // ids that were taken are replaced by new ones
  int64_t n_same = 0;     // already there, equal in everything
};

class Store {
 public:
  // Which kind of key opens the store in this folder; none when there is no store.
  static Result<std::optional<KeyKind>> key_kind(const std::string& folder);
  static Result<std::unique_ptr<Store>> create(const std::string& folder, const Key& key, StoreOptions options = {});
  // A null pointer when the key is wrong; an error when the files are damaged, in use, or not a store. Finishes what a kill cut
  // short, then removes what is older than the retention allows.
  static Result<std::unique_ptr<Store>> open(const std::string& folder, const Key& key, StoreOptions options = {});
  // Every file of the store in this folder, whoever has it open; needs no key.
  static std::vector<StoredFile> stored_files(const std::string& folder);
  // Overwrites and removes all files of a store, the key record first; needs no key. Refuses a folder with other files in it.
  static Status shred(const std::string& folder);
  ~Store();

  // The chats are not written again: the new key wraps the same master key.
  Status change_key(const Key& key);
  // Conversations and folders whose bytes do not open any more. They stay in the file until they are removed.
  std::vector<Id> damaged() const;

  // Temporary conversations live in memory until the store goes; so does every new one while the retention is 0 days.
  Result<ConversationHead> create_conversation(const std::string& title, const std::optional<Id>& folder, bool temporary);
  // Pinned ones first, then by the time of the last message, newest first; archived and temporary ones too.
  std::vector<ConversationHead> list() const;
  std::optional<ConversationHead> find(const Id& id) const;
  // How many messages each conversation has.
  Result<std::map<Id, int64_t>> count_messages() const;
  Result<Conversation> load(const Id& id) const;
  Status change(const Id& id, const ConversationChange& change);
  // Adds a message under message.parent and makes it the current one. Returns its number.
  Result<int64_t> append(const Id& id, Message message);
  // The number of a message that is appended later with it in message.number; others are numbered behind it.
  Result<int64_t> reserve(const Id& id);
  // Deletes for ever: keys first, then the file is written anew without them. Ids that are not there are an error, before
  // anything is deleted.
  Status remove(std::span<const Id> ids);
  // The same for a message and all that follow from it.
  Status remove_branch(const Id& id, int64_t number);

  std::vector<Folder> folders() const;
  Result<Id> create_folder(const std::string& name);
  Status change_folder(const Folder& folder);
  // Its conversations stay, in no folder.
  Status remove_folder(const Id& id);

  Retention retention() const;
  Status set_retention(const Retention& retention);
  // Deletes what is older than the retention allows, pinned or not; returns how many conversations. Call it every hour or so.
  Result<int64_t> sweep();

  // A JSON object of the caller's own, such as the settings of a page; empty when there is none. Kept sealed, and for ever.
  std::string settings() const;
  Status set_settings(std::string_view json);

  // Conversations in which every word of the query occurs, as part of any text; newest first, one hit for each. Case and the
  // two ways to write Hangul and accents make no difference.
  Result<std::vector<SearchHit>> search(std::string_view query, size_t limit) const;

  // Everything, or the conversations named, with the folders that they are in.
  Result<Archive> collect() const;
  Result<Archive> collect(std::span<const Id> ids) const;
  // All of it or, on an error, nothing.
  Result<ImportReport> insert(Archive archive);

  // Bytes that others make from chats: a KV cache, logs. They are encrypted. What was made from one conversation must name it,
  // and goes with it, or when a branch of it is removed; the rest goes after the store's retention. Putting a blob of the same
  // kind and name replaces it.
  Status put_derived(const std::optional<Id>& conversation, std::string_view kind, std::string_view name,
                     std::span<const std::byte> bytes);
  // None when there is none.
  Result<std::optional<std::string>> get_derived(const std::optional<Id>& conversation, std::string_view kind,
                                                 std::string_view name) const;
  Status remove_derived(const std::optional<Id>& conversation, std::string_view kind, std::string_view name);
  // Removes those that were not used for longest until all of the kind have at most max_bytes.
  Status trim_derived(std::string_view kind, uint64_t max_bytes);

  // For files made of many conversations at once, so often that the database is not asked: whoever uses the place makes and
  // bounds them. The store removes all of them whenever text of a conversation is deleted, and names them as its own. The user
  // is to be told of a deletion, too, so as not to write more of it. None while the retention is 0 days.
  std::optional<PagesPlace> pages_place() const;

 private:
  struct State;
  explicit Store(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// $MINKE_HOME/chats, else $XDG_DATA_HOME/minke/chats, else ~/.local/share/minke/chats.
Result<std::string> default_folder();
// Where the key file of the default folder is, apart from it, so that copies of one are not copies of both:
// $MINKE_HOME/chats.key, else $XDG_CONFIG_HOME/minke/chats.key, else ~/.config/minke/chats.key.
Result<std::string> default_key_file();

}  // namespace minke::store
