// What a Store holds behind its mutex.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "store/folder_files.h"
#include "store/rows.h"
#include "store/store.h"

namespace minke::store {

constexpr const char* kDatabaseName = "chats.sqlite";
constexpr const char* kDerivedFolder = "derived";
constexpr const char* kPagesFolder = "pages";

struct Store::State {
  State(std::string folder_path, StoreOptions given, FolderLock held, Rows opened)
      : folder(std::move(folder_path)), options(std::move(given)), lock(std::move(held)), rows(std::move(opened)) {}

  std::string folder;
  StoreOptions options;
  FolderLock lock;
  std::mutex mutex;  // guards all that follows
  Rows rows;
  std::map<Id, ConversationHead> heads;
  std::map<Id, Folder> folders;
  std::map<Id, Conversation> temporary;
  Retention retention;
  std::string settings;  // of the caller
  std::vector<Id> damaged;

  int64_t now() const;
  std::string derived_path(const Id& file) const { return folder + "/" + kDerivedFolder + "/" + file.hex(); }
  bool is_kept(const Id& id) const { return heads.contains(id); }
  // A copy, temporary ones too.
  Result<ConversationHead> head(const Id& id) const;
  Result<Conversation> load(const Id& id);
  Result<bool> has_message(const ConversationHead& head, int64_t number);
  Retention rule_of(const std::optional<Id>& folder_id) const;
  Status check_folder_exists(const std::optional<Id>& id) const;
  // Deletes in one transaction; the file is cleaned by clean_if_needed(). Ids must be kept or damaged ones.
  Status delete_rows(std::span<const Id> ids);
  void remove_files(std::span<const Id> files) const;
  // All pages: nobody knows from which text they were made.
  Status remove_pages() const;
  Status clean_if_needed();
  // Deletes what is too old, as delete_rows() does, and blobs of no conversation.
  Result<int64_t> sweep();
  Status sweep_derived();
  // Files that no row names any more.
  Status remove_orphans();
};

}  // namespace minke::store
