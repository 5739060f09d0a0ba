#include "store/transfer/archive.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "store/codec.h"
#include "store/fields.h"

namespace minke::store {
namespace {

constexpr std::string_view kFormat = "minke-chats";
constexpr int64_t kVersion = 1;

// A list that may be missing.
Result<const Json*> list_of(Fields& fields, const char* key) {
  static const Json kNone = Json::array();
  const Json* list = fields.find(key);
  if (list == nullptr) return &kNone;
  if (!list->is_array()) return error("{}: {}: expected a list, got {}", fields.where(), key, list->type_name());
  return list;
}

Result<Conversation> conversation_from_json(const Json& value, const std::string& where) {
  Conversation conversation;
  conversation.head = TRY(head_from_json(value, where, "messages"));
  Fields fields = TRY(Fields::of(value, where));
  const Json* messages = TRY(list_of(fields, "messages"));
  for (const Json& message : *messages) {
    const std::string place = fmt::format("{}: messages[{}]", where, conversation.messages.size());
    conversation.messages.push_back(TRY(message_from_json(message, place)));
  }
  return conversation;
}

Status check_conversation(const Conversation& conversation) {
  const ConversationHead& head = conversation.head;
  const std::string where = fmt::format("conversation {}", head.id.hex());
  int64_t last = 0;
  bool has_current = head.current == 0;
  for (const Message& message : conversation.messages) {
    if (message.number <= last) {
      return error("{}: messages: expected rising numbers, got {} after {}", where, message.number, last);
    }
    if (message.parent < 0 || message.parent >= message.number) {
      return error("{}: message {}: expected a parent with a smaller number, got {}", where, message.number, message.parent);
    }
    last = message.number;
    has_current |= message.number == head.current;
  }
  if (head.last_number < last) return error("{}: last_number: expected at least {}, got {}", where, last, head.last_number);
  if (!has_current) return error("{}: current: there is no message {}", where, head.current);
  return {};
}

}  // namespace

Status check_archive(const Archive& archive) {
  std::set<Id> folders;
  for (const Folder& folder : archive.folders) {
    if (!folders.insert(folder.id).second) return error("folder {}: is there twice", folder.id.hex());
  }
  std::set<Id> conversations;
  for (const Conversation& conversation : archive.conversations) {
    const ConversationHead& head = conversation.head;
    if (!conversations.insert(head.id).second) return error("conversation {}: is there twice", head.id.hex());
    if (head.folder && !folders.contains(*head.folder)) {
      return error("conversation {}: folder: there is none with the id {}", head.id.hex(), head.folder->hex());
    }
    TRY(check_conversation(conversation));
  }
  return {};
}

std::string write_archive_json(const Archive& archive) {
  Json out = Json::object();
  out["format"] = kFormat;
  out["version"] = kVersion;
  Json& folders = out["folders"] = Json::array();
  for (const Folder& folder : archive.folders) folders.push_back(folder_to_json(folder));
  Json& conversations = out["conversations"] = Json::array();
  for (const Conversation& conversation : archive.conversations) {
    Json& item = conversations.emplace_back(head_to_json(conversation.head));
    Json& messages = item["messages"] = Json::array();
    for (const Message& message : conversation.messages) messages.push_back(message_to_json(message));
  }
  return dump_json(out, 1) + "\n";
}

Result<Archive> read_archive_json(std::string_view text, const std::string& where) {
  const Json root = TRY(parse_json(text, where));
  Fields fields = TRY(Fields::of(root, where));
  std::string format;
  int64_t version = 0;
  TRY(fields.read("format", format));
  TRY(fields.read("version", version));
  if (format != kFormat) return error("{}: format: expected \"{}\", got \"{}\"", where, kFormat, format);
  if (version != kVersion) return error("{}: version: expected {}, got {}: update minke", where, kVersion, version);
  Archive archive;
  const Json* folders = TRY(list_of(fields, "folders"));
  for (const Json& folder : *folders) {
    const std::string place = fmt::format("{}: folders[{}]", where, archive.folders.size());
    archive.folders.push_back(TRY(folder_from_json(folder, place)));
  }
  const Json* conversations = TRY(list_of(fields, "conversations"));
  for (const Json& conversation : *conversations) {
    const std::string place = fmt::format("{}: conversations[{}]", where, archive.conversations.size());
    archive.conversations.push_back(TRY(conversation_from_json(conversation, place)));
  }
  TRY(fields.finish());
  TRY_IN(where, check_archive(archive));
  return archive;
}

}  // namespace minke::store
