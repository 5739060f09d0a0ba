#include "chat/chat_format.h"

#include <nlohmann/json.hpp>

namespace minke {
namespace {

// What a template makes of a conversation with a call; empty when it refuses it.
std::string rendered_call(const jinja::Template& parsed, Json variables, const Json& content, const Json& arguments) {
  const Json call = {{"id", "a"}, {"type", "function"}, {"function", {{"name", "f"}, {"arguments", arguments}}}};
  variables["messages"] = Json::array({{{"role", "user"}, {"content", "q"}},
                                       {{"role", "assistant"}, {"content", content}, {"tool_calls", Json::array({call})}},
                                       {{"role", "tool"}, {"content", "r"}, {"tool_call_id", "a"}, {"name", "f"}}});
  return parsed.render(variables).value_or("");
}

}  // namespace

ChatFormat::ChatFormat(const Tokenizer& tokenizer, const ThoughtTokens& thought, std::string text, jinja::Template parsed)
    : tokenizer_(tokenizer),
      thought_(thought),
      text_(std::move(text)),
      open_(tokenizer.token_text(thought.open)),
      close_(tokenizer.token_text(thought.close)),
      template_(std::move(parsed)),
      spelled_(tokenizer),
      spelled_by_assistant_(tokenizer, {open_, close_}),
      is_control_(static_cast<size_t>(tokenizer.vocab_size())) {
  for (const AddedToken& token : tokenizer.spec().added) is_control_[static_cast<size_t>(token.id)] = is_markup(token);
  const auto mentions = [&](const std::string& tag) { return !tag.empty() && text_.find(tag) != std::string::npos; };
  can_think_ = thought.open >= 0 && thought.close >= 0 && (mentions(open_) || mentions(close_));
  study_calls();
}

// Some templates know a message that only calls tools by its content being null, others cannot read such a content. Some write
// the arguments as JSON by themselves, others paste what they are given. What shows the arguments as they should be is right;
// syntaxes with a mark around each value show at least the value.
void ChatFormat::study_calls() {
  const Json all = variables(Json::array(), ChatOptions{});
  const Json arguments = {{"city", "Seoul"}};
  const std::string pasted_object = "'city'";
  for (const std::string wanted : {R"({"city")", "Seoul"}) {
    for (const bool is_null : {true, false}) {
      for (const bool is_text : {false, true}) {
        const std::string text =
            rendered_call(template_, all, is_null ? Json(nullptr) : Json(""), is_text ? Json(dump_json(arguments)) : arguments);
        if (text.find(wanted) == text.npos || text.find(pasted_object) != text.npos) continue;
        takes_null_content_ = is_null;
        takes_arguments_as_text_ = is_text;
        return;
      }
    }
  }
}

Result<ChatFormat> ChatFormat::create(const Tokenizer& tokenizer, const ThoughtTokens& thought, std::string template_text,
                                      std::string_view where) {
  jinja::Template parsed = TRY_IN(where, jinja::Template::parse(template_text));
  return ChatFormat(tokenizer, thought, std::move(template_text), std::move(parsed));
}

Json ChatFormat::variables(const Json& messages, const ChatOptions& options) const {
  Json out = {{"messages", messages}, {"add_generation_prompt", true}, {"tools", nullptr}, {"documents", nullptr}};
  const auto text_of = [&](std::optional<TokenId> id) { return id ? tokenizer_.token_text(*id) : std::string(); };
  out["bos_token"] = text_of(tokenizer_.bos());
  out["eos_token"] = text_of(tokenizer_.eos());
  out["pad_token"] = text_of(tokenizer_.pad());
  if (options.thinks) {
    // Two spellings are in use: Qwen3's and HyperCLOVA's, and DeepSeek-V3.1's.
    out["enable_thinking"] = *options.thinks;
    out["thinking"] = *options.thinks;
  }
  if (!options.effort.empty()) out["reasoning_effort"] = options.effort;
  return out;
}

Json ChatFormat::marked_messages(const Json& messages, std::string_view mark) const {
  Json out = Json::array();
  for (const Json& message : messages) {
    Json marked = spelled_.marked(message, mark);
    if (message.value("role", "") == "assistant" && message.contains("content")) {
      marked["content"] = spelled_by_assistant_.marked(message["content"], mark);
    }
    if (!takes_null_content_ && marked.contains("content") && marked["content"].is_null()) marked["content"] = "";
    for (size_t i = 0; takes_arguments_as_text_ && marked.contains("tool_calls") && i < marked["tool_calls"].size(); i++) {
      Json& function = marked["tool_calls"][i]["function"];
      if (function.contains("arguments") && !function["arguments"].is_string())
        function["arguments"] = dump_json(function["arguments"]);
    }
    out.push_back(std::move(marked));
  }
  return out;
}

Result<std::string> ChatFormat::render_text(const Json& messages, const ChatOptions& options, std::string_view mark) const {
  Json all = variables(marked_messages(messages, mark), options);
  if (options.tools != nullptr) all["tools"] = spelled_.marked(*options.tools, mark);
  return template_.render(all);
}

Result<std::vector<TokenId>> ChatFormat::encode(std::string_view text, std::string_view mark) const {
  const BrokenText broken = SpelledTokens::without_marks(text, mark);
  return tokenizer_.encode(broken.text, {.add_special = false, .parse_special = true, .breaks = broken.breaks});
}

ThoughtStart ChatFormat::start_of(const std::vector<TokenId>& tokens) const {
  if (!can_think_) return ThoughtStart::kNone;
  for (auto token = tokens.rbegin(); token != tokens.rend(); ++token) {
    if (*token == thought_.open) return ThoughtStart::kOpen;
    if (*token == thought_.close) return ThoughtStart::kNone;
    if (is_control_[static_cast<size_t>(*token)]) break;
  }
  return ThoughtStart::kMaybe;
}

std::string ChatFormat::continuation(std::string_view text, ThoughtStart start, const ChatOptions& options,
                                     std::string_view mark) const {
  const bool has_lines = text.ends_with(open_ + "\n");
  const std::string end = has_lines ? "\n" + close_ + "\n\n" : close_;
  if (!options.prefix) return start == ThoughtStart::kOpen && options.thinks == false ? end : "";
  std::string out;
  const ChatPrefix& prefix = *options.prefix;
  if (prefix.thought && can_think_) {
    if (start != ThoughtStart::kOpen) out += open_;
    out += spelled_.marked(std::string_view(*prefix.thought), mark);
    if (!prefix.answer.empty()) out += end;
  } else if (start == ThoughtStart::kOpen) {
    out += end;  // the answer has begun, so there is no thought any more
  }
  return out + spelled_.marked(std::string_view(prefix.answer), mark);
}

Result<ChatPrompt> ChatFormat::render(const Json& messages, const ChatOptions& options) const {
  Json texts = Json::array({messages});
  if (options.tools != nullptr) texts.push_back(*options.tools);
  if (options.prefix) texts.push_back(options.prefix->answer + options.prefix->thought.value_or(""));
  const std::string mark = TRY(SpelledTokens::choose_mark(texts));
  std::string text = TRY(render_text(messages, options, mark));
  ChatPrompt prompt;
  prompt.tokens = TRY(encode(text, mark));
  prompt.thought = start_of(prompt.tokens);
  prompt.thought_has_lines = can_think_ && text.ends_with(open_ + "\n");
  if (const std::string more = continuation(text, prompt.thought, options, mark); !more.empty()) {
    prompt.tokens = TRY(encode(text + more, mark));
    prompt.thought = start_of(prompt.tokens);
  }
  // Behind the beginning of an answer no thought is opened any more.
  const bool has_begun = options.prefix && !options.prefix->answer.empty();
  if (prompt.thought == ThoughtStart::kMaybe && (options.thinks == false || has_begun)) prompt.thought = ThoughtStart::kNone;
  return prompt;
}

}  // namespace minke
