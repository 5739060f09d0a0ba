#include "store/conversation.h"

#include <sodium.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/utf8.h"
#include "store/crypto/secret.h"

namespace minke::store {
namespace {

constexpr size_t kMaxMessageBytes = size_t{64} << 20;
constexpr size_t kMaxTitleBytes = 4096;
constexpr size_t kMaxSettingsBytes = size_t{64} << 10;
constexpr size_t kMaxExtraDepth = 64;
constexpr std::string_view kRoleNames[] = {"system", "user", "assistant", "tool"};

Status check_text(std::string_view what, std::string_view text, size_t max_bytes) {
  if (text.size() > max_bytes) return error("{}: {} bytes, expected at most {}", what, text.size(), max_bytes);
  if (!utf8_valid(text)) return error("{}: not valid UTF-8", what);
  return {};
}

Status check_object(std::string_view what, std::string& text, size_t max_bytes) {
  TRY(check_text(what, text, max_bytes));
  const Json value = TRY(parse_json(text, what, {.max_depth = kMaxExtraDepth}));
  if (!value.is_object()) return error("{}: expected a JSON object, got {}", what, value.type_name());
  text = dump_json(value);
  return {};
}

Status check_extra(std::string& extra) {
  if (extra.empty()) return {};
  return check_object("extra", extra, kMaxMessageBytes);
}

Status check_number(std::string_view what, double value) {
  if (!std::isfinite(value)) return error("{}: expected a finite number", what);
  return {};
}

}  // namespace

Id Id::random() {
  start_sodium();
  Id id;
  randombytes_buf(id.bytes.data(), id.bytes.size());
  return id;
}

std::optional<Id> Id::parse(std::string_view hex) {
  Id id;
  const auto lower_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (hex.size() != 2 * id.bytes.size() || !std::all_of(hex.begin(), hex.end(), lower_hex)) return std::nullopt;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (size_t i = 0; i < id.bytes.size(); i++) {
    id.bytes[i] = static_cast<std::byte>(digit(hex[2 * i]) * 16 + digit(hex[2 * i + 1]));
  }
  return id;
}

std::string Id::hex() const {
  std::string text;
  for (std::byte b : bytes) text += fmt::format("{:02x}", static_cast<unsigned>(b));
  return text;
}

std::string_view role_name(Role role) { return kRoleNames[static_cast<size_t>(role)]; }

std::optional<Role> role_of(std::string_view name) {
  const auto* found = std::find(std::begin(kRoleNames), std::end(kRoleNames), name);
  if (found == std::end(kRoleNames)) return std::nullopt;
  return static_cast<Role>(found - std::begin(kRoleNames));
}

std::vector<const Message*> path_to(const Conversation& conversation, int64_t number) {
  std::vector<const Message*> path;
  const auto& messages = conversation.messages;
  while (number != 0) {
    const auto found = std::ranges::lower_bound(messages, number, {}, &Message::number);
    if (found == messages.end() || found->number != number) break;
    path.push_back(&*found);
    number = found->parent;  // smaller than `number`, so this ends
  }
  std::ranges::reverse(path);
  return path;
}

Status check_message(Message& message) {
  const Usage& usage = message.usage;
  for (int64_t count : {message.parent, message.created_ms, usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens,
                        usage.reasoning_tokens}) {
    if (count < 0) return error("message: expected no negative parent, time or number of tokens, got {}", count);
  }
  size_t n_bytes = 0;
  const auto add = [&](std::string_view what, std::string_view text) -> Status {
    n_bytes += text.size();
    return check_text(what, text, kMaxMessageBytes);
  };
  TRY(add("content", message.content));
  TRY(add("reasoning", message.reasoning));
  TRY(add("model", message.model));
  TRY(add("finish_reason", message.finish_reason));
  for (const Attachment& attachment : message.attachments) {
    TRY(add("attachments: name", attachment.name));
    TRY(add("attachments: media_type", attachment.media_type));
    TRY(add("attachments: text", attachment.text));
  }
  TRY(check_extra(message.extra));
  n_bytes += message.extra.size();
  if (n_bytes > kMaxMessageBytes) return error("message: {} bytes, expected at most {}", n_bytes, kMaxMessageBytes);
  const Timings& timings = message.timings;
  TRY(check_number("queue_s", timings.queue_s));
  TRY(check_number("prefill_s", timings.prefill_s));
  TRY(check_number("thinking_s", timings.thinking_s));
  TRY(check_number("decode_s", timings.decode_s));
  return check_number("energy_j", timings.energy_j);
}

Status check_settings(std::string& json) { return check_object("settings", json, kMaxSettingsBytes); }

Status check_head(ConversationHead& head) {
  TRY(check_text("title", head.title, kMaxTitleBytes));
  return check_extra(head.extra);
}

Status check_folder(const Folder& folder) {
  TRY(check_text("name", folder.name, kMaxTitleBytes));
  if (!folder.retention || !folder.retention->days) return {};
  const int64_t days = *folder.retention->days;
  if (days < 0 || days > kMaxRetentionDays) {
    return error("retention_days: expected 0 to {} or none, got {}", kMaxRetentionDays, days);
  }
  return {};
}

}  // namespace minke::store
