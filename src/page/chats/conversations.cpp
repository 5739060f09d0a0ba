// The history: lists, single conversations, changes, files.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "page/chats/chats.h"
#include "page/chats/exchange.h"

namespace minke::page {
namespace {

using store::ConversationHead;
using store::Folder;
using store::Id;
using store::Store;

constexpr size_t kMaxHits = 10'000;

FolderNames folder_names(const Store& store) {
  FolderNames names;
  for (const Folder& folder : store.folders()) names[folder.id] = folder.name;
  return names;
}

Result<std::optional<Id>> find_or_make_folder(Store& store, const std::string& name) {
  if (name.empty()) return std::nullopt;
  const std::vector<Folder> folders = store.folders();
  const auto found = std::ranges::find(folders, name, &Folder::name);
  if (found != folders.end()) return found->id;
  return TRY(store.create_folder(name));
}

// A folder is there while something is in it, or a rule of its own.
Status drop_empty_folder(Store& store, const Id& id) {
  for (const ConversationHead& head : store.list()) {
    if (head.folder == id) return {};
  }
  const std::vector<Folder> folders = store.folders();
  const auto found = std::ranges::find(folders, id, &Folder::id);
  if (found == folders.end() || found->retention) return {};
  return store.remove_folder(id);
}

}  // namespace

Outcome<ConversationHead> Chats::head_of(const Store& store, const std::string& id) const {
  const auto parsed = Id::parse(id);
  auto head = parsed ? store.find(*parsed) : std::nullopt;
  if (!head) return refusal(ErrorKind::kNotFound, "there is no conversation with this id", "conversation_not_found");
  return std::move(*head);
}

Outcome<std::string> Chats::list(const server::ConversationQuery& query) {
  const auto used = use();
  if (!used) return tl::unexpected(used.error());
  const Store& store = *used->store;
  std::optional<std::set<Id>> hits;
  if (!query.text.empty()) {
    const auto found = store.search(query.text, kMaxHits);
    if (!found) return failure(found.error());
    hits.emplace();
    for (const store::SearchHit& hit : *found) hits->insert(hit.conversation);
  }
  const auto counts = store.count_messages();
  if (!counts) return failure(counts.error());
  const FolderNames names = folder_names(store);
  Json list = Json::array();
  for (const ConversationHead& head : store.list()) {
    if (hits && !hits->contains(head.id)) continue;
    if (query.archived && head.archived != *query.archived) continue;
    const auto folder = head.folder ? names.find(*head.folder) : names.end();
    if (query.folder && (folder == names.end() || folder->second != *query.folder)) continue;
    const auto count = counts->find(head.id);
    list.push_back(head_json(head, names, count != counts->end() ? count->second : 0));
  }
  return dump_json(Json{{"conversations", std::move(list)}});
}

Outcome<std::string> Chats::get(const std::string& id) {
  const auto used = use();
  if (!used) return tl::unexpected(used.error());
  const auto head = head_of(*used->store, id);
  if (!head) return tl::unexpected(head.error());
  const auto conversation = used->store->load(head->id);
  if (!conversation) return failure(conversation.error());
  return dump_json(conversation_json(*conversation, folder_names(*used->store)));
}

Outcome<store::ConversationChange> Chats::change_of(Store& store, const ConversationHead& head,
                                                    const server::ConversationEdit& edit) {
  store::ConversationChange change;
  change.title = edit.title;
  change.pinned = edit.pinned;
  change.archived = edit.archived;
  if (edit.system) change.extra = with_system(head.extra, *edit.system);
  if (edit.leaf) {
    const auto number = message_number(*edit.leaf);
    if (!number) return refusal(ErrorKind::kInvalid, "leaf: expected the id of a message", "", "leaf");
    // One that is being written becomes the leaf at its end by itself.
    if (!is_pending({head.id, *number})) change.current = *number;
  }
  if (edit.folder) {
    const auto folder = find_or_make_folder(store, *edit.folder);
    if (!folder) return failure(folder.error(), ErrorKind::kInvalid);
    change.folder = *folder;
  }
  return change;
}

Outcome<std::string> Chats::edit(const std::string& id, const server::ConversationEdit& edit) {
  const auto used = use();
  if (!used) return tl::unexpected(used.error());
  Store& store = *used->store;
  const std::lock_guard guard(edit_);
  const auto head = head_of(store, id);
  if (!head) return tl::unexpected(head.error());
  const auto change = change_of(store, *head, edit);
  if (!change) return tl::unexpected(change.error());
  if (const auto done = store.change(head->id, *change); !done) return failure(done.error(), ErrorKind::kInvalid);
  if (change->folder && head->folder && *change->folder != head->folder) {
    if (const auto done = drop_empty_folder(store, *head->folder); !done) return failure(done.error());
  }
  return std::string("{}");
}

Outcome<std::string> Chats::remove(const std::string& id) {
  const auto used = use();
  if (!used) return tl::unexpected(used.error());
  Store& store = *used->store;
  const std::lock_guard guard(edit_);
  // One whose bytes are damaged has no head and can be removed all the same.
  const auto parsed = Id::parse(id);
  const bool is_damaged = parsed && std::ranges::count(store.damaged(), *parsed) > 0;
  const auto head = head_of(store, id);
  if (!head && !is_damaged) return tl::unexpected(head.error());
  if (const auto done = store.remove({&*parsed, 1}); !done) return failure(done.error());
  if (const auto told = tell_deleted(); !told) return tl::unexpected(told.error());
  if (head && head->folder) {
    if (const auto done = drop_empty_folder(store, *head->folder); !done) return failure(done.error());
  }
  return std::string("{}");
}

Outcome<std::string> Chats::export_one(const std::string& id, const std::string& format) {
  const auto used = use();
  if (!used) return tl::unexpected(used.error());
  const auto head = head_of(*used->store, id);
  if (!head) return tl::unexpected(head.error());
  auto text = format == "markdown" ? conversation_markdown(*used->store, head->id) : conversation_file(*used->store, head->id);
  if (!text) return failure(text.error());
  return std::move(*text);
}

Outcome<std::string> Chats::import(const std::string& text) {
  const auto used = use();
  if (!used) return tl::unexpected(used.error());
  const std::lock_guard guard(edit_);
  const auto report = import_text(*used->store, text);
  if (!report) return failure(report.error(), ErrorKind::kInvalid, "import");
  Json ids = Json::array();
  for (const Id& id : report->added) ids.push_back(id.hex());
  return dump_json(Json{{"imported", report->added.size()}, {"ids", std::move(ids)}});
}

}  // namespace minke::page
