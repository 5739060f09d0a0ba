// POST /v1/completions: text that goes on, and text that is filled in between a prompt and a suffix.
#include <nlohmann/json.hpp>

#include "server/app_state.h"
#include "server/dialect/openai_chat_request.h"
#include "server/dialect/openai_parts.h"

namespace minke::server {
namespace {

constexpr size_t kMaxPrompts = 64;
constexpr int64_t kMaxLegacyLogprobs = 5;

struct TextCompletion {
  std::vector<ChatRequest> requests;
  const ModelInfo* model = nullptr;
  bool streams = false, wants_usage = false;
};

bool is_token_list(const Json& value) {
  if (!value.is_array() || value.empty()) return false;
  for (const Json& item : value) {
    if (!item.is_number_unsigned() || item.get<uint64_t>() > INT32_MAX) return false;
  }
  return true;
}

bool set_prompt(const Json& value, ChatRequest& request) {
  if (value.is_string()) {
    request.prompt = value.get<std::string>();
    return true;
  }
  if (!is_token_list(value)) return false;
  request.prompt_tokens = value.get<std::vector<int32_t>>();
  return true;
}

// A string, a list of tokens, or a list of either.
std::vector<ChatRequest> read_prompts(Fields& fields, const ChatRequest& common) {
  const Json* value = fields.any("prompt");
  std::vector<ChatRequest> out(1, common);
  if (value == nullptr) {
    fields.fail("prompt", "is missing");
    return out;
  }
  if (set_prompt(*value, out[0])) return out;
  if (!value->is_array() || value->empty() || value->size() > kMaxPrompts) {
    fields.fail("prompt", fmt::format("expected a string, a list of tokens, or a list of 1 to {} of them", kMaxPrompts));
    return out;
  }
  out.resize(value->size(), common);
  for (size_t i = 0; i < out.size(); ++i) {
    if (!set_prompt((*value)[i], out[i])) fields.fail(fmt::format("prompt[{}]", i), "expected a string or a list of tokens");
  }
  if (static_cast<int64_t>(out.size()) * common.n_choices > static_cast<int64_t>(kMaxPrompts))
    fields.fail("n", fmt::format("expected at most {} answers to all prompts together", kMaxPrompts));
  return out;
}

Outcome<TextCompletion> parse_completion(const AppState& state, const Json& body) {
  FieldErrors errors;
  Fields fields(body, "", errors);
  ChatRequest common;
  common.kind = RequestKind::kCompletion;
  common.raw_prompt = true;
  common.model = fields.text_or_empty("model");
  read_sampling(fields, common);
  read_max_tokens(fields, {"max_tokens"}, common);
  if (!common.max_tokens) common.max_tokens = 16;  // OpenAI's default here
  if (const auto n = fields.integer("logprobs", 0, kMaxLegacyLogprobs)) common.sampling.n_logprobs = static_cast<int>(*n);
  if (const auto suffix = fields.text("suffix"); suffix && !suffix->empty()) {
    common.kind = RequestKind::kFillInMiddle;
    common.suffix = *suffix;
  }
  TextCompletion out;
  out.streams = fields.boolean("stream").value_or(false);
  out.wants_usage = read_stream_options(fields, errors);
  if (const auto best = fields.integer("best_of", 1, kMaxChoices); best && *best != common.n_choices)
    fields.fail("best_of", "is not supported: ask for n answers and choose");
  fields.ignore({"user"});
  fields.refuse({"echo"});
  out.requests = read_prompts(fields, common);
  fields.finish();
  if (errors.first) return tl::unexpected(std::move(*errors.first));
  for (ChatRequest& request : out.requests) {
    auto model = choose_model(state, request);
    if (!model) return tl::unexpected(std::move(model.error()));
    out.model = *model;
  }
  return out;
}

// {"tokens", "token_logprobs", "top_logprobs", "text_offset"}; offsets count characters of the whole text.
class LegacyLogprobs {
 public:
  Json json(const std::vector<PieceLogprob>& pieces) {
    if (pieces.empty()) return nullptr;
    Json out{{"tokens", Json::array()},
             {"token_logprobs", Json::array()},
             {"top_logprobs", Json::array()},
             {"text_offset", Json::array()}};
    for (const PieceLogprob& piece : pieces) {
      const Json full = openai_logprob(piece);
      out["tokens"].push_back(full["token"]);
      out["token_logprobs"].push_back(full["logprob"]);
      Json top = Json::object();
      for (const Json& other : full["top_logprobs"]) top[other["token"].get<std::string>()] = other["logprob"];
      out["top_logprobs"].push_back(std::move(top));
      out["text_offset"].push_back(offset_);
      for (const char c : piece.bytes) offset_ += (c & 0xC0) != 0x80 ? 1 : 0;
    }
    return out;
  }

