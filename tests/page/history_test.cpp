// The history, the state of the store, and what the page is told about both.
#include <filesystem>
#include <fstream>
#include <thread>

#include "page_support.h"

namespace minke::page {
namespace {

using server::ConversationEdit;
using server::ConversationQuery;
using Titles = std::vector<std::string>;

class History : public PageTest {
 protected:
  void SetUp() override {
    PageTest::SetUp();
    create();
  }
  void edit(const std::string& id, const ConversationEdit& edit) { value_of(services_->edit_conversation(id, edit)); }
  std::string new_chat(const std::string& text) {
    now_ms_ += 1000;
    return say(text, "reply to " + text).conversation;
  }
};

TEST_F(History, ListsPinnedOnesFirstThenTheNewest) {
  const std::string first = new_chat("first");
  const std::string second = new_chat("second");
  const std::string third = new_chat("third");
  EXPECT_EQ(titles(), (Titles{"third", "second", "first"}));
  edit(first, {.title = "pinned", .pinned = true});
  edit(second, {.archived = true});
  EXPECT_EQ(titles({.archived = false}), (Titles{"pinned", "third"}));
  EXPECT_EQ(titles({.archived = true}), Titles{"second"});
  const Json head = value_of(services_->conversations({}))["conversations"][0];
  EXPECT_EQ(head["pinned"], true);
  EXPECT_EQ(head["n_messages"], 2);
  EXPECT_EQ(head["updated_at"], "2027-01-15T08:00:01.000Z");
  edit(third, {.title = ""});
  EXPECT_EQ(conversation(third)["title"], "");
  EXPECT_EQ(error_of(services_->edit_conversation("00", {})), "404 conversation_not_found");
  EXPECT_EQ(error_of(services_->edit_conversation(first, {.title = "\xff"})), "400 ");
  EXPECT_EQ(error_of(services_->edit_conversation(first, {.leaf = "77"})), "400 ");
  EXPECT_EQ(error_of(services_->edit_conversation(first, {.leaf = "x"})), "400 ");
}

TEST_F(History, SearchFindsPartsOfWordsInAnyLanguage) {
  new_chat("대한민국의 수도는?");
  new_chat("capital of Norway");
  EXPECT_EQ(titles({.text = "수도"}), Titles{"대한민국의 수도는?"});
  EXPECT_EQ(titles({.text = "민국"}), Titles{"대한민국의 수도는?"});
  EXPECT_EQ(titles({.text = "NORW"}), Titles{"capital of Norway"});
  EXPECT_EQ(titles({.text = "reply"}).size(), 2u);
  EXPECT_TRUE(titles({.text = "고래"}).empty());
}

TEST_F(History, FoldersAreNamesThatLiveAsLongAsSomethingIsInThem) {
  const std::string a = new_chat("a");
  const std::string b = new_chat("b");
  edit(a, {.folder = "여행"});
  edit(b, {.folder = "여행"});
  EXPECT_EQ(titles({.folder = "여행"}), (Titles{"b", "a"}));
  EXPECT_TRUE(titles({.folder = "other"}).empty());
  edit(a, {.folder = "work"});
  edit(b, {.folder = ""});
  EXPECT_TRUE(conversation(b)["folder"].is_null());
  EXPECT_EQ(conversation(a)["folder"], "work");
  value_of(services_->delete_conversation(a));
  value_of(services_->store_lock());
  services_.reset();
  const auto store = testing::value_of(
      store::Store::open(places().chats, testing::value_of(store::Key::passphrase("고래 whale")), {{1, 8192}}));
  EXPECT_TRUE(store->folders().empty());
}

TEST_F(History, ShowsTheBranchThatWasChosen) {
  const TurnIds first = say("a", "b");
  const TurnIds other = say("a", "c", first.conversation, first.user_message);
  EXPECT_EQ(conversation(first.conversation)["leaf"], other.message);
  edit(first.conversation, {.leaf = first.message});
  EXPECT_EQ(conversation(first.conversation)["leaf"], first.message);
}

TEST_F(History, RepliesHaveTheFieldsThatThePageKnows) {
  const std::string id = new_chat("x");
  EXPECT_EQ(differences(value_of(services_->conversations({}))["conversations"][0], "ConversationHead"), "");
  const Json whole = conversation(id);
  EXPECT_EQ(differences(whole, "Conversation"), "");
  for (const Json& message : whole["messages"]) EXPECT_EQ(differences(message, "Message"), "");
  EXPECT_EQ(differences(value_of(services_->store_state()), "StoreInfo"), "");
  const Json privacy = value_of(services_->privacy());
  EXPECT_EQ(differences(privacy, "Privacy"), "");
  ASSERT_FALSE(privacy["stored"].empty());
  for (const Json& item : privacy["stored"]) EXPECT_EQ(differences(item, "StoredItem"), "");
}

TEST_F(History, ExportsComeBackAsTheyWere) {
  const TurnIds ids = begin("질문");
  ASSERT_TRUE(services_->end_turn({ids, "nano", "답 <!-- minke-message -->", "생각", R"({"prompt_tokens":3})",
                                   R"({"thinking_end":"finished","money":null})", "stop"}));
  say("다른 질문", "other", ids.conversation, std::nullopt);
  const std::string& id = ids.conversation;
  edit(id, {.title = "여행", .folder = "폴더", .system = "be kind", .leaf = "2", .pinned = true});
  new_chat("second");
  const Json before = conversation(id);
  const std::string json = *services_->export_conversation(id, "json");
  const std::string markdown = *services_->export_conversation(id, "markdown");
  const Json value = Json::parse(json);
  EXPECT_EQ(value["title"], "여행");
  EXPECT_EQ(value["folder"], "폴더");
  EXPECT_EQ(value["messages"][0]["content"], "질문");
  EXPECT_NE(markdown.find("# 여행"), std::string::npos);
  const Json again = value_of(services_->import_conversations(json));
  EXPECT_EQ(again["imported"], 0);  // it is there already
  for (const std::string& text : {json, markdown, dump_json(Json{{"conversations", {value}}})}) {
    value_of(services_->delete_conversation(id));
    EXPECT_EQ(titles(), Titles{"second"});
    const Json imported = value_of(services_->import_conversations(text));
    EXPECT_EQ(imported["imported"], 1);
    EXPECT_EQ(imported["ids"], Json::array({id}));
    EXPECT_EQ(conversation(id), before);
  }
  // Two conversations of one folder that is not there make one folder.
  Json other = value;
  other["id"] = std::string(32, 'b');
  value_of(services_->delete_conversation(id));
  EXPECT_EQ(value_of(services_->import_conversations(dump_json(Json{{"conversations", {value, other}}})))["imported"], 2);
  EXPECT_EQ(titles({.folder = "폴더"}).size(), 2u);
}

TEST_F(History, ABadImportChangesNothing) {
  for (const char* bad : {"", "[]", "{}", "7", R"({"conversations": 3})", R"({"conversations": [3]})", R"({"title": "no id"})",
                          R"({"id": "00", "messages": []})", R"({"format": "minke-chats", "version": 2})", "<!-- other -->"}) {
    EXPECT_EQ(error_of(services_->import_conversations(bad)), "400 import") << bad;
  }
  EXPECT_TRUE(titles().empty());
}

TEST_F(History, RetentionDeletesWhatIsTooOld) {
  new_chat("old beluga-canary");
  now_ms_ += 10 * kDayMs;
  new_chat("new");
  EXPECT_TRUE(value_of(services_->retention())["days"].is_null());
  EXPECT_EQ(value_of(services_->set_retention(30))["days"], 30);
  EXPECT_EQ(titles().size(), 2u);
  EXPECT_EQ(value_of(services_->set_retention(7))["days"], 7);
  EXPECT_EQ(titles(), Titles{"new"});
  EXPECT_EQ(value_of(services_->retention())["days"], 7);
  EXPECT_EQ(error_of(services_->set_retention(-1)), "400 ");
  // Not at all: what is there goes, and new ones live in memory only.
  value_of(services_->set_retention(0));
  EXPECT_TRUE(titles().empty());
  new_chat("memory only");
  EXPECT_EQ(titles(), Titles{"memory only"});
  restart();
  value_of(services_->store_unlock("고래 whale"));
  EXPECT_TRUE(titles().empty());
}

TEST_F(History, TheSweepRunsByItself) {
  new_chat("old");
  value_of(services_->set_retention(7));
  services_.reset();
  ServicesOptions options;
  options.places = places();
  std::atomic<int64_t> now = now_ms_;
  options.store = {{1, 8192}, [&] { return now.load(); }};
  options.sweep_every = std::chrono::milliseconds(5);
  services_ = make_services(std::move(options));
  value_of(services_->store_unlock("고래 whale"));
  EXPECT_EQ(titles(), Titles{"old"});
  now += 8 * kDayMs;
  for (int i = 0; i < 1000 && !titles().empty(); i++) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_TRUE(titles().empty());
  services_.reset();  // before the clock that it reads
}

}  // namespace
}  // namespace minke::page
