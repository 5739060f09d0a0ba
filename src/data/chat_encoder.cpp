#include "data/chat_encoder.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tokenizer/bpe/added_tokens.h"

namespace minke {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

// Templates that show the date get this one, the default of Llama's: a shard must not depend on the day it is made.
std::tm fixed_day() {
  std::tm day{};
  day.tm_year = 2024 - 1900;
  day.tm_mon = 6;
  day.tm_mday = 26;
  day.tm_wday = 5;
  day.tm_yday = 207;
  return day;
}

// Masks are exact when parts of a text can be encoded one by one.
Status check_parts(const TokenizerSpec& spec) {
  const bool prepends = std::any_of(spec.normalizer.begin(), spec.normalizer.end(),
                                    [](const NormalizerStep& step) { return step.kind == NormalizerStep::Kind::kPrepend; });
  if (spec.byte_level() && !spec.pre_tokenizer.back().add_prefix_space && !prepends) return {};
  return error("rows of conversations and prompts need a byte-level tokenizer that adds no space in front of a text");
}

std::string without_blanks(std::string_view text) {
  std::string out;
  std::copy_if(text.begin(), text.end(), std::back_inserter(out),
               [](char c) { return kBlanks.find(c) == std::string_view::npos; });
  return out;
}

std::string_view without_end_blanks(std::string_view text) { return text.substr(0, text.find_last_not_of(kBlanks) + 1); }

size_t common_prefix(std::string_view a, std::string_view b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

size_t common_suffix(std::string_view a, std::string_view b) {
  return static_cast<size_t>(std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend()).first - a.rbegin());
}

Json first_messages(const Json& messages, size_t n) {
  return Json(Json::array_t(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(n)));
}

Result<const Json*> messages_of(const Json& row, const char* key) {
  const Json& messages = row[key];
  if (!messages.is_array() || messages.empty())
    return error("{}: expected a list of messages, got {}", key, messages.type_name());
  for (size_t i = 0; i < messages.size(); i++) {
    const Json& message = messages[i];
    if (!message.is_object() || !message.contains("role") || !message["role"].is_string())
      return error("{}[{}]: expected an object with a \"role\" and a \"content\"", key, i);
    if (!message.contains("content") && !message.contains("tool_calls")) return error("{}[{}]: \"content\" is missing", key, i);
    if (message.contains("content") && (message["content"].is_number() || message["content"].is_boolean()))
      return error("{}[{}].content: expected text, got {}", key, i, message["content"].type_name());
  }
  return &messages;
}

}  // namespace

Result<ChatEncoder> ChatEncoder::create(const Tokenizer& tokenizer, const std::string& template_text) {
  ChatEncoder encoder(tokenizer);
  const std::string* own = tokenizer.chat_template();
  if (template_text.empty() && own == nullptr) return encoder;
  encoder.template_ = TRY(jinja::Template::parse(template_text.empty() ? *own : template_text));
  return encoder;
}

Result<std::string> ChatEncoder::render(const Json& row, const Json& messages, bool generation_prompt) const {
  Json variables = {
      {"messages", messages}, {"tools", nullptr}, {"documents", nullptr}, {"add_generation_prompt", generation_prompt}};
  if (row.contains("tools")) variables["tools"] = row["tools"];
  auto add = [&](const char* name, std::optional<TokenId> id) {
    if (id) variables[name] = tokenizer_.token_text(*id);
  };
  add("bos_token", tokenizer_.bos());
  add("eos_token", tokenizer_.eos());
  add("pad_token", tokenizer_.pad());
  add("unk_token", tokenizer_.spec().unk);
  return template_->render(variables, {.now = fixed_day()});
}

Status ChatEncoder::append(EncodedDocument& document, std::string_view text, bool counts) const {
  const std::vector<TokenId> ids = TRY(tokenizer_.encode(text, {.add_special = false, .parse_special = true}));
  document.tokens.insert(document.tokens.end(), ids.begin(), ids.end());
  document.mask.resize(document.tokens.size(), counts ? 1 : 0);
  document.text += text;
  return {};
}

Result<size_t> ChatEncoder::turn_end(std::string_view text) const {
  for (const AddedToken& token : tokenizer_.spec().added) {
    if (is_control(token) && text.ends_with(token.content)) return text.size();
  }
  return error("the chat template ends the assistant's turn without a special token: the model would not learn to stop");
}

// A template that renders the conversation up to a message as the beginning of the whole: the turn is what comes on top of the
// generation prompt. White space at the end of a rendering may be the template's own, between its statements.
Result<ChatEncoder::Turn> ChatEncoder::locate(const Json& row, size_t message, const std::string& whole) const {
  const Json& messages = row["messages"];
  const Result<std::string> before = render(row, first_messages(messages, message), true);
  const Result<std::string> through = render(row, first_messages(messages, message + 1), false);
  const std::string_view prompt = before ? std::string_view(*before) : std::string_view();
  const std::string_view turn = through ? without_end_blanks(*through) : std::string_view();
  const bool is_beginning = before && through && whole.starts_with(turn);
  auto behind = [&](std::string_view start) -> Result<Turn> {
    const size_t length = TRY(turn_end(turn.substr(start.size())));
    return Turn{start.size(), start.size() + length};
  };
  if (is_beginning && turn.starts_with(prompt)) return behind(prompt);
  Result<Turn> found = locate_content(row, message, whole);
  if (found && before && whole.starts_with(prompt) && prompt.size() <= found->end) found->begin = prompt.size();
  if (!found && is_beginning && turn.starts_with(without_end_blanks(prompt))) return behind(without_end_blanks(prompt));
  return found;
}

