#include "store/codec.h"

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "store/fields.h"

namespace minke::store {
namespace {

void put(Json& out, const char* key, const std::string& text) {
  if (!text.empty()) out[key] = text;
}
void put(Json& out, const char* key, int64_t value) {
  if (value != 0) out[key] = value;
}
void put(Json& out, const char* key, double value) {
  if (value != 0) out[key] = value;
}
void put(Json& out, const char* key, bool value) {
  if (value) out[key] = true;
}

// An object only when something is in it.
void put(Json& out, const char* key, Json object) {
  if (!object.empty()) out[key] = std::move(object);
}

void put_extra(Json& out, const std::string& extra) {
  if (extra.empty()) return;
  auto value = parse_json(extra, "extra");
  CHECK(value.has_value(), "unchecked extra: {}", value.error().message);
  out["extra"] = std::move(*value);
}

Status read_extra(Fields& fields, std::string& out) {
  if (const Json* value = fields.find("extra")) out = dump_json(*value);
  return {};
}

Json usage_to_json(const Usage& usage) {
  Json out = Json::object();
  put(out, "prompt_tokens", usage.prompt_tokens);
  put(out, "cached_tokens", usage.cached_tokens);
  put(out, "completion_tokens", usage.completion_tokens);
  put(out, "reasoning_tokens", usage.reasoning_tokens);
  return out;
}

Result<Usage> usage_from_json(const Json& value, const std::string& where) {
  Usage usage;
  Fields fields = TRY(Fields::of(value, where));
  TRY(fields.read("prompt_tokens", usage.prompt_tokens));
  TRY(fields.read("cached_tokens", usage.cached_tokens));
  TRY(fields.read("completion_tokens", usage.completion_tokens));
  TRY(fields.read("reasoning_tokens", usage.reasoning_tokens));
  TRY(fields.finish());
  return usage;
}

Json timings_to_json(const Timings& timings) {
  Json out = Json::object();
  put(out, "queue_s", timings.queue_s);
  put(out, "prefill_s", timings.prefill_s);
  put(out, "thinking_s", timings.thinking_s);
  put(out, "decode_s", timings.decode_s);
  put(out, "energy_j", timings.energy_j);
  return out;
}

Result<Timings> timings_from_json(const Json& value, const std::string& where) {
  Timings timings;
  Fields fields = TRY(Fields::of(value, where));
  TRY(fields.read("queue_s", timings.queue_s));
  TRY(fields.read("prefill_s", timings.prefill_s));
  TRY(fields.read("thinking_s", timings.thinking_s));
  TRY(fields.read("decode_s", timings.decode_s));
  TRY(fields.read("energy_j", timings.energy_j));
  TRY(fields.finish());
  return timings;
}

Result<std::vector<Attachment>> attachments_from_json(const Json& value, const std::string& where) {
  if (!value.is_array()) return error("{}: expected a list, got {}", where, value.type_name());
  std::vector<Attachment> attachments;
  for (const Json& item : value) {
    Attachment& attachment = attachments.emplace_back();
    Fields fields = TRY(Fields::of(item, fmt::format("{}[{}]", where, attachments.size() - 1)));
    TRY(fields.read("name", attachment.name));
    TRY(fields.read("media_type", attachment.media_type));
    TRY(fields.read("text", attachment.text));
    TRY(fields.finish());
  }
  return attachments;
}

}  // namespace

Json message_to_json(const Message& message) {
  Json out = Json::object();
  out["number"] = message.number;
  put(out, "parent", message.parent);
  out["role"] = role_name(message.role);
  put(out, "created_ms", message.created_ms);
  put(out, "model", message.model);
  put(out, "reasoning", message.reasoning);
  put(out, "content", message.content);
  put(out, "finish_reason", message.finish_reason);
  put(out, "usage", usage_to_json(message.usage));
  put(out, "timings", timings_to_json(message.timings));
  Json attachments = Json::array();
  for (const Attachment& attachment : message.attachments) {
    Json& item = attachments.emplace_back(Json::object());
    put(item, "name", attachment.name);
    put(item, "media_type", attachment.media_type);
    put(item, "text", attachment.text);
  }
  put(out, "attachments", std::move(attachments));
  put_extra(out, message.extra);
  return out;
}

Result<Message> message_from_json(const Json& value, const std::string& where) {
  Message message;
  Fields fields = TRY(Fields::of(value, where));
  std::string role;
  TRY(fields.read("number", message.number));
  TRY(fields.read("parent", message.parent));
  TRY(fields.read("role", role));
  TRY(fields.read("created_ms", message.created_ms));
  TRY(fields.read("model", message.model));
  TRY(fields.read("reasoning", message.reasoning));
  TRY(fields.read("content", message.content));
  TRY(fields.read("finish_reason", message.finish_reason));
  if (const Json* usage = fields.find("usage")) message.usage = TRY(usage_from_json(*usage, where + ": usage"));
  if (const Json* timings = fields.find("timings")) message.timings = TRY(timings_from_json(*timings, where + ": timings"));
  if (const Json* attachments = fields.find("attachments")) {
    message.attachments = TRY(attachments_from_json(*attachments, where + ": attachments"));
  }
  TRY(read_extra(fields, message.extra));
  TRY(fields.finish());
  const auto known_role = role_of(role);
  if (!known_role) return error("{}: role: expected system, user, assistant or tool, got \"{}\"", where, role);
  message.role = *known_role;
  if (message.number < 1 || message.parent >= message.number) {
    return error("{}: expected a number from 1 up and a smaller parent, got number {} and parent {}", where, message.number,
                 message.parent);
  }
  TRY_IN(where, check_message(message));
  return message;
}

Json head_to_json(const ConversationHead& head) {
  Json out = Json::object();
  out["id"] = head.id.hex();
  put(out, "title", head.title);
  if (head.folder) out["folder"] = head.folder->hex();
  put(out, "pinned", head.pinned);
  put(out, "archived", head.archived);
  put(out, "created_ms", head.created_ms);
  put(out, "updated_ms", head.updated_ms);
  put(out, "current", head.current);
  put(out, "last_number", head.last_number);
  put_extra(out, head.extra);
  return out;
}

Result<ConversationHead> head_from_json(const Json& value, const std::string& where, std::string_view more_key) {
  ConversationHead head;
  Fields fields = TRY(Fields::of(value, where));
  head.id = TRY(fields.id("id"));
  TRY(fields.read("title", head.title));
  TRY(fields.read("folder", head.folder));
  TRY(fields.read("pinned", head.pinned));
  TRY(fields.read("archived", head.archived));
  TRY(fields.read("created_ms", head.created_ms));
  TRY(fields.read("updated_ms", head.updated_ms));
  TRY(fields.read("current", head.current));
  TRY(fields.read("last_number", head.last_number));
  TRY(read_extra(fields, head.extra));
  TRY(fields.finish(more_key));
  TRY_IN(where, check_head(head));
  return head;
}

Json retention_to_json(const Retention& retention) {
  Json out = Json::object();
  if (retention.days) out["days"] = *retention.days;
  return out;
}

Result<Retention> retention_from_json(const Json& value, const std::string& where) {
  Fields fields = TRY(Fields::of(value, where));
  int64_t days = -1;
  TRY(fields.read("days", days));
  TRY(fields.finish());
  if (days > kMaxRetentionDays) return error("{}: days: expected at most {}, got {}", where, kMaxRetentionDays, days);
  if (days < 0) return Retention();
  return Retention{days};
}

Json folder_to_json(const Folder& folder) {
  Json out = Json::object();
  out["id"] = folder.id.hex();
  put(out, "name", folder.name);
  if (folder.retention) out["retention"] = retention_to_json(*folder.retention);
  return out;
}

Result<Folder> folder_from_json(const Json& value, const std::string& where) {
  Folder folder;
  Fields fields = TRY(Fields::of(value, where));
  folder.id = TRY(fields.id("id"));
  TRY(fields.read("name", folder.name));
  if (const Json* retention = fields.find("retention")) {
    folder.retention = TRY(retention_from_json(*retention, where + ": retention"));
  }
  TRY(fields.finish());
  TRY_IN(where, check_folder(folder));
  return folder;
}

}  // namespace minke::store
