// Services of the page that say what they were asked, and keep turns in memory.
#pragma once

#include <mutex>
#include <vector>

#include "server/model/page_services.h"

namespace minke::testing {

using namespace server;

class FakeServices final : public PageServices {
 public:
  Outcome<std::string> store_state() override { return say("store_state"); }
  Outcome<std::string> store_create(const std::optional<std::string>& p) override {
    return say("create:" + p.value_or("null"));
  }
  Outcome<std::string> store_unlock(const std::string& p) override { return say("unlock:" + p); }
  Outcome<std::string> store_lock() override { return say("lock"); }
  Outcome<std::string> conversations(const ConversationQuery& q) override {
    return say("list:" + q.text + (q.archived ? (*q.archived ? ":archived" : ":live") : "") +
               (q.folder ? ":" + *q.folder : ""));
  }
  Outcome<std::string> conversation(const std::string& id) override { return say("get:" + id); }
  Outcome<std::string> edit_conversation(const std::string& id, const ConversationEdit& e) override {
    return say("edit:" + id + (e.title ? ":title=" + *e.title : "") + (e.folder ? ":folder=" + *e.folder : "") +
               (e.system ? ":system=" + *e.system : "") + (e.leaf ? ":leaf=" + *e.leaf : "") + (e.pinned ? ":pinned" : ""));
  }
  Outcome<std::string> delete_conversation(const std::string& id) override { return say("delete:" + id); }
  Outcome<std::string> export_conversation(const std::string& id, const std::string& format) override {
    return say("export:" + id + ":" + format);
  }
  Outcome<std::string> import_conversations(const std::string& text) override {
    return say("import:" + std::to_string(text.size()));
  }
  Outcome<std::string> retention() override { return say("retention"); }
  Outcome<std::string> set_retention(std::optional<int64_t> days) override {
    return say("retention:" + (days ? std::to_string(*days) : "null"));
  }
  Outcome<std::string> shred() override { return say("shred"); }
  Outcome<std::string> settings() override { return say("settings"); }
  Outcome<std::string> set_settings(const std::string& json) override { return say("settings:" + std::to_string(json.size())); }
  Outcome<std::string> privacy() override { return say("privacy"); }
  Outcome<std::string> ledger() override { return say("ledger"); }
  Outcome<std::string> runs() override { return say("runs"); }
  Outcome<std::string> run_log(const std::string& id, int64_t after) override {
    return say("log:" + id + ":" + std::to_string(after));
  }
  Outcome<std::string> machine() override { return say("machine"); }
  Outcome<std::string> plan(const std::string&) override { return say("plan"); }

  Outcome<TurnIds> begin_turn(const TurnStart& start) override {
    std::lock_guard lock(mutex);
    if (locked) return tl::unexpected(ApiError{ErrorKind::kLocked, "the store is locked"});
    starts.push_back(start);
    return TurnIds{start.turn.conversation.value_or("new"), "u1", "m1"};
  }
  Outcome<void> end_turn(const TurnEnd& end) override {
    std::lock_guard lock(mutex);
    ends.push_back(end);
    return {};
  }

  std::mutex mutex;  // of all that follow
  bool locked = false;
  std::vector<TurnStart> starts;
  std::vector<TurnEnd> ends;

 private:
  Outcome<std::string> say(const std::string& what) {
    std::lock_guard lock(mutex);
    if (locked) return tl::unexpected(ApiError{ErrorKind::kLocked, "the store is locked"});
    return "{\"asked\":\"" + what + "\"}";
  }
};

}  // namespace minke::testing