// Templates that render a message differently when others follow (Qwen3), or end the generation prompt with a text that they
// leave out of the conversation (DeepSeek-R1's "<think>"): where two conversations differ that differ in this message only.
Result<ChatEncoder::Turn> ChatEncoder::locate_content(const Json& row, size_t message, const std::string& whole) const {
  auto failure = [&] { return error("messages[{}]: cannot tell which part of the rendered conversation this is", message); };
  Json messages = row["messages"];
  if (messages[message].contains("tool_calls")) return failure();
  messages[message]["content"] = "Q";
  const std::string one = TRY(render(row, messages, false));
  messages[message]["content"] = "Z";
  const std::string two = TRY(render(row, messages, false));
  const size_t begin = common_prefix(one, two), n_tail = common_suffix(one, two);
  const bool fits = one.size() == two.size() && begin + 1 + n_tail == one.size() && begin + n_tail <= whole.size() &&
                    whole.compare(0, begin, one, 0, begin) == 0 && whole.ends_with(std::string_view(one).substr(begin + 1));
  if (!fits) return failure();
  const std::string_view tail = std::string_view(whole).substr(whole.size() - n_tail);
  const size_t end = std::min(tail.find_first_not_of(kBlanks), tail.size());
  size_t n_token = 0;
  for (const AddedToken& token : tokenizer_.spec().added) {
    if (is_control(token) && tail.substr(end).starts_with(token.content)) n_token = std::max(n_token, token.content.size());
  }
  if (n_token == 0) TRY(turn_end(""));
  return Turn{begin, whole.size() - n_tail + end + n_token};
}

Result<EncodedDocument> ChatEncoder::encode_messages(const Json& row) const {
  TRY(check_parts(tokenizer_.spec()));
  if (!template_) return error("the tokenizer has no chat template: give one");
  const Json& messages = *TRY(messages_of(row, "messages"));
  const std::string whole = TRY(render(row, messages, false));
  EncodedDocument document;
  size_t done = 0, last = messages.size();
  for (size_t i = 0; i < messages.size(); i++) {
    if (messages[i]["role"] != "assistant") continue;
    const Turn turn = TRY(locate(row, i, whole));
    if (turn.begin < done || turn.end < turn.begin) return error("messages[{}]: the template renders messages out of order", i);
    TRY(append(document, std::string_view(whole).substr(done, turn.begin - done), false));
    TRY(append(document, std::string_view(whole).substr(turn.begin, turn.end - turn.begin), true));
    done = turn.end;
    last = i;
  }
  if (last == messages.size()) return error("messages: there is no message of the assistant to learn from");
  TRY(append(document, std::string_view(whole).substr(done), false));
  // What templates drop from earlier answers is meant to be dropped; in the last one it is what there is to learn.
  auto content = messages[last].find("content");
  if (content == messages[last].end() || !content->is_string()) return document;
  if (without_blanks(whole).find(without_blanks(content->get<std::string>())) == std::string::npos) {
    return error(
        "messages[{}]: the chat template leaves out a part of the last answer (its reasoning?): use a row with the messages "
        "before "
        "it as \"prompt\" and the answer as \"completion\"",
        last);
  }
  return document;
}

Result<EncodedDocument> ChatEncoder::encode_prompt(const Json& row) const {
  TRY(check_parts(tokenizer_.spec()));
  if (!template_) return error("the tokenizer has no chat template: give one");
  const Json& messages = *TRY(messages_of(row, "prompt"));
  const std::string rendered = TRY(render(row, messages, true));
  EncodedDocument document;
  TRY(append(document, rendered, false));
  return document;
}

Result<EncodedDocument> ChatEncoder::encode_completion(const Json& row) const {
  TRY(check_parts(tokenizer_.spec()));
  const Json &prompt = row["prompt"], &completion = row["completion"];
  if (!completion.is_string() || completion.get_ref<const std::string&>().empty())
    return error("completion: expected text, got {}", completion.is_string() ? "none" : completion.type_name());
  if (!tokenizer_.eos()) return error("the tokenizer names no eos token to end a completion with");
  EncodedDocument document;
  if (prompt.is_string()) {
    document.tokens = tokenizer_.spec().prefix;
    TRY(append(document, prompt.get_ref<const std::string&>(), false));
  } else {
    document = TRY(encode_prompt(row));
  }
  TRY(append(document, completion.get_ref<const std::string&>(), true));
  document.tokens.push_back(*tokenizer_.eos());
  document.mask.push_back(1);
  return document;
}

}  // namespace minke
