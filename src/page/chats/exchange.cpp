#include "page/chats/exchange.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "store/transfer/archive.h"

namespace minke::page {
namespace {

using store::Archive;
using store::Folder;
using store::Id;

constexpr const char* kWhere = "import";

// The folder of a conversation by name: that of the store, or of an earlier conversation of this import, or a new one.
std::string folder_id(const std::string& name, const std::vector<Folder>& known, Json& folders) {
  const auto same = [&](const Json& folder) { return folder["name"] == name; };
  if (const auto found = std::find_if(folders.begin(), folders.end(), same); found != folders.end()) return (*found)["id"];
  const auto there = std::ranges::find(known, name, &Folder::name);
  const std::string id = (there != known.end() ? there->id : Id::random()).hex();
  folders.push_back({{"id", id}, {"name", name}});
  return id;
}

// Single conversations as the archive that the store reads.
Result<std::string> as_archive(Json value, const std::vector<Folder>& known) {
  Json folders = Json::array();
  Json conversations = Json::array();
  if (auto list = value.find("conversations"); list != value.end()) {
    if (!list->is_array()) return error("{}: conversations: expected a list, got {}", kWhere, list->type_name());
    conversations = std::move(*list);
  } else {
    conversations.push_back(std::move(value));
  }
  for (Json& conversation : conversations) {
    if (!conversation.is_object()) continue;  // the store says what is wrong
    const auto folder = conversation.find("folder");
    if (folder == conversation.end() || !folder->is_string()) continue;
    *folder = folder_id(folder->get<std::string>(), known, folders);
  }
  return dump_json(Json{{"format", "minke-chats"}, {"version", 1}, {"folders", folders}, {"conversations", conversations}});
}

Result<Archive> read_text(const store::Store& store, std::string_view text) {
  if (text.starts_with("<!--")) return store::read_archive_markdown(text, kWhere);
  Json value = TRY(parse_json(text, kWhere));
  if (!value.is_object()) return error("{}: expected an object, got {}", kWhere, value.type_name());
  if (value.contains("format")) return store::read_archive_json(text, kWhere);
  const std::string archive = TRY(as_archive(std::move(value), store.folders()));
  return store::read_archive_json(archive, kWhere);
}

}  // namespace

Result<std::string> conversation_file(const store::Store& store, const Id& id) {
  const Archive archive = TRY(store.collect({&id, 1}));
  const Json whole = TRY(parse_json(store::write_archive_json(archive), "export"));
  Json conversation = whole["conversations"][0];
  if (conversation.contains("folder")) conversation["folder"] = archive.folders.at(0).name;
  return dump_json(conversation, 1) + "\n";
}

Result<std::string> conversation_markdown(const store::Store& store, const Id& id) {
  return store::write_archive_markdown(TRY(store.collect({&id, 1})));
}

Result<store::ImportReport> import_text(store::Store& store, std::string_view text) {
  return store.insert(TRY(read_text(store, text)));
}

}  // namespace minke::page
