// What the page asks for beside answers: conversations, privacy, the ledger, the machine. Each function answers with the JSON
// text of the reply (docs/server.md) and may block: the server calls it from a pool of threads, several at once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/model/api_error.h"
#include "server/model/chat_request.h"

namespace minke::server {

struct ConversationQuery {
  std::string text = {};
  std::optional<bool> archived = std::nullopt;
  std::optional<std::string> folder = std::nullopt;
};

// None of the fields that are not set change; a folder or a system prompt of "" is none.
struct ConversationEdit {
  std::optional<std::string> title = std::nullopt, folder = std::nullopt, system = std::nullopt;
  std::optional<std::string> leaf = std::nullopt;  // the message that ends the branch which is shown
  std::optional<bool> pinned = std::nullopt, archived = std::nullopt;
};

struct TurnStart {
  PageTurn turn;
  std::string text;    // the user's message, as the model reads it
  std::string system;  // the system prompt; empty: none
};

struct TurnIds {
  std::string conversation, user_message, message;  // empty: nothing is kept
};

// The end of a turn, whichever way it ended.
struct TurnEnd {
  TurnIds ids;
  std::string model, content, reasoning;
  std::string usage_json, timings_json;  // empty when the model did not come to its end
  std::string finish_reason;             // OpenAI's; "stop" of an answer that the user stopped, "error" of one that failed
};

class PageServices {
 public:
  virtual ~PageServices() = default;

  virtual Outcome<std::string> store_state() = 0;
  virtual Outcome<std::string> store_create(const std::optional<std::string>& passphrase) = 0;
  virtual Outcome<std::string> store_unlock(const std::string& passphrase) = 0;
  virtual Outcome<std::string> store_lock() = 0;
  virtual Outcome<std::string> conversations(const ConversationQuery& query) = 0;
  virtual Outcome<std::string> conversation(const std::string& id) = 0;
  virtual Outcome<std::string> edit_conversation(const std::string& id, const ConversationEdit& edit) = 0;
  virtual Outcome<std::string> delete_conversation(const std::string& id) = 0;
  // The text of a file; format is "json" or "markdown".
  virtual Outcome<std::string> export_conversation(const std::string& id, const std::string& format) = 0;
  virtual Outcome<std::string> import_conversations(const std::string& text) = 0;
  virtual Outcome<std::string> retention() = 0;
  virtual Outcome<std::string> set_retention(std::optional<int64_t> days) = 0;
  virtual Outcome<std::string> shred() = 0;
  virtual Outcome<std::string> settings() = 0;
  virtual Outcome<std::string> set_settings(const std::string& json) = 0;
  virtual Outcome<std::string> privacy() = 0;
  virtual Outcome<std::string> ledger() = 0;
  virtual Outcome<std::string> runs() = 0;
  virtual Outcome<std::string> run_log(const std::string& id, int64_t after_step) = 0;
  virtual Outcome<std::string> machine() = 0;
  virtual Outcome<std::string> plan(const std::string& json) = 0;

  // Keeps the user's message before the first byte of the reply, and the reply before its last: what the page has seen whole is
  // on the disk. A parent that is a message of the user which the request repeats is answered again; nothing of it is kept
  // anew.
  virtual Outcome<TurnIds> begin_turn(const TurnStart& start) = 0;
  virtual Outcome<void> end_turn(const TurnEnd& end) = 0;
};

}  // namespace minke::server
