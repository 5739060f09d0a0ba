#include "page/chats/shapes.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace minke::page {
namespace {

using store::ConversationHead;
using store::Message;

constexpr const char* kSystem = "system";
constexpr const char* kTimings = "timings";
constexpr size_t kMaxTitleCharacters = 60;

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }
Json id_or_null(int64_t number) { return number == 0 ? Json(nullptr) : Json(std::to_string(number)); }

// An object, empty when the text is none.
Json object_of(const std::string& text) {
  auto value = parse_json(text, "extra");
  return value && value->is_object() ? std::move(*value) : Json::object();
}

// OpenAI's names, with DeepSeek's for the cache.
Json usage_json(const store::Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_cache_hit_tokens", usage.cached_tokens},
          {"prompt_cache_miss_tokens", usage.prompt_tokens - usage.cached_tokens},
          {"completion_tokens_details", {{"reasoning_tokens", usage.reasoning_tokens}}}};
}

int64_t count_in(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? std::max<int64_t>(0, found->get<int64_t>()) : 0;
}

Json message_json(const Message& message) {
  Json out = {{"id", std::to_string(message.number)},
              {"parent", id_or_null(message.parent)},
              {"role", role_name(message.role)},
              {"content", message.content},
              {"reasoning", message.reasoning},
              {"model", text_or_null(message.model)},
              {"created_at", time_text(message.created_ms)},
              {"finish_reason", text_or_null(message.finish_reason)}};
  const Json extra = object_of(message.extra);
  const bool has_usage = message.usage != store::Usage{};
  out["usage"] = has_usage ? usage_json(message.usage) : Json(nullptr);
  out["timings"] = extra.contains(kTimings) ? extra[kTimings] : Json(nullptr);
  out["attachments"] = Json::array();
  for (const store::Attachment& attachment : message.attachments) {
    out["attachments"].push_back({{"name", attachment.name}, {"text", attachment.text}});
  }
  return out;
}

}  // namespace

std::string time_text(int64_t ms_since_1970) {
  const auto seconds = static_cast<std::time_t>(ms_since_1970 / 1000);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds), ms_since_1970 % 1000);
}

std::optional<int64_t> message_number(std::string_view id) {
  int64_t number = 0;
  const auto [end, code] = std::from_chars(id.data(), id.data() + id.size(), number);
  if (code != std::errc{} || end != id.data() + id.size() || number < 1) return std::nullopt;
  return number;
}

Json head_json(const ConversationHead& head, const FolderNames& folders, int64_t n_messages) {
  const auto folder = head.folder ? folders.find(*head.folder) : folders.end();
  return {{"id", head.id.hex()},
          {"title", head.title},
          {"folder", folder != folders.end() ? Json(folder->second) : Json(nullptr)},
          {"pinned", head.pinned},
          {"archived", head.archived},
          {"updated_at", time_text(head.updated_ms)},
          {"n_messages", n_messages}};
}

Json conversation_json(const store::Conversation& conversation, const FolderNames& folders) {
  const auto& messages = conversation.messages;
  Json out = head_json(conversation.head, folders, static_cast<int64_t>(messages.size()));
  out["system"] = text_or_null(system_of(conversation.head));
  // Where the current message is damaged, the newest one that can be read.
  const int64_t current = conversation.head.current;
  const bool has_current = std::ranges::count(messages, current, &Message::number) > 0;
  out["leaf"] = id_or_null(has_current || messages.empty() ? current : messages.back().number);
  out["messages"] = Json::array();
  for (const Message& message : messages) out["messages"].push_back(message_json(message));
  return out;
}

std::string system_of(const ConversationHead& head) {
  const Json extra = object_of(head.extra);
  const auto found = extra.find(kSystem);
  return found != extra.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string with_system(const std::string& extra, const std::string& system) {
  Json out = object_of(extra);
  out.erase(kSystem);
  if (!system.empty()) out[kSystem] = system;
  return out.empty() ? "" : dump_json(out);
}

void put_figures(Message& message, const std::string& usage_text, const std::string& timings_text) {
  const Json usage = object_of(usage_text);
  message.usage.prompt_tokens = count_in(usage, "prompt_tokens");
  message.usage.completion_tokens = count_in(usage, "completion_tokens");
  message.usage.cached_tokens = count_in(usage, "prompt_cache_hit_tokens");
  const auto details = usage.find("completion_tokens_details");
  if (details != usage.end()) message.usage.reasoning_tokens = count_in(*details, "reasoning_tokens");
  if (Json timings = object_of(timings_text); !timings.empty()) message.extra = dump_json(Json{{kTimings, std::move(timings)}});
}

std::string title_of(std::string_view text) {
  std::string title;
  size_t n_characters = 0;
  bool has_space = false;
  for (size_t pos = 0; pos < text.size();) {
    const Utf8Step step = utf8_decode(text, pos);
    pos += step.n_bytes;
    if (step.code_point == '\n' && !title.empty()) break;
    if (step.code_point <= ' ') {
      has_space = !title.empty();
      continue;
    }
    if (n_characters >= kMaxTitleCharacters) return title + "…";
    if (has_space) title += ' ';
    utf8_append(title, step.code_point);
    n_characters += has_space ? 2 : 1;
    has_space = false;
  }
  return title;
}

}  // namespace minke::page
