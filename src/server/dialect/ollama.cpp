// Ollama's API: replies as lines of JSON, lists of models; what manages models belongs to the command line.
#include "server/dialect/ollama.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "server/dialect/openai_parts.h"

namespace minke::server {
namespace {

enum class OllamaForm { kGenerate, kChat };

int64_t nanoseconds(double seconds) { return std::llround(seconds * 1e9); }

class OllamaWriter final : public ReplyWriter {
 public:
  OllamaWriter(ReplyHead head, OllamaForm form, bool streams)
      : head_(std::move(head)), form_(form), streams_(streams), collected_(1) {}

  bool streams() const override { return streams_; }
  std::string_view content_type() const override { return "application/x-ndjson"; }
  // Clients read line by line and parse each line, so an empty one would be an error to some.
  std::string_view keep_alive() const override { return ""; }

  void write(const ReplyEvent& event, std::string& out) override {
    if (!streams_) return collected_.add(event);
    if (const auto* end = std::get_if<ChoiceEnd>(&event)) {
      finish_ = end->reason;
    } else if (const auto* call = std::get_if<ToolCallBegin>(&event)) {
      call_name_ = call->name;
      call_arguments_.clear();
      n_calls_ = call->index + 1;
    } else if (const auto* arguments = std::get_if<ToolCallArguments>(&event)) {
      // Arguments are an object here, so a call is one line.
      call_arguments_ += arguments->text;
      if (parse_json(call_arguments_, "arguments"))
        line(row("", "", Json::array({call_json(call_name_, call_arguments_, n_calls_ - 1)})), out);
    } else if (const auto* text = std::get_if<AnswerText>(&event)) {
      Json data = row(text->text, "", nullptr);
      add_logprobs(data, text->logprobs);
      line(data, out);
    } else if (const auto* thought = std::get_if<ThoughtText>(&event)) {
      line(row("", thought->text, nullptr), out);
    } else if (const auto* error = std::get_if<ApiError>(&event)) {
      line(error_json(Dialect::kOllama, *error), out);
    } else if (const auto* done = std::get_if<Done>(&event)) {
      Json data = row("", "", nullptr);
      add_end(data, *done, finish_);
      line(data, out);
    }
  }

  HttpReply finish() override {
    if (collected_.error) return error_reply(Dialect::kOllama, *collected_.error);
    const CollectedChoice& choice = collected_.choices[0];
    Json calls = nullptr;
    for (size_t i = 0; i < choice.calls.size(); ++i) {
      if (calls.is_null()) calls = Json::array();
      calls.push_back(call_json(choice.calls[i].name, choice.calls[i].arguments, static_cast<int>(i)));
    }
    Json data = row(choice.answer, choice.thought, calls);
    add_logprobs(data, choice.answer_logprobs);
    add_end(data, collected_.done.value_or(Done{}), choice.end ? choice.end->reason : ChoiceFinish::kCancelled);
    return json_reply(data);
  }

 private:
  static void line(const Json& data, std::string& out) {
    out += dump_json(data);
    out += '\n';
  }
  Json call_json(const std::string& name, const std::string& arguments, int index) const {
    auto parsed = parse_json(arguments, "arguments");
    Json object = parsed && parsed->is_object() ? *parsed : Json::object();
    return Json{{"id", tool_call_id(head_, 0, index)},
                {"function", {{"index", index}, {"name", name}, {"arguments", std::move(object)}}}};
  }
  Json row(const std::string& text, const std::string& thought, const Json& calls) const {
    Json out{{"model", head_.model}, {"created_at", iso_time(head_.created)}};
    if (form_ == OllamaForm::kGenerate) {
      out["response"] = text;
      if (!thought.empty()) out["thinking"] = thought;
    } else {
      out["message"] = Json{{"role", "assistant"}, {"content", text}};
      if (!thought.empty()) out["message"]["thinking"] = thought;
      if (!calls.is_null()) out["message"]["tool_calls"] = calls;
    }
    out["done"] = false;
    return out;
  }
  static void add_logprobs(Json& data, const std::vector<PieceLogprob>& pieces) {
    if (pieces.empty()) return;
    data["logprobs"] = Json::array();
    for (const PieceLogprob& piece : pieces) data["logprobs"].push_back(openai_logprob(piece));
  }
  static void add_end(Json& data, const Done& done, ChoiceFinish finish) {
    data["done"] = true;
    data["done_reason"] = finish == ChoiceFinish::kLength ? "length" : "stop";
    data["total_duration"] = nanoseconds(done.queue_s + done.prompt_s + done.thought_s + done.answer_s);
    data["load_duration"] = 0;
    data["prompt_eval_count"] = done.n_prompt_tokens;
    data["prompt_eval_duration"] = nanoseconds(done.prompt_s);
    data["eval_count"] = done.n_completion_tokens;
    data["eval_duration"] = nanoseconds(done.thought_s + done.answer_s);
  }