 private:
  int64_t offset_ = 0;
};

class CompletionWriter final : public ReplyWriter {
 public:
  CompletionWriter(ReplyHead head, bool streams, bool wants_usage)
      : head_(std::move(head)),
        streams_(streams),
        wants_usage_(wants_usage),
        collected_(head_.n_choices),
        logprobs_(static_cast<size_t>(head_.n_choices)) {}

  bool streams() const override { return streams_; }

  void write(const ReplyEvent& event, std::string& out) override {
    if (!streams_) return collected_.add(event);
    if (const auto* text = std::get_if<AnswerText>(&event)) {
      chunk(text->choice, {{"text", text->text}}, text->logprobs, nullptr, out);
    } else if (const auto* thought = std::get_if<ThoughtText>(&event)) {
      chunk(thought->choice, {{"text", ""}, {"reasoning_content", thought->text}}, {}, nullptr, out);
    } else if (const auto* end = std::get_if<ChoiceEnd>(&event)) {
      chunk(end->choice, {{"text", ""}}, {}, openai_finish_name(end->reason), out);
    } else if (const auto* error = std::get_if<ApiError>(&event)) {
      append_sse(out, error_json(Dialect::kOpenAi, *error));
      out += "data: [DONE]\n\n";
    } else if (const auto* done = std::get_if<Done>(&event)) {
      if (wants_usage_) {
        Json data = frame();
        data["choices"] = Json::array();
        data["usage"] = usage_json(*done);
        append_sse(out, data);
      }
      out += "data: [DONE]\n\n";
    }
  }

  HttpReply finish() override {
    if (collected_.error) return error_reply(Dialect::kOpenAi, *collected_.error);
    Json body = frame();
    body["choices"] = Json::array();
    for (int i = 0; i < head_.n_choices; ++i) {
      const auto index = static_cast<size_t>(i);
      const CollectedChoice& choice = collected_.choices[index];
      Json row{{"text", choice.answer}};
      if (!choice.thought.empty()) row["reasoning_content"] = choice.thought;
      const ChoiceFinish finish = choice.end ? choice.end->reason : ChoiceFinish::kCancelled;
      body["choices"].push_back(row_json(i, std::move(row), choice.answer_logprobs, openai_finish_name(finish)));
    }
    body["usage"] = usage_json(collected_.done.value_or(Done{}));
    return json_reply(body);
  }

 private:
  Json frame() const {
    return Json{
        {"id", "cmpl-" + head_.request}, {"object", "text_completion"}, {"created", head_.created}, {"model", head_.model}};
  }
  Json row_json(int choice, Json row, const std::vector<PieceLogprob>& pieces, const Json& finish) {
    row["index"] = choice;
    row["logprobs"] = logprobs_[static_cast<size_t>(choice)].json(pieces);
    row["finish_reason"] = finish;
    return row;
  }
  void chunk(int choice, Json row, const std::vector<PieceLogprob>& pieces, const Json& finish, std::string& out) {
    Json data = frame();
    data["choices"] = Json::array();
    data["choices"].push_back(row_json(choice, std::move(row), pieces, finish));
    if (wants_usage_) data["usage"] = nullptr;
    append_sse(out, data);
  }

  ReplyHead head_;
  bool streams_, wants_usage_;
  ReplyCollector collected_;
  std::vector<LegacyLogprobs> logprobs_;
};

HttpReply completions(AppState& state, const HttpRequest& http) {
  auto body = body_json(state, http);
  if (!body) return error_reply(Dialect::kOpenAi, body.error());
  auto parsed = parse_completion(state, *body);
  if (!parsed) return error_reply(Dialect::kOpenAi, parsed.error());
  const auto n_choices = static_cast<int>(parsed->requests.size()) * parsed->requests[0].n_choices;
  ReplyHead head = new_reply_head(*parsed->model, n_choices);
  auto writer = std::make_unique<CompletionWriter>(head, parsed->streams, parsed->wants_usage);
  return start_generation(state, http, Dialect::kOpenAi, std::move(head), std::move(parsed->requests), std::move(writer));
}

constexpr Route kCompletionRoutes[] = {
    {"POST", "/v1/completions", completions},
    {"POST", "/completions", completions},
    {"POST", "/beta/completions", completions},
};

}  // namespace

std::span<const Route> completion_routes() { return kCompletionRoutes; }

}  // namespace minke::server
