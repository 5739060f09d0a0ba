// A conversation as a model's own template writes it, as tokens: what is the model's markup becomes control tokens, what the
// conversation says never does, whatever it spells. Thoughts are switched as each family wants it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/token_id.h"
#include "chat/spelled_tokens.h"
#include "engine/thought_tracker.h"
#include "jinja/template.h"
#include "tokenizer/tokenizer.h"

namespace minke {

// Where the answer begins: without a thought, with one if the model wants, or inside of one that the prompt has opened.
enum class ThoughtStart { kNone, kMaybe, kOpen };

struct ChatPrompt {
  std::vector<TokenId> tokens;
  ThoughtStart thought = ThoughtStart::kNone;
  bool thought_has_lines = false;  // the thought stands on lines of its own: "<think>\n"
};

// What the answer goes on from, beside the conversation.
struct ChatPrefix {
  std::optional<std::string> thought;
  std::string answer;
};

struct ChatOptions {
  std::optional<bool> thinks;   // none: as the template does it by default
  std::string effort;           // for templates that show one; empty: none
  const Json* tools = nullptr;  // [{"type": "function", "function": {...}}]; null: none
  std::optional<ChatPrefix> prefix;
};

class ChatFormat {
 public:
  // `where` names the template in errors.
  static Result<ChatFormat> create(const Tokenizer& tokenizer, const ThoughtTokens& thought, std::string template_text,
                                   std::string_view where);

  // Messages in OpenAI's form; arguments of tool calls are JSON objects, thoughts are "reasoning_content".
  Result<ChatPrompt> render(const Json& messages, const ChatOptions& options) const;

  // The template speaks of the tokens of thoughts.
  bool can_think() const { return can_think_; }
  const std::string& template_text() const { return text_; }
  // Where a prompt that ends with these tokens stands.
  ThoughtStart start_of(const std::vector<TokenId>& tokens) const;

 private:
  ChatFormat(const Tokenizer& tokenizer, const ThoughtTokens& thought, std::string text, jinja::Template parsed);
  void study_calls();
  Json variables(const Json& messages, const ChatOptions& options) const;
  Json marked_messages(const Json& messages, std::string_view mark) const;
  Result<std::string> render_text(const Json& messages, const ChatOptions& options, std::string_view mark) const;
  Result<std::vector<TokenId>> encode(std::string_view text, std::string_view mark) const;
  // What follows the generation prompt: the prefix, the end of a thought that is not wanted.
  std::string continuation(std::string_view text, ThoughtStart start, const ChatOptions& options, std::string_view mark) const;

  Tokenizer tokenizer_;
  ThoughtTokens thought_;
  std::string text_, open_, close_;
  jinja::Template template_;
  SpelledTokens spelled_;
  SpelledTokens spelled_by_assistant_;  // the tags of its thoughts are what templates cut old thoughts out by
  std::vector<bool> is_control_;        // [vocabulary size]
  bool can_think_ = false;
  bool takes_arguments_as_text_ = false, takes_null_content_ = true;
};

}  // namespace minke
