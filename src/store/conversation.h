// What a store keeps: conversations whose messages form a tree. A message that is edited or answered again gets a sibling, so
// nothing that was said is overwritten.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace minke::store {

// 16 random bytes, written as 32 hex digits.
struct Id {
  std::array<std::byte, 16> bytes{};
  static Id random();
  static std::optional<Id> parse(std::string_view hex);
  std::string hex() const;
  auto operator<=>(const Id&) const = default;
};

enum class Role { kSystem, kUser, kAssistant, kTool };
std::string_view role_name(Role role);  // "system", "user", "assistant", "tool"
std::optional<Role> role_of(std::string_view name);

struct Attachment {
  std::string name;
  std::string media_type;
  std::string text;
  bool operator==(const Attachment&) const = default;
};

struct Usage {
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;  // of the prompt
  int64_t completion_tokens = 0;
  int64_t reasoning_tokens = 0;  // of the completion
  bool operator==(const Usage&) const = default;
};

struct Timings {
  double queue_s = 0;
  double prefill_s = 0;
  double thinking_s = 0;
  double decode_s = 0;  // thinking included
  double energy_j = 0;
  bool operator==(const Timings&) const = default;
};

struct Message {
  int64_t number = 0;  // from 1 within its conversation; given by the store, never used twice
  int64_t parent = 0;  // the message that this one follows; 0: it opens the conversation
  Role role = Role::kUser;
  std::string content;
  std::string reasoning;
  std::string model;
  std::string finish_reason;
  int64_t created_ms = 0;  // since 1970, UTC; given by the store when 0
  Usage usage;
  Timings timings;
  std::vector<Attachment> attachments;
  // Whatever else the caller keeps (tool calls, verdicts): text of a JSON object, or empty. Kept as a value: spaces change.
  std::string extra;
  bool operator==(const Message&) const = default;
};

struct ConversationHead {
  Id id;
  std::string title;
  std::optional<Id> folder;
  bool pinned = false;
  bool archived = false;
  bool temporary = false;  // in memory only
  int64_t created_ms = 0;
  int64_t updated_ms = 0;   // when the last message came; retention counts from here
  int64_t current = 0;      // the last message of the branch that is shown; 0 while there is none
  int64_t last_number = 0;  // the highest number that a message ever had
  std::string extra;        // as that of a message: sampling, budgets
  bool operator==(const ConversationHead&) const = default;
};

struct Conversation {
  ConversationHead head;
  std::vector<Message> messages;  // by number, so parents come before children
  std::vector<int64_t> damaged;   // numbers of messages whose bytes do not open any more
};

// From the opening message down to `number`; cut at the front where a message is damaged.
std::vector<const Message*> path_to(const Conversation& conversation, int64_t number);

// How long chats are kept after their last message. 0 days: new conversations are temporary, and what there is goes at the next
// sweep.
struct Retention {
  std::optional<int64_t> days;  // none: for ever
  bool operator==(const Retention&) const = default;
};
constexpr int64_t kMaxRetentionDays = 36'500;

struct Folder {
  Id id;
  std::string name;
  std::optional<Retention> retention;  // none: the store's
  bool operator==(const Folder&) const = default;
};

// UTF-8, a JSON object, at most 64 KiB; becomes its canonical text.
Status check_settings(std::string& json);
// UTF-8 throughout, finite numbers, sizes within limits, `extra` a JSON object. `extra` gets its canonical text.
Status check_message(Message& message);
Status check_head(ConversationHead& head);
Status check_folder(const Folder& folder);

}  // namespace minke::store
