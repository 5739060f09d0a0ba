// What the page asks for beside answers; docs/server.md has the contract.
#include <charconv>
#include <nlohmann/json.hpp>

#include "server/app_state.h"
#include "server/fields.h"

namespace minke::server {
namespace {

constexpr size_t kMaxSettingsBytes = 64 << 10;

HttpReply fail(const ApiError& error) { return error_reply(Dialect::kOpenAi, error); }

HttpReply reply_of(Outcome<std::string> made) {
  if (!made) return fail(made.error());
  HttpReply reply;
  reply.body = std::move(*made);
  return reply;
}

// A handler that asks the services, when there are some.
template <Outcome<std::string> (*ask)(PageServices&, const AppState&, const HttpRequest&)>
HttpReply service(AppState& state, const HttpRequest& http) {
  if (state.services == nullptr) return fail({ErrorKind::kUnsupported, "this server runs without the page's services"});
  return reply_of(ask(*state.services, state, http));
}

template <Outcome<std::string> (PageServices::*function)()>
Outcome<std::string> plain(PageServices& services, const AppState&, const HttpRequest&) {
  return (services.*function)();
}

template <Outcome<std::string> (PageServices::*function)(const std::string&)>
Outcome<std::string> by_id(PageServices& services, const AppState&, const HttpRequest& http) {
  return (services.*function)(http.capture("id"));
}

// The fields of the body; `read` fills what it wants and the rest is refused.
template <typename Read>
Outcome<void> read_body(const AppState& state, const HttpRequest& http, Read&& read) {
  auto body = body_json(state, http);
  if (!body) return tl::unexpected(std::move(body.error()));
  FieldErrors errors;
  Fields fields(*body, "", errors);
  read(fields);
  fields.finish();
  if (errors.first) return tl::unexpected(std::move(*errors.first));
  return {};
}

Outcome<std::string> create_store(PageServices& services, const AppState& state, const HttpRequest& http) {
  std::optional<std::string> passphrase;
  auto ok = read_body(state, http, [&](Fields& fields) { passphrase = fields.text("passphrase"); });
  if (!ok) return tl::unexpected(std::move(ok.error()));
  return services.store_create(passphrase);
}

Outcome<std::string> unlock_store(PageServices& services, const AppState& state, const HttpRequest& http) {
  std::string passphrase;
  auto ok = read_body(state, http, [&](Fields& fields) { passphrase = fields.required_text("passphrase"); });
  if (!ok) return tl::unexpected(std::move(ok.error()));
  return services.store_unlock(passphrase);
}

std::optional<bool> flag_of(const HttpRequest& http, const std::string& name) {
  const auto found = http.query.find(name);
  if (found == http.query.end() || found->second.empty()) return std::nullopt;
  return found->second == "true" || found->second == "1";
}

std::string query_of(const HttpRequest& http, const std::string& name) {
  const auto found = http.query.find(name);
  return found == http.query.end() ? "" : found->second;
}

Outcome<std::string> list_conversations(PageServices& services, const AppState&, const HttpRequest& http) {
  ConversationQuery query{query_of(http, "query"), flag_of(http, "archived"), std::nullopt};
  if (const std::string folder = query_of(http, "folder"); !folder.empty()) query.folder = folder;
  return services.conversations(query);
}

Outcome<std::string> edit_conversation(PageServices& services, const AppState& state, const HttpRequest& http) {
  auto body = body_json(state, http);
  if (!body) return tl::unexpected(std::move(body.error()));
  FieldErrors errors;
  Fields fields(*body, "", errors);
  ConversationEdit edit;
  edit.title = fields.text("title");
  edit.folder = fields.text("folder");
  // null takes it out of its folder, or the system prompt away; what is not named stays as it is.
  if (body->is_object() && body->contains("folder") && (*body)["folder"].is_null()) edit.folder = "";
  edit.system = fields.text("system");
  if (body->is_object() && body->contains("system") && (*body)["system"].is_null()) edit.system = "";
  edit.leaf = fields.text("leaf");
  edit.pinned = fields.boolean("pinned");
  edit.archived = fields.boolean("archived");
  fields.finish();
  if (errors.first) return tl::unexpected(std::move(*errors.first));
  return services.edit_conversation(http.capture("id"), edit);
}

HttpReply export_conversation(AppState& state, const HttpRequest& http) {
  if (state.services == nullptr) return fail({ErrorKind::kUnsupported, "this server runs without the page's services"});
  std::string format = query_of(http, "format");
  if (format.empty()) format = "json";
  if (format != "json" && format != "markdown") return fail(invalid("format", "format: expected json or markdown"));
  HttpReply reply = reply_of(state.services->export_conversation(http.capture("id"), format));
  if (reply.status != 200) return reply;
  const bool is_json = format == "json";
  reply.content_type = is_json ? "application/json" : "text/markdown; charset=utf-8";
  reply.headers.emplace_back("Content-Disposition",
                             fmt::format("attachment; filename=\"conversation.{}\"", is_json ? "json" : "md"));
  return reply;
}

Outcome<std::string> import_conversations(PageServices& services, const AppState&, const HttpRequest& http) {
  return services.import_conversations(http.body);
}

Outcome<std::string> set_retention(PageServices& services, const AppState& state, const HttpRequest& http) {
  std::optional<int64_t> days;
  constexpr int64_t kMaxDays = 36'500;
  auto ok = read_body(state, http, [&](Fields& fields) { days = fields.integer("days", 0, kMaxDays); });
  if (!ok) return tl::unexpected(std::move(ok.error()));
  return services.set_retention(days);
}

Outcome<std::string> shred(PageServices& services, const AppState& state, const HttpRequest& http) {
  auto ok = read_body(state, http, [](Fields& fields) {
    if (fields.text_or_empty("confirm") != "shred") fields.fail("confirm", "expected the word \"shred\"");
  });
  if (!ok) return tl::unexpected(std::move(ok.error()));
  return services.shred();
}

Outcome<std::string> set_settings(PageServices& services, const AppState& state, const HttpRequest& http) {
  if (http.body.size() > kMaxSettingsBytes)
    return tl::unexpected(
        ApiError{ErrorKind::kTooLarge, fmt::format("settings of {} bytes: at most {}", http.body.size(), kMaxSettingsBytes)});
  auto body = body_json(state, http);
  if (!body) return tl::unexpected(std::move(body.error()));
  if (!body->is_object()) return tl::unexpected(invalid("", "expected an object"));
  return services.set_settings(http.body);
}

Outcome<std::string> run_log(PageServices& services, const AppState&, const HttpRequest& http) {
  int64_t after = -1;
  const std::string text = query_of(http, "after");
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), after);
  if (!text.empty() && (code != std::errc{} || end != text.data() + text.size()))
    return tl::unexpected(invalid("after", "after: expected a step"));
  return services.run_log(http.capture("id"), after);
}

