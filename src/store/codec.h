// Conversations as JSON: the rows of the store and its exports have the same fields. Empty fields are left out. Reading refuses
// unknown keys and wrong types.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/json.h"
#include "store/conversation.h"

namespace minke::store {

Json message_to_json(const Message& message);
Result<Message> message_from_json(const Json& value, const std::string& where);

Json head_to_json(const ConversationHead& head);
// `more_key` is allowed and left to the caller: in an export the messages stand beside the head.
Result<ConversationHead> head_from_json(const Json& value, const std::string& where, std::string_view more_key = "");

Json folder_to_json(const Folder& folder);
Result<Folder> folder_from_json(const Json& value, const std::string& where);

// {} for ever, {"days": 30} otherwise
Json retention_to_json(const Retention& retention);
Result<Retention> retention_from_json(const Json& value, const std::string& where);

}  // namespace minke::store
