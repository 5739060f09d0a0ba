// The store of chats behind the page: opened and locked at run time, ids of the page, turns of a generation.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <utility>

#include "page/chats/shapes.h"
#include "page/outcome.h"
#include "page/places.h"
#include "page/store_watch.h"
#include "server/model/page_services.h"
#include "store/store.h"

namespace minke::page {

// Every function may be called from any thread. Without a store nothing is kept: settings live in memory, and turns nowhere.
class Chats {
 public:
  // Opens a store that needs no passphrase.
  Chats(Places places, store::StoreOptions options, StoreWatch watch);
  ~Chats();

  Outcome<std::string> state();
  // Without a passphrase the key is a file.
  Outcome<std::string> create(const std::optional<std::string>& passphrase);
  // A store with a key file needs no passphrase, so it is not looked at.
  Outcome<std::string> unlock(const std::string& passphrase);
  // Waits for calls that run.
  Outcome<std::string> lock();
  Outcome<std::string> shred();

  Outcome<std::string> retention();
  Outcome<std::string> set_retention(std::optional<int64_t> days);
  Outcome<std::string> settings();
  Outcome<std::string> set_settings(const std::string& json);
  // Deletes what is too old, if the store is open.
  void sweep();

  Outcome<std::string> list(const server::ConversationQuery& query);
  Outcome<std::string> get(const std::string& id);
  Outcome<std::string> edit(const std::string& id, const server::ConversationEdit& edit);
  Outcome<std::string> remove(const std::string& id);
  Outcome<std::string> export_one(const std::string& id, const std::string& format);
  Outcome<std::string> import(const std::string& text);

  Outcome<server::TurnIds> begin_turn(const server::TurnStart& start);
  Outcome<void> end_turn(const server::TurnEnd& end);

 private:
  // The store cannot be locked, shredded or replaced as long as this lives.
  struct Use {
    std::shared_lock<std::shared_mutex> guard;
    store::Store* store;
  };
  struct UserMessage {
    int64_t number = 0;
    bool is_new = true;
  };
  using Turn = std::pair<store::Id, int64_t>;  // a conversation, the number of the reply

  Outcome<Use> use();
  Outcome<void> open(const store::Key& key);
  tl::unexpected<ApiError> refuse_closed();
  bool is_open();
  // Under opening_, after the store was opened or its retention changed, and before it goes.
  void lend_pages();
  void take_pages_back();
  Outcome<void> tell_deleted() const;

  Outcome<store::ConversationHead> head_of(const store::Store& store, const std::string& id) const;
  Outcome<store::ConversationChange> change_of(store::Store& store, const store::ConversationHead& head,
                                               const server::ConversationEdit& edit);
  Outcome<UserMessage> user_message(store::Store& store, const store::ConversationHead& head, const server::TurnStart& start);
  // A reply that is still being written is waited for: who stops one and goes on at once names it as parent.
  void wait_for(const Turn& turn);
  bool is_pending(const Turn& turn);

  const Places places_;
  const store::StoreOptions options_;
  const StoreWatch watch_;
  std::mutex opening_;                      // one at a time opens, locks or shreds
  std::optional<store::KeyKind> key_kind_;  // of the store that is open; under opening_
  bool lends_pages_ = false;                // under opening_
  std::shared_mutex store_mutex_;           // of the pointer
  std::unique_ptr<store::Store> store_;
  std::mutex edit_;  // folders are found by name and made
  std::mutex settings_mutex_;
  std::string settings_ = "{}";  // while there is no store
  std::mutex pending_mutex_;
  std::condition_variable turn_ended_;
  std::set<Turn> pending_;
};

}  // namespace minke::page
