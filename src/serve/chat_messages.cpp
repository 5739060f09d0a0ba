#include "serve/chat_messages.h"

#include <map>
#include <nlohmann/json.hpp>

namespace minke::serve {
namespace {

using namespace server;

std::string_view role_name(Role role) {
  constexpr std::string_view kNames[] = {"system", "user", "assistant", "tool"};
  return kNames[static_cast<size_t>(role)];
}

Outcome<Json> call_json(const ToolCall& call, size_t message) {
  auto arguments = parse_json(call.arguments.empty() ? "{}" : call.arguments, "arguments");
  if (!arguments || !arguments->is_object()) {
    const std::string where = fmt::format("messages[{}].tool_calls", message);
    return tl::unexpected(invalid(where, "{}: the arguments of {} are no JSON object", where, call.name));
  }
  return Json{{"id", call.id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", std::move(*arguments)}}}};
}

Outcome<Json> message_json(const ChatMessage& message, size_t index, std::map<std::string, std::string>& names_of_calls) {
  Json out = {{"role", role_name(message.role)}, {"content", message.content}};
  if (message.reasoning && !message.reasoning->empty()) out["reasoning_content"] = *message.reasoning;
  for (const ToolCall& call : message.tool_calls) {
    auto json = call_json(call, index);
    if (!json) return tl::unexpected(std::move(json.error()));
    out["tool_calls"].push_back(std::move(*json));
    names_of_calls[call.id] = call.name;
  }
  // How templates tell a message that only calls tools.
  if (!message.tool_calls.empty() && message.content.empty()) out["content"] = nullptr;
  if (message.role == Role::kTool) {
    out["tool_call_id"] = message.tool_call_id;
    const auto known = names_of_calls.find(message.tool_call_id);
    if (known != names_of_calls.end()) out["name"] = known->second;
  }
  if (!message.name.empty()) out["name"] = message.name;
  return out;
}

}  // namespace

Outcome<Json> messages_json(const ChatRequest& request) {
  Json out = Json::array();
  std::map<std::string, std::string> names_of_calls;
  for (size_t i = 0; i < request.messages.size(); i++) {
    if (request.messages[i].is_prefix) continue;
    auto json = message_json(request.messages[i], i, names_of_calls);
    if (!json) return tl::unexpected(std::move(json.error()));
    out.push_back(std::move(*json));
  }
  return out;
}

Outcome<Json> tools_json(const ChatRequest& request) {
  Json out = Json::array();
  for (const Tool& tool : request.tools) {
    Json function = {{"name", tool.name}, {"description", tool.description}};
    function["parameters"] = {{"type", "object"}, {"properties", Json::object()}};
    if (!tool.parameters_json.empty()) {
      auto parameters = parse_json(tool.parameters_json, "tool " + tool.name);
      if (!parameters) return tl::unexpected(invalid("tools", "{}", parameters.error().message));
      function["parameters"] = std::move(*parameters);
    }
    out.push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  return out;
}

}  // namespace minke::serve
