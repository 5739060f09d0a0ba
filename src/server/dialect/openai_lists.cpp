// Models, embeddings, tokens, health, metrics: what is answered at once.
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "server/app_state.h"
#include "server/dialect/openai_parts.h"

namespace minke::server {
namespace {

constexpr size_t kMaxTexts = 256;
constexpr size_t kMaxTokenList = 1 << 20;

// OpenAI's row, Anthropic's keys, and what minke knows.
Json model_json(const ModelInfo& model) {
  return Json{{"id", model.id},
              {"object", "model"},
              {"created", model.created},
              {"owned_by", "local"},
              {"type", "model"},
              {"display_name", model.id},
              {"created_at", iso_time(model.created)},
              {"minke",
               {{"architecture", model.architecture},
                {"n_parameters", model.n_parameters},
                {"n_active", model.n_active},
                {"context", model.context},
                {"dtype", model.dtype},
                {"path", model.path},
                {"bundled", model.bundled},
                {"can_think", model.can_think},
                {"can_use_tools", model.can_use_tools},
                {"can_fill_in", model.can_fill_in},
                {"can_embed", model.can_embed}}}};
}

HttpReply list_models(AppState& state, const HttpRequest&) {
  Json rows = Json::array();
  for (const ModelInfo& model : state.backend.models()) rows.push_back(model_json(model));
  Json body{{"object", "list"}, {"data", rows}, {"has_more", false}, {"first_id", nullptr}, {"last_id", nullptr}};
  if (!rows.empty()) {
    body["first_id"] = rows.front()["id"];
    body["last_id"] = rows.back()["id"];
  }
  return json_reply(body);
}

HttpReply one_model(AppState& state, const HttpRequest& http) {
  const std::string id = http.capture("id");
  const ModelInfo* model = find_model(state, id);
  if (model == nullptr)
    return error_reply(Dialect::kOpenAi, {ErrorKind::kNotFound, fmt::format("there is no model \"{}\"", utf8_lossy(id)),
                                          "model", "model_not_found"});
  return json_reply(model_json(*model));
}

std::string base64(const std::vector<float>& row) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string_view bytes(reinterpret_cast<const char*>(row.data()), row.size() * sizeof(float));
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    for (size_t j = 0; j < 4; ++j) out += i + j <= bytes.size() ? kDigits[group >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

HttpReply embeddings(AppState& state, const HttpRequest& http) {
  const auto fail = [](const ApiError& e) { return error_reply(Dialect::kOpenAi, e); };
  auto body = body_json(state, http);
  if (!body) return fail(body.error());
  FieldErrors errors;
  Fields fields(*body, "", errors);
  ChatRequest request;  // for its model alone
  request.model = fields.text_or_empty("model");
  const std::vector<std::string> texts = fields.texts("input", kMaxTexts);
  if (texts.empty()) fields.fail("input", "expected a string or a list of strings");
  for (const std::string& text : texts) {
    if (text.empty()) fields.fail("input", "expected texts that are not empty");
  }
  const bool as_base64 = fields.one_of("encoding_format", {"float", "base64"}) == size_t{1};
  fields.ignore({"user"});
  fields.refuse({"dimensions"});
  fields.finish();
  if (errors.first) return fail(*errors.first);
  const auto model = choose_model(state, request);
  if (!model) return fail(model.error());
  if (!(*model)->can_embed) return fail({ErrorKind::kInvalid, fmt::format("{} makes no embeddings", (*model)->id), "model"});
  const auto slot = state.slots.take(http.caller);
  if (!slot) return fail(slot.error());
  const auto made = state.backend.embed((*model)->id, texts);
  if (!made) return fail(made.error());
  Json rows = Json::array();
  for (size_t i = 0; i < made->rows.size(); ++i) {
    const Json values = as_base64 ? Json(base64(made->rows[i])) : Json(made->rows[i]);
    rows.push_back(Json{{"object", "embedding"}, {"index", i}, {"embedding", values}});
  }
  return json_reply(Json{{"object", "list"},
                         {"data", std::move(rows)},
                         {"model", (*model)->id},
                         {"usage", {{"prompt_tokens", made->n_tokens}, {"total_tokens", made->n_tokens}}}});
}

// llama.cpp's "content" and vLLM's "prompt"; the reply has the keys of both.
HttpReply tokenize(AppState& state, const HttpRequest& http) {
  auto body = body_json(state, http);
  if (!body) return error_reply(Dialect::kOpenAi, body.error());
  FieldErrors errors;
  Fields fields(*body, "", errors);
  ChatRequest request;
  request.model = fields.text_or_empty("model");
  const auto content = fields.text("content");
  const auto prompt = fields.text("prompt");
  if (content.has_value() == prompt.has_value()) fields.fail("content", "expected either content or prompt");
  const bool add_special =
      fields.boolean("add_special").value_or(false) || fields.boolean("add_special_tokens").value_or(false);
  const bool parse_special = fields.boolean("parse_special").value_or(true);
  fields.refuse({"messages", "with_pieces", "return_token_strs"});
  fields.finish();
  if (errors.first) return error_reply(Dialect::kOpenAi, *errors.first);
  const auto model = choose_model(state, request);
  if (!model) return error_reply(Dialect::kOpenAi, model.error());
  const auto tokens = state.backend.tokenize((*model)->id, content ? *content : *prompt, add_special, parse_special);
  if (!tokens) return error_reply(Dialect::kOpenAi, tokens.error());
  return json_reply(Json{{"tokens", *tokens}, {"count", tokens->size()}, {"max_model_len", (*model)->context}});
}

HttpReply detokenize(AppState& state, const HttpRequest& http) {
  auto body = body_json(state, http);
  if (!body) return error_reply(Dialect::kOpenAi, body.error());
  FieldErrors errors;
  Fields fields(*body, "", errors);
  ChatRequest request;
  request.model = fields.text_or_empty("model");
  std::vector<int32_t> tokens;
  const Json* list = fields.array("tokens", kMaxTokenList);
  if (list == nullptr) fields.fail("tokens", "is missing: expected a list of tokens");
  for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const Json& item = (*list)[i];
    if (!item.is_number_unsigned() || item.get<uint64_t>() > INT32_MAX) {
      fields.fail(fmt::format("tokens[{}]", i), "expected a token's number");
      break;
    }
    tokens.push_back(item.get<int32_t>());
  }
  fields.finish();
  if (errors.first) return error_reply(Dialect::kOpenAi, *errors.first);
  const auto model = choose_model(state, request);
  if (!model) return error_reply(Dialect::kOpenAi, model.error());
  const auto text = state.backend.detokenize((*model)->id, tokens);
  if (!text) return error_reply(Dialect::kOpenAi, text.error());
  return json_reply(Json{{"content", *text}, {"prompt", *text}});
}

HttpReply health(AppState& state, const HttpRequest&) {
  if (state.is_draining) return json_reply(Json{{"status", "draining"}}, 503);
  return json_reply(Json{{"status", "ok"}});
}

HttpReply metrics(AppState& state, const HttpRequest&) {
  HttpReply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body = state.metrics.text(state.backend.gauges());
  return reply;
}

constexpr Route kListRoutes[] = {
    {"GET", "/v1/models", list_models},
    {"GET", "/models", list_models},
    {"GET", "/v1/models/{id...}", one_model},
    {"GET", "/models/{id...}", one_model},
    {"POST", "/v1/embeddings", embeddings},
    {"POST", "/embeddings", embeddings},
    {"POST", "/tokenize", tokenize},
    {"POST", "/detokenize", detokenize},
    // Who watches over the process has no key, and learns nothing but that it runs.
    {"GET", "/health", health, Dialect::kOpenAi, Access::kOpen},
    {"GET", "/metrics", metrics},
};

}  // namespace

std::span<const Route> list_routes() { return kListRoutes; }

}  // namespace minke::server
