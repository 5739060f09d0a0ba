#include "page/services.h"

#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "page/chats/chats.h"
#include "page/figures/runs.h"
#include "page/outcome.h"

namespace minke::page {
namespace {

using server::ConversationEdit;
using server::ConversationQuery;

class Services final : public server::PageServices {
 public:
  explicit Services(ServicesOptions options)
      : options_(std::move(options)),
        chats_(options_.places, options_.store, options_.watch),
        machine_(options_.live),
        sweeper_([this](const std::stop_token& stop) { sweep_until(stop); }) {}

  Outcome<std::string> store_state() override { return chats_.state(); }
  Outcome<std::string> store_create(const std::optional<std::string>& passphrase) override { return chats_.create(passphrase); }
  Outcome<std::string> store_unlock(const std::string& passphrase) override { return chats_.unlock(passphrase); }
  Outcome<std::string> store_lock() override { return chats_.lock(); }
  Outcome<std::string> conversations(const ConversationQuery& query) override { return chats_.list(query); }
  Outcome<std::string> conversation(const std::string& id) override { return chats_.get(id); }
  Outcome<std::string> edit_conversation(const std::string& id, const ConversationEdit& edit) override {
    return chats_.edit(id, edit);
  }
  Outcome<std::string> delete_conversation(const std::string& id) override { return chats_.remove(id); }
  Outcome<std::string> export_conversation(const std::string& id, const std::string& format) override {
    return chats_.export_one(id, format);
  }
  Outcome<std::string> import_conversations(const std::string& text) override { return chats_.import(text); }
  Outcome<std::string> retention() override { return chats_.retention(); }
  Outcome<std::string> set_retention(std::optional<int64_t> days) override { return chats_.set_retention(days); }
  Outcome<std::string> shred() override { return chats_.shred(); }
  Outcome<std::string> settings() override { return chats_.settings(); }
  Outcome<std::string> set_settings(const std::string& json) override { return chats_.set_settings(json); }
  Outcome<std::string> privacy() override;
  Outcome<std::string> ledger() override { return ledger_text(options_.places.ledger); }
  Outcome<std::string> runs() override { return runs_text(options_.places.ledger); }
  Outcome<std::string> run_log(const std::string& id, int64_t after_step) override {
    return run_log_text(options_.places.ledger, id, after_step);
  }
  Outcome<std::string> machine() override { return dump_json(machine_.now()); }
  Outcome<std::string> plan(const std::string& json) override {
    if (!options_.plan) return refusal(ErrorKind::kUnsupported, "this server has no planner");
    return options_.plan(json);
  }
  Outcome<server::TurnIds> begin_turn(const server::TurnStart& start) override { return chats_.begin_turn(start); }
  Outcome<void> end_turn(const server::TurnEnd& end) override { return chats_.end_turn(end); }

 private:
  void sweep_until(const std::stop_token& stop) {
    std::unique_lock guard(sweep_mutex_);
    while (!stop.stop_requested()) {
      sweep_timer_.wait_for(guard, stop, options_.sweep_every, [] { return false; });
      if (!stop.stop_requested()) chats_.sweep();
    }
  }

  const ServicesOptions options_;
  Chats chats_;
  Machine machine_;
  std::mutex sweep_mutex_;
  std::condition_variable_any sweep_timer_;
  std::jthread sweeper_;  // the last: it ends before what it uses
};

Outcome<std::string> Services::privacy() {
  const auto outbound = outbound_items(options_.places);
  if (!outbound) return failure(outbound.error());
  return dump_json(privacy_json(stored_items(options_.places), *outbound));
}

}  // namespace

std::unique_ptr<server::PageServices> make_services(ServicesOptions options) {
  return std::make_unique<Services>(std::move(options));
}

}  // namespace minke::page
