// Conversations as the page reads them (docs/server.md). Ids are strings: of a conversation its hex digits, of a message its
// number.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "store/conversation.h"

namespace minke::page {

// "2026-01-31T23:59:59.123Z"
std::string time_text(int64_t ms_since_1970);

// None for what is no number from 1 up.
std::optional<int64_t> message_number(std::string_view id);

using FolderNames = std::map<store::Id, std::string>;

Json head_json(const store::ConversationHead& head, const FolderNames& folders, int64_t n_messages);
// With the messages, the leaf and the system prompt.
Json conversation_json(const store::Conversation& conversation, const FolderNames& folders);

// The system prompt lies in the head's extra; empty: none.
std::string system_of(const store::ConversationHead& head);
std::string with_system(const std::string& extra, const std::string& system);

// What a reply cost, into a message and out of it. An empty text is none.
void put_figures(store::Message& message, const std::string& usage_json, const std::string& timings_json);

// The first line of what was said, as a title.
std::string title_of(std::string_view text);

}  // namespace minke::page
