// What every route sees.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "server/access/limits.h"
#include "server/active_requests.h"
#include "server/dialect/errors.h"
#include "server/fields.h"
#include "server/generation.h"
#include "server/http.h"
#include "server/metrics.h"
#include "server/model/backend.h"
#include "server/model/page_services.h"
#include "server/reasoning_memory.h"

namespace minke::server {

// Which era of DeepSeek's API is held to, refusals included. kLenient takes what any of them takes.
enum class DeepSeekProfile { kLenient, kR1, kV32, kV4 };

// Another name of a model, which may say whether to think.
struct ModelAlias {
  std::string name;
  std::string model;  // empty: the default model
  std::optional<bool> thinks;
};

// A file of the page; everything lives as long as the program.
struct StaticFile {
  std::string_view path;  // "/index.html"
  std::string_view content_type;
  std::string_view bytes;
  std::string_view etag;   // a digest of the bytes
  bool immutable = false;  // its name changes with its bytes
};

struct ServiceOptions {
  std::string version;
  DeepSeekProfile deepseek = DeepSeekProfile::kLenient;
  bool reasoning_alias = false;  // also as "reasoning", which some clients read
  // The names that DeepSeek's clients have in their settings.
  std::vector<ModelAlias> aliases = {{"deepseek-chat", "", false}, {"deepseek-reasoner", "", true}};
  std::span<const StaticFile> files = {};
  size_t max_json_depth = 64;
  size_t max_queued_bytes = 256 << 10;     // of a reply that its reader is too slow for
  size_t max_remembered_bytes = 16 << 20;  // of thoughts behind tool calls
  int max_generations = 256;               // running and waiting
  int max_generations_per_caller = 256;
};

struct AppState {
  AppState(ServiceOptions options, Backend& backend, PageServices* services);

  ServiceOptions options;
  Backend& backend;
  PageServices* services;  // null: the page's routes answer 501
  Metrics metrics;
  ActiveRequests active;
  ReasoningMemory memory;
  GenerationSlots slots;
  std::string signing_key;  // of thoughts that Anthropic's clients keep; new with each start
  std::atomic<bool> is_draining{false};
};

// The body as JSON, or an error.
Outcome<Json> body_json(const AppState& state, const HttpRequest& request);

// Finds the model by id, alias, or "id:latest"; the default when empty. Sets what the alias says about thinking, and refuses
// what the model cannot do.
Outcome<const ModelInfo*> choose_model(const AppState& state, ChatRequest& request);
// The end of every chat dialect: an error of a field, or of one that nobody read, comes before the model's.
Outcome<const ModelInfo*> finish_request(const AppState& state, Fields& fields, ChatRequest& request, FieldErrors& errors);
const ModelInfo* find_model(const AppState& state, std::string_view name);

ReplyHead new_reply_head(const ModelInfo& model, int n_choices);

// Submits the requests and hands the reply over to the writer; an error in the shape of the dialect when that fails.
HttpReply start_generation(AppState& state, const HttpRequest& request, Dialect dialect, ReplyHead head,
                           std::vector<ChatRequest> requests, std::unique_ptr<ReplyWriter> writer);

// Random lower-case hexadecimal digits, unguessable.
std::string random_hex(size_t n_bytes);
int64_t unix_seconds();
// "2025-01-20T00:00:00Z"
std::string iso_time(int64_t seconds);

enum class Access { kOpen, kKey };

struct Route {
  std::string_view method;
  std::string_view pattern;  // "/v1/models/{id...}": {name} is one segment, {name...} the rest
  HttpReply (*handle)(AppState&, const HttpRequest&);
  Dialect dialect = Dialect::kOpenAi;  // of errors
  Access access = Access::kKey;
};

std::span<const Route> chat_routes();
std::span<const Route> completion_routes();
std::span<const Route> response_routes();
std::span<const Route> list_routes();
std::span<const Route> anthropic_routes();
std::span<const Route> ollama_routes();
std::span<const Route> minke_routes();

// Reasoning in the history, by the rules of the profile, and what that profile takes without using it.
void apply_deepseek_profile(const AppState& state, const std::string& caller, Fields& fields, ChatRequest& request);

}  // namespace minke::server
