// Conversations out of a store and into it.
#include <algorithm>
#include <set>

#include "store/state.h"
#include "store/store.h"
#include "store/transfer/archive.h"

namespace minke::store {

Result<Archive> Store::collect() const {
  std::vector<Id> ids;
  for (const ConversationHead& head : list()) {
    if (!head.temporary) ids.push_back(head.id);
  }
  return collect(ids);
}

Result<Archive> Store::collect(std::span<const Id> ids) const {
  Archive archive;
  std::set<Id> wanted_folders;
  const std::lock_guard guard(state_->mutex);
  for (const Id& id : ids) {
    Conversation conversation = TRY(state_->load(id));
    ConversationHead& head = conversation.head;
    // What is damaged cannot be referred to.
    if (head.folder && !state_->folders.contains(*head.folder)) head.folder.reset();
    if (head.folder) wanted_folders.insert(*head.folder);
    const auto& messages = conversation.messages;
    const bool has_current = head.current == 0 || std::ranges::count(messages, head.current, &Message::number) > 0;
    if (!has_current) head.current = messages.empty() ? 0 : messages.back().number;
    archive.conversations.push_back(std::move(conversation));
  }
  for (const Id& id : wanted_folders) archive.folders.push_back(state_->folders.at(id));
  return archive;
}

Result<ImportReport> Store::insert(Archive archive) {
  TRY(check_archive(archive));
  const std::lock_guard guard(state_->mutex);
  Rows& rows = state_->rows;
  ImportReport report;
  sqlite::Transaction transaction = TRY(sqlite::Transaction::begin(rows.db()));
  std::vector<Folder> new_folders;
  for (Folder& folder : archive.folders) {
    if (state_->folders.contains(folder.id)) continue;
    TRY(check_folder(folder));
    TRY(rows.write_folder(folder));
    new_folders.push_back(std::move(folder));
  }
  std::vector<ConversationHead> new_heads;
  for (Conversation& conversation : archive.conversations) {
    ConversationHead& head = conversation.head;
    head.temporary = false;
    TRY(check_head(head));
    if (state_->is_kept(head.id)) {
      const Conversation there = TRY(state_->load(head.id));
      if (there.head == head && there.messages == conversation.messages) {
        report.n_same++;
        continue;
      }
    }
    const bool taken = state_->is_kept(head.id) || state_->temporary.contains(head.id) ||
                       std::ranges::find(state_->damaged, head.id) != state_->damaged.end();
    if (taken) head.id = Id::random();
    const Secret key = TRY(rows.insert_conversation(head));
    for (Message& message : conversation.messages) {
      TRY(check_message(message));
      TRY(rows.insert_message(head.id, message, key));
    }
    report.added.push_back(head.id);
    new_heads.push_back(head);
  }
  TRY(transaction.commit());
  for (Folder& folder : new_folders) {
    std::erase(state_->damaged, folder.id);
    state_->folders[folder.id] = std::move(folder);
  }
  for (ConversationHead& head : new_heads) state_->heads[head.id] = std::move(head);
  return report;
}

}  // namespace minke::store
