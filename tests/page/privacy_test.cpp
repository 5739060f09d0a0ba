// Who may open the store, and that nothing of a chat is readable in any file: not while it is kept, nor when it was deleted.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include "hub/net/outbound_log.h"
#include "page_support.h"

namespace minke::page {
namespace {

using Privacy = PageTest;

Json state(const char* name, const char* protection) {
  return {{"state", name}, {"protection", protection != nullptr ? Json(protection) : Json(nullptr)}};
}

constexpr const char* kCanary = "beluga-7f3a-canary";

TEST_F(Privacy, TheStoreIsMadeLockedAndUnlocked) {
  EXPECT_EQ(value_of(services_->store_state()), state("none", nullptr));
  EXPECT_EQ(error_of(services_->conversations({})), "404 no_store");
  EXPECT_EQ(error_of(services_->store_unlock("x")), "404 no_store");
  EXPECT_EQ(error_of(services_->shred()), "404 no_store");
  EXPECT_EQ(error_of(services_->store_create("")), "400 ");
  EXPECT_EQ(value_of(services_->store_create("고래 whale")), state("open", "passphrase"));
  EXPECT_EQ(error_of(services_->store_create("another")), "409 exists");
  EXPECT_EQ(value_of(services_->store_lock()), state("locked", "passphrase"));
  EXPECT_EQ(error_of(services_->store_create("another")), "409 exists");
  EXPECT_EQ(error_of(services_->store_unlock("고래 whales")), "403 wrong_passphrase");
  EXPECT_EQ(error_of(services_->store_unlock("")), "400 ");
  EXPECT_EQ(value_of(services_->store_state()), state("locked", "passphrase"));
  // Decomposed Hangul is the same passphrase.
  EXPECT_EQ(value_of(services_->store_unlock("고래 whale")), state("open", "passphrase"));
}

TEST_F(Privacy, ALockedStoreAnswersLocked) {
  create();
  const std::string id = say("a", "b").conversation;
  restart();
  EXPECT_EQ(error_of(services_->conversations({})), "423 locked");
  EXPECT_EQ(error_of(services_->conversation(id)), "423 locked");
  EXPECT_EQ(error_of(services_->edit_conversation(id, {})), "423 locked");
  EXPECT_EQ(error_of(services_->delete_conversation(id)), "423 locked");
  EXPECT_EQ(error_of(services_->export_conversation(id, "json")), "423 locked");
  EXPECT_EQ(error_of(services_->import_conversations("{}")), "423 locked");
  EXPECT_EQ(error_of(services_->retention()), "423 locked");
  EXPECT_EQ(error_of(services_->set_retention(1)), "423 locked");
  EXPECT_EQ(error_of(services_->settings()), "423 locked");
  EXPECT_EQ(error_of(services_->set_settings("{}")), "423 locked");
  EXPECT_EQ(error_of(services_->shred()), "423 locked");
  EXPECT_EQ(error_of(services_->privacy()), "200");
  EXPECT_EQ(error_of(services_->machine()), "200");
}

TEST_F(Privacy, AStoreWithAKeyFileOpensByItself) {
  EXPECT_EQ(value_of(services_->store_create(std::nullopt)), state("open", "keyfile"));
  say("a", "b");
  restart();
  EXPECT_EQ(value_of(services_->store_state()), state("open", "keyfile"));
  EXPECT_EQ(titles(), std::vector<std::string>{"a"});
  std::filesystem::rename(places().key_file, home() + "/elsewhere");
  restart();
  EXPECT_EQ(value_of(services_->store_state()), state("locked", "keyfile"));
  const auto refused = services_->store_unlock("");
  EXPECT_EQ(error_of(refused), "500 ");
  EXPECT_NE(refused.error().message.find("chats.key"), std::string::npos);
  testing::value_of(store::create_key_file(places().key_file));
  EXPECT_EQ(error_of(services_->store_unlock("")), "403 wrong_key_file");
  std::filesystem::rename(home() + "/elsewhere", places().key_file);
  EXPECT_EQ(value_of(services_->store_unlock("")), state("open", "keyfile"));
  value_of(services_->shred());
  EXPECT_FALSE(std::filesystem::exists(places().key_file));
}

TEST_F(Privacy, AStoreThatAnotherProgramHasIsLockedAndSaysWhy) {
  create();
  ServicesOptions options;
  options.places = places();
  const auto second = make_services(std::move(options));
  EXPECT_EQ(value_of(second->store_state())["state"], "locked");
  EXPECT_EQ(error_of(second->store_unlock("고래 whale")), "409 store_not_usable");
  EXPECT_EQ(error_of(second->store_create("x")), "409 store_not_usable");
}

TEST_F(Privacy, SettingsLieInTheStoreOrNowhere) {
  EXPECT_EQ(*services_->settings(), "{}");
  const std::string settings = std::string(R"({"system":")") + kCanary + R"(","theme":"dark"})";
  EXPECT_EQ(*services_->set_settings(settings), settings);
  EXPECT_EQ(*services_->settings(), settings);
  EXPECT_TRUE(files_with(directory_.path(), "").empty());
  create();
  EXPECT_EQ(*services_->settings(), settings);
  restart();
  value_of(services_->store_unlock("고래 whale"));
  EXPECT_EQ(*services_->settings(), settings);
  EXPECT_TRUE(files_with(directory_.path(), kCanary).empty());
  EXPECT_EQ(error_of(services_->set_settings("[]")), "400 ");
  EXPECT_EQ(error_of(services_->set_settings("{")), "400 ");
  value_of(services_->shred());
  EXPECT_EQ(*services_->settings(), "{}");
}

TEST_F(Privacy, NoFileShowsWhatWasSaid) {
  create();
  const TurnIds kept = say(kCanary, std::string("reply ") + kCanary);
  TurnStart start;
  start.text = kCanary;
  start.system = kCanary;
  start.turn.text = kCanary;
  start.turn.attachments = {{std::string(kCanary) + ".txt", kCanary}};
  const auto with_file = services_->begin_turn(start);
  ASSERT_TRUE(with_file);
  server::ConversationEdit into_folder;
  into_folder.folder = kCanary;
  value_of(services_->edit_conversation(kept.conversation, into_folder));
  EXPECT_FALSE(files_with(directory_.path(), "").empty());
  EXPECT_TRUE(files_with(directory_.path(), kCanary).empty());
  value_of(services_->delete_conversation(kept.conversation));
  value_of(services_->delete_conversation(with_file->conversation));
  for (const std::string& bytes : {std::string(kCanary), kept.conversation}) {
    EXPECT_TRUE(files_with(directory_.path(), bytes).empty());
  }
  say(kCanary, kCanary);
  value_of(services_->shred());
  EXPECT_FALSE(std::filesystem::exists(places().chats));
  EXPECT_TRUE(files_with(directory_.path(), kCanary).empty());
  EXPECT_EQ(value_of(services_->store_state()), state("none", nullptr));
  create("another");
  EXPECT_TRUE(titles().empty());
}

TEST_F(Privacy, EveryStoredByteIsListed) {
  EXPECT_TRUE(value_of(services_->privacy())["stored"].empty());
  value_of(services_->store_create(std::nullopt));
  say("a", "b");
  {
    auto log = testing::value_of(hub::OutboundFile::open(places().outbound));
    for (int i = 0; i < 3; i++) {
      const std::string id = testing::value_of(log.begin({"GET", i < 2 ? "a.example" : "b.example", "/x", "pull a/b"}));
      testing::value_of(log.end(id, {200, 10, 1000, ""}));
    }
  }
  const Json privacy = value_of(services_->privacy());
  uint64_t n_listed = 0, n_there = 0;
  for (const Json& item : privacy["stored"]) {
    n_listed += item["bytes"].get<uint64_t>();
    const std::string path = item["path"];
    EXPECT_EQ(item["encrypted"], path.find("/chats/") != std::string::npos) << path;
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(home())) {
    if (entry.is_regular_file()) n_there += entry.file_size();
  }
  EXPECT_EQ(n_listed, n_there);
  ASSERT_EQ(privacy["outbound"].size(), 2u);
  const Json& newest = privacy["outbound"][0];
  EXPECT_EQ(newest["host"], "b.example");
  EXPECT_EQ(privacy["outbound"][1]["bytes"], 2020);
  EXPECT_EQ(privacy["outbound"][1]["n_requests"], 2);
}

// Who writes pages made from chats may do so while the store is open, and is told of every deletion.
TEST_F(Privacy, PagesAreLentWhileTheStoreIsOpen) {
  using Told = std::vector<std::string>;
  const auto told = [&] { return std::exchange(told_, {}); };
  EXPECT_EQ(told(), Told{});
  create();
  EXPECT_EQ(told(), Told{"opened"});
  EXPECT_EQ(pages_, places().chats + "/pages");
  const std::string key = key_;
  EXPECT_EQ(key.size(), 32u);
  value_of(services_->store_lock());
  EXPECT_EQ(told(), Told{"closing"});
  EXPECT_NE(error_of(services_->store_unlock("wrong")), "200");
  restart();
  EXPECT_EQ(told(), Told{});
  value_of(services_->store_unlock("고래 whale"));
  EXPECT_EQ(told(), Told{"opened"});
  EXPECT_EQ(key_, key);
  const std::string a = say("a", "b").conversation, b = say("c", "d").conversation;
  EXPECT_EQ(told(), Told{});
  const auto write_page = [&] {
    std::filesystem::create_directories(pages_);
    std::ofstream(pages_ + "/00.kv") << "sealed bytes";
    std::ofstream(pages_ + "/lock");
  };
  const auto has_page = [&] { return std::filesystem::exists(places().chats + "/pages/00.kv"); };
  write_page();
  const Json shown = value_of(services_->privacy());
  EXPECT_EQ(std::ranges::count_if(
                shown["stored"],
                [&](const Json& item) { return item["path"] == pages_ && item["bytes"] == 12 && item["encrypted"] == true; }),
            1);
  value_of(services_->delete_conversation(a));
  EXPECT_EQ(told(), Told{"deleted"});
  EXPECT_FALSE(has_page());
  EXPECT_TRUE(std::filesystem::exists(pages_ + "/lock")) << "whoever holds it still does";
  write_page();
  value_of(services_->set_retention(30));
  EXPECT_EQ(told(), Told{});
  EXPECT_TRUE(has_page());
  now_ms_ += 31 * kDayMs;
  value_of(services_->set_retention(29));
  EXPECT_EQ(told(), Told{"deleted"});
  EXPECT_FALSE(has_page());
  EXPECT_EQ(error_of(services_->conversation(b)), "404 conversation_not_found");
  write_page();
  value_of(services_->set_retention(0));
  EXPECT_EQ(told(), Told{"closing"});
  EXPECT_FALSE(has_page());
  value_of(services_->set_retention(std::nullopt));
  EXPECT_EQ(told(), Told{"opened"});
  write_page();
  value_of(services_->shred());
  EXPECT_EQ(told(), (Told{"deleted", "closing"}));
  EXPECT_FALSE(std::filesystem::exists(places().chats));
  create();
  EXPECT_NE(key_, key);
  services_.reset();
  EXPECT_EQ(told(), (Told{"opened", "closing"}));
}

}  // namespace
}  // namespace minke::page