  ReplyHead head_;
  OllamaForm form_;
  bool streams_;
  ReplyCollector collected_;
  ChoiceFinish finish_ = ChoiceFinish::kStop;
  std::string call_name_, call_arguments_;
  int n_calls_ = 0;
};

HttpReply fail(const ApiError& error) { return error_reply(Dialect::kOllama, error); }

HttpReply answer(AppState& state, const HttpRequest& http, Outcome<OllamaCall> call, OllamaForm form) {
  if (!call) return fail(call.error());
  ReplyHead head = new_reply_head(*call->model, 1);
  auto writer = std::make_unique<OllamaWriter>(head, form, call->streams);
  if (call->only_loads) {
    // The model is loaded already.
    HttpReply reply;
    OllamaWriter whole(head, form, false);
    std::string none;
    whole.write(ChoiceEnd{}, none);
    reply = whole.finish();
    Json body = Json::parse(reply.body);
    body["done_reason"] = "load";
    return json_reply(body);
  }
  std::vector<ChatRequest> requests;
  requests.push_back(std::move(call->request));
  return start_generation(state, http, Dialect::kOllama, std::move(head), std::move(requests), std::move(writer));
}

HttpReply chat(AppState& state, const HttpRequest& http) {
  auto body = body_json(state, http);
  if (!body) return fail(body.error());
  return answer(state, http, parse_ollama_chat(state, http.caller, *body), OllamaForm::kChat);
}

HttpReply generate(AppState& state, const HttpRequest& http) {
  auto body = body_json(state, http);
  if (!body) return fail(body.error());
  return answer(state, http, parse_ollama_generate(state, *body), OllamaForm::kGenerate);
}

std::string parameter_size(int64_t n) {
  if (n >= 1'000'000'000) return fmt::format("{:.1f}B", static_cast<double>(n) / 1e9);
  return fmt::format("{:.1f}M", static_cast<double>(n) / 1e6);
}

Json details_json(const ModelInfo& model) {
  return Json{{"parent_model", ""},
              {"format", "gguf"},
              {"family", model.architecture},
              {"families", Json::array({model.architecture})},
              {"parameter_size", parameter_size(model.n_parameters)},
              {"quantization_level", model.dtype}};
}

Json tag_json(const ModelInfo& model) {
  const std::string name = model.id.find(':') == std::string::npos ? model.id + ":latest" : model.id;
  Digest digest = Digest::sha256();
  digest.update(model.path);
  return Json{{"name", name},
              {"model", name},
              {"modified_at", iso_time(model.created)},
              {"size", model.n_bytes},
              {"digest", digest.finish_hex()},
              {"details", details_json(model)}};
}

HttpReply tags(AppState& state, const HttpRequest&) {
  Json rows = Json::array();
  for (const ModelInfo& model : state.backend.models()) rows.push_back(tag_json(model));
  return json_reply(Json{{"models", std::move(rows)}});
}

HttpReply running(AppState& state, const HttpRequest&) {
  Json rows = Json::array();
  for (const ModelInfo& model : state.backend.models()) {
    Json row = tag_json(model);
    row["expires_at"] = "9999-12-31T23:59:59Z";  // what is loaded stays
    row["size_vram"] = 0;
    row["context_length"] = model.context;
    rows.push_back(std::move(row));
  }
  return json_reply(Json{{"models", std::move(rows)}});
}

HttpReply show(AppState& state, const HttpRequest& http) {
  auto body = body_json(state, http);
  if (!body) return fail(body.error());
  FieldErrors errors;
  Fields fields(*body, "", errors);
  ChatRequest request;
  const auto model_name = fields.text("model");
  const auto name = fields.text("name");
  request.model = model_name ? *model_name : name.value_or("");
  fields.ignore({"verbose"});
  fields.finish();
  if (errors.first) return fail(*errors.first);
  const auto chosen = choose_model(state, request);
  if (!chosen) return fail(chosen.error());
  const ModelInfo& model = **chosen;
  Json capabilities = Json::array({"completion"});
  if (model.can_use_tools) capabilities.push_back("tools");
  if (model.can_think) capabilities.push_back("thinking");
  if (model.can_fill_in) capabilities.push_back("insert");
  if (model.can_embed) capabilities.push_back("embedding");
  return json_reply(Json{{"modelfile", ""},
                         {"parameters", ""},
                         {"template", ""},
                         {"details", details_json(model)},
                         {"model_info",
                          {{"general.architecture", model.architecture},
                           {"general.parameter_count", model.n_parameters},
                           {model.architecture + ".context_length", model.context}}},
                         {"capabilities", std::move(capabilities)},
                         {"modified_at", iso_time(model.created)}});
}

HttpReply embed_texts(AppState& state, const HttpRequest& http, std::string_view input, bool one) {
  auto body = body_json(state, http);
  if (!body) return fail(body.error());
  FieldErrors errors;
  Fields fields(*body, "", errors);
  ChatRequest request;
  request.model = fields.text_or_empty("model");
  constexpr size_t kMaxTexts = 256;
  const std::vector<std::string> texts = fields.texts(input, one ? 1 : kMaxTexts);
  if (texts.empty()) fields.fail(input, "expected a string or a list of strings");
  fields.ignore({"keep_alive", "truncate", "options"});
  fields.refuse({"dimensions"});
  fields.finish();
  if (errors.first) return fail(*errors.first);
  const auto model = choose_model(state, request);
  if (!model) return fail(model.error());
  if (!(*model)->can_embed) return fail(invalid("model", "{} makes no embeddings", (*model)->id));
  const auto slot = state.slots.take(http.caller);
  if (!slot) return fail(slot.error());
  const auto made = state.backend.embed((*model)->id, texts);
  if (!made) return fail(made.error());
  if (one) return json_reply(Json{{"embedding", made->rows.at(0)}});
  return json_reply(Json{{"model", (*model)->id}, {"embeddings", made->rows}, {"prompt_eval_count", made->n_tokens}});
}

HttpReply embed(AppState& state, const HttpRequest& http) { return embed_texts(state, http, "input", false); }
HttpReply legacy_embeddings(AppState& state, const HttpRequest& http) { return embed_texts(state, http, "prompt", true); }

HttpReply version(AppState& state, const HttpRequest&) { return json_reply(Json{{"version", state.options.version}}); }

// Nobody who can reach the port may change what is on the disk or make this machine connect to another.
HttpReply on_the_command_line(AppState&, const HttpRequest&) {
  return fail({ErrorKind::kUnsupported, "models are managed on the command line: minke pull, minke ls, minke rm"});
}

constexpr Route kOllamaRoutes[] = {
    {"POST", "/api/generate", generate, Dialect::kOllama},
    {"POST", "/api/chat", chat, Dialect::kOllama},
    {"POST", "/api/embed", embed, Dialect::kOllama},
    {"POST", "/api/embeddings", legacy_embeddings, Dialect::kOllama},
    {"GET", "/api/tags", tags, Dialect::kOllama},
    {"GET", "/api/ps", running, Dialect::kOllama},
    {"POST", "/api/show", show, Dialect::kOllama},
    {"GET", "/api/version", version, Dialect::kOllama},
    {"POST", "/api/pull", on_the_command_line, Dialect::kOllama},
    {"POST", "/api/push", on_the_command_line, Dialect::kOllama},
    {"POST", "/api/create", on_the_command_line, Dialect::kOllama},
    {"POST", "/api/copy", on_the_command_line, Dialect::kOllama},
    {"DELETE", "/api/delete", on_the_command_line, Dialect::kOllama},
};

}  // namespace

std::span<const Route> ollama_routes() { return kOllamaRoutes; }

}  // namespace minke::server