Outcome<std::string> plan(PageServices& services, const AppState& state, const HttpRequest& http) {
  auto body = body_json(state, http);
  if (!body) return tl::unexpected(std::move(body.error()));
  return services.plan(http.body);
}

// The name of a request, or the id that a dialect gave its reply: chatcmpl-NAME, msg_NAME ...
std::string request_name(const HttpRequest& http) {
  const std::string id = http.capture("id");
  return id.substr(id.find_last_of("-_") + 1);
}

HttpReply end_thinking(AppState& state, const HttpRequest& http) {
  if (!state.active.end_thinking(request_name(http), http.caller))
    return fail({ErrorKind::kNotFound, "no such request is in a thought", "", "request_not_found"});
  return json_reply(Json{{"ok", true}});
}

HttpReply cancel(AppState& state, const HttpRequest& http) {
  if (!state.active.cancel(request_name(http), http.caller))
    return fail({ErrorKind::kNotFound, "no such request runs", "", "request_not_found"});
  return json_reply(Json{{"ok", true}});
}

using S = PageServices;

constexpr Route kMinkeRoutes[] = {
    {"POST", "/api/minke/requests/{id}/end_thinking", end_thinking},
    {"DELETE", "/api/minke/requests/{id}", cancel},
    {"GET", "/api/minke/store", service<plain<&S::store_state>>},
    {"POST", "/api/minke/store/create", service<create_store>},
    {"POST", "/api/minke/store/unlock", service<unlock_store>},
    {"POST", "/api/minke/store/lock", service<plain<&S::store_lock>>},
    {"GET", "/api/minke/conversations", service<list_conversations>},
    {"GET", "/api/minke/conversations/{id}", service<by_id<&S::conversation>>},
    {"PATCH", "/api/minke/conversations/{id}", service<edit_conversation>},
    {"DELETE", "/api/minke/conversations/{id}", service<by_id<&S::delete_conversation>>},
    {"GET", "/api/minke/conversations/{id}/export", export_conversation},
    {"POST", "/api/minke/import", service<import_conversations>},
    {"GET", "/api/minke/retention", service<plain<&S::retention>>},
    {"PUT", "/api/minke/retention", service<set_retention>},
    {"POST", "/api/minke/shred", service<shred>},
    {"GET", "/api/minke/settings", service<plain<&S::settings>>},
    {"PUT", "/api/minke/settings", service<set_settings>},
    {"GET", "/api/minke/privacy", service<plain<&S::privacy>>},
    {"GET", "/api/minke/ledger", service<plain<&S::ledger>>},
    {"GET", "/api/minke/runs", service<plain<&S::runs>>},
    {"GET", "/api/minke/runs/{id}/log", service<run_log>},
    {"GET", "/api/minke/machine", service<plain<&S::machine>>},
    {"POST", "/api/minke/plan", service<plan>},
};

}  // namespace

std::span<const Route> minke_routes() { return kMinkeRoutes; }

}  // namespace minke::server
