#include "server/app.h"

#include <openssl/rand.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/utf8.h"
#include "server/route/router.h"

namespace minke::server {
namespace {

// What the page was written and tested for (web/mock): nothing comes from elsewhere, not even an image, which would be a way
// out for what a model was made to say.
constexpr std::string_view kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types dompurify";

}  // namespace

AppState::AppState(ServiceOptions service_options, Backend& the_backend, PageServices* the_services)
    : options(std::move(service_options)),
      backend(the_backend),
      services(the_services),
      metrics(the_backend.models()),
      active(the_backend),
      memory(options.max_remembered_bytes),
      slots(options.max_generations, options.max_generations_per_caller),
      signing_key(random_hex(32)) {}

std::string random_hex(size_t n_bytes) {
  std::vector<unsigned char> bytes(n_bytes);
  CHECK(RAND_bytes(bytes.data(), static_cast<int>(n_bytes)) == 1, "no random numbers");
  std::string out;
  for (const unsigned char byte : bytes) out += fmt::format("{:02x}", byte);
  return out;
}

int64_t unix_seconds() { return static_cast<int64_t>(std::time(nullptr)); }

std::string iso_time(int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  gmtime_r(&time, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string tool_call_id(const ReplyHead& head, int choice, int index) {
  return fmt::format("call_{}_{}_{}", head.request, choice, index);
}

ReplyHead new_reply_head(const ModelInfo& model, int n_choices) {
  return {random_hex(16), model.id, unix_seconds(), n_choices};
}

Outcome<Json> body_json(const AppState& state, const HttpRequest& request) {
  auto json = parse_json(request.body, "body", JsonLimits{state.options.max_json_depth});
  if (!json) {
    // The parser quotes what it stumbled over, which may be a piece of a prompt; the client has it, and logs never see replies.
    return tl::unexpected(ApiError{ErrorKind::kInvalid, json.error().message, {}, "invalid_json"});
  }
  return std::move(*json);
}

const ModelInfo* find_model(const AppState& state, std::string_view name) {
  const auto& models = state.backend.models();
  if (models.empty()) return nullptr;
  if (name.empty()) return &models[0];
  constexpr std::string_view kLatest = ":latest";
  for (const std::string_view id : {name, name.ends_with(kLatest) ? name.substr(0, name.size() - kLatest.size()) : name}) {
    for (const ModelInfo& model : models) {
      if (model.id == id) return &model;
    }
  }
  for (const ModelAlias& alias : state.options.aliases) {
    if (alias.name == name) return find_model(state, alias.model);
  }
  return nullptr;
}

namespace {

Outcome<void> check_abilities(const ModelInfo& model, ChatRequest& request) {
  const auto cannot = [&](std::string_view param, std::string_view what) {
    return tl::unexpected(invalid(param, "{}: the model {} {}", param, model.id, what));
  };
  const bool asks_for_thoughts = request.thinking.enabled.value_or(false) || request.thinking.effort != Effort::kDefault;
  if (asks_for_thoughts && !model.can_think) return cannot("thinking", "does not think");
  if (!request.tools.empty() && !model.can_use_tools) return cannot("tools", "knows no tools");
  if (request.kind == RequestKind::kFillInMiddle && !model.can_fill_in) return cannot("suffix", "cannot fill in");
  if (request.kind == RequestKind::kChat && !request.messages.empty() && !model.has_template)
    return cannot("messages", "has no chat template: use /v1/completions");
  return {};
}

}  // namespace

Outcome<const ModelInfo*> choose_model(const AppState& state, ChatRequest& request) {
  const ModelInfo* model = find_model(state, request.model);
  if (model == nullptr) {
    const std::string name = utf8_lossy(request.model.substr(0, 100));
    return tl::unexpected(ApiError{ErrorKind::kNotFound,
                                   fmt::format("model \"{}\" not found: GET /v1/models lists what is here", name), "model",
                                   "model_not_found"});
  }
  for (const ModelAlias& alias : state.options.aliases) {
    if (alias.name == request.model && alias.thinks && !request.thinking.enabled) request.thinking.enabled = alias.thinks;
  }
  request.model = model->id;
  if (auto ok = check_abilities(*model, request); !ok) return tl::unexpected(std::move(ok.error()));
  return model;
}

Outcome<const ModelInfo*> finish_request(const AppState& state, Fields& fields, ChatRequest& request, FieldErrors& errors) {
  fields.finish();
  if (errors.first) return tl::unexpected(std::move(*errors.first));
  return choose_model(state, request);
}

HttpReply start_generation(AppState& state, const HttpRequest& request, Dialect dialect, ReplyHead head,
                           std::vector<ChatRequest> requests, std::unique_ptr<ReplyWriter> writer) {
  if (state.is_draining)
    return error_reply(dialect, {ErrorKind::kOverloaded, "the server is shutting down", {}, "shutting_down", 5});
  auto slot = state.slots.take(request.caller);
  if (!slot) return error_reply(dialect, slot.error());
  const GenerationHost host{state.backend, state.services, state.metrics,
                            state.active,  state.memory,   state.options.max_queued_bytes};
  auto generation = Generation::start(
      host, {std::move(head), request.caller, dialect, std::move(requests), std::move(writer), std::move(*slot)});
  if (!generation) return error_reply(dialect, generation.error());
  HttpReply reply;
  reply.content_type = (*generation)->streams() ? (*generation)->content_type() : "application/json";
  reply.generation = std::move(*generation);
  return reply;
}

Result<std::unique_ptr<App>> App::create(ServiceOptions options, GateOptions gate_options, Backend& backend,
                                         PageServices* services) {
  if (backend.models().empty()) return error("server: there is no model to serve");
  auto gate = TRY(Gate::create(std::move(gate_options)));
  return std::unique_ptr<App>(new App(std::move(options), std::move(gate), backend, services));
}

App::App(ServiceOptions options, std::unique_ptr<Gate> gate, Backend& backend, PageServices* services)
    : state_(std::make_unique<AppState>(std::move(options), backend, services)),
      gate_(std::move(gate)),
      router_(std::make_unique<Router>()) {}

App::~App() = default;

void App::drain() { state_->is_draining = true; }
size_t App::n_active() const { return state_->active.size(); }
Metrics& App::metrics() { return state_->metrics; }
std::span<const Route> App::routes() const { return router_->routes(); }

HttpReply App::refuse(const HttpRequest& request, const ApiError& error) const {
  return error_reply(dialect_of_path(request.path), error);
}

const StaticFile* App::find_file(const HttpRequest& request) const {
  if (request.method != "GET" && request.method != "HEAD") return nullptr;
  const std::string_view path = request.path == "/" ? "/index.html" : std::string_view(request.path);
  for (const StaticFile& file : state_->options.files) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

std::optional<HttpReply> App::admit(HttpRequest& head) {
  const Router::Match match = router_->find(head);
  head.route = match.route;
  const bool is_page = match.route == nullptr && find_file(head) != nullptr;
  // A browser asks first, without a key, whether it may ask.
  const bool is_preflight = head.method == "OPTIONS" && !gate_->allowed_origin(head).empty();
  const bool is_open = is_page || is_preflight || (match.route != nullptr && match.route->access == Access::kOpen);
  const bool is_limited = match.route != nullptr && match.route->method == "POST" && !head.path.starts_with("/api/minke/");
  if (auto ok = gate_->check(head, !is_open, is_limited); !ok) return refuse(head, ok.error());
  if (is_preflight) return preflight(head);
  if (match.route != nullptr || is_page) return std::nullopt;
  if (match.other_methods.empty())
    return refuse(head, {ErrorKind::kNotFound, fmt::format("there is no {}", utf8_lossy(head.path.substr(0, 100)))});
  HttpReply reply =
      refuse(head, {ErrorKind::kMethod, fmt::format("{} is not for this path: expected {}", utf8_lossy(head.method),
                                                    fmt::join(match.other_methods, ", "))});
  reply.headers.emplace_back("Allow", fmt::format("{}", fmt::join(match.other_methods, ", ")));
  return reply;
}

HttpReply App::handle(HttpRequest& request) {
  try {
    if (request.route != nullptr) return request.route->handle(*state_, request);
    if (const StaticFile* file = find_file(request)) return send_file(request, *file);
  } catch (const std::exception&) {
    // What it was would be in the message, and a message of a library may quote the request.
    return refuse(request, {ErrorKind::kInternal, "an error inside the server"});
  }
  return refuse(request, {ErrorKind::kNotFound, "there is no such page"});
}

HttpReply App::send_file(const HttpRequest& request, const StaticFile& file) const {
  HttpReply reply;
  reply.content_type = file.content_type;
  const std::string etag = fmt::format("\"{}\"", file.etag);
  reply.headers.emplace_back("ETag", etag);
  reply.headers.emplace_back("Cache-Control", file.immutable ? "public, max-age=31536000, immutable" : "no-cache");
  reply.headers.emplace_back("Content-Security-Policy", kContentSecurityPolicy);
  reply.headers.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
  reply.headers.emplace_back("Permissions-Policy", "camera=(), microphone=(), geolocation=()");
  if (request.header("if-none-match") == etag) {
    reply.status = 304;
  } else {
    reply.fixed_body = file.bytes;
  }
  return reply;
}

HttpReply App::preflight(const HttpRequest&) const {
  HttpReply reply;
  reply.status = 204;
  reply.headers.emplace_back("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE");
  reply.headers.emplace_back("Access-Control-Allow-Headers",
                             "authorization, content-type, x-api-key, anthropic-version, anthropic-beta, x-minke");
  reply.headers.emplace_back("Access-Control-Max-Age", "600");
  return reply;
}

void App::finish(const HttpRequest& request, HttpReply& reply) {
  reply.headers.emplace_back("X-Content-Type-Options", "nosniff");
  reply.headers.emplace_back("Referrer-Policy", "no-referrer");
  reply.headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
  if (const std::string origin = gate_->allowed_origin(request); !origin.empty()) {
    reply.headers.emplace_back("Access-Control-Allow-Origin", origin);
    reply.headers.emplace_back("Vary", "Origin");
  }
  const bool has_cache_rule =
      std::any_of(reply.headers.begin(), reply.headers.end(), [](const auto& h) { return h.first == "Cache-Control"; });
  if (!has_cache_rule) reply.headers.emplace_back("Cache-Control", "no-store");
  state_->metrics.replied(request.route != nullptr ? request.route->pattern : std::string_view("other"), reply.status);
}

}  // namespace minke::server
