// Conversations, their trees, folders and retention: what is written comes back, also after the store was closed.
#include <cstdlib>

#include "store_support.h"

namespace minke::store {
namespace {

using testing::value_of;

class Conversations : public StoreTest {};

TEST_F(Conversations, EverythingComesBackAfterClosing) {
  const Id id = conversation("고래 whales");
  const int64_t question = say(id, Role::kUser, "몇 마리?", 0);
  const Message answer = full_message(question, "셋 \"3\"\n");
  EXPECT_EQ(value_of(store_->append(id, answer)), 2);
  const Conversation before = load(id);
  reopen();
  const Conversation after = load(id);
  EXPECT_EQ(after.head, before.head);
  EXPECT_EQ(after.messages, before.messages);
  ASSERT_EQ(after.messages.size(), 2u);
  Message expected = answer;
  expected.number = 2;
  EXPECT_EQ(after.messages[1], expected);
  EXPECT_EQ(after.messages[0].created_ms, now_ms_);
  EXPECT_TRUE(after.damaged.empty());
}

TEST_F(Conversations, AnEditAndASecondAnswerAreBranches) {
  const Id id = conversation();
  const int64_t question = say(id, Role::kUser, "how many?", 0);
  const int64_t answer = say(id, Role::kAssistant, "two", question);
  const int64_t again = say(id, Role::kAssistant, "three", question);
  const int64_t edited = say(id, Role::kUser, "how many blue ones?", 0);
  reopen();
  const Conversation tree = load(id);
  const auto contents = [&](int64_t number) {
    std::string text;
    for (const Message* message : path_to(tree, number)) text += message->content + "/";
    return text;
  };
  EXPECT_EQ(contents(answer), "how many?/two/");
  EXPECT_EQ(contents(again), "how many?/three/");
  EXPECT_EQ(contents(edited), "how many blue ones?/");
  EXPECT_EQ(contents(99), "");
  EXPECT_EQ(tree.head.current, edited);
  value_of(store_->change(id, {.current = answer}));
  EXPECT_EQ(head(id).current, answer);
  EXPECT_ERROR(store_->change(id, {.current = 99}), "there is no message 99");
  Message orphan;
  orphan.parent = 99;
  EXPECT_ERROR(store_->append(id, orphan), "there is no message 99 to follow");
  EXPECT_EQ(load(id).messages.size(), 4u);
}

TEST_F(Conversations, ABranchIsRemovedWithAllThatFollows) {
  for (bool temporary : {false, true}) {
    const Id id = conversation("t", temporary);
    const int64_t question = say(id, Role::kUser, "q", 0);
    const int64_t first = say(id, Role::kAssistant, "a", question);
    const int64_t second = say(id, Role::kAssistant, "b", question);
    say(id, Role::kUser, "after a", first);
    EXPECT_EQ(head(id).current, 4);
    value_of(store_->remove_branch(id, first));
    const Conversation left = load(id);
    ASSERT_EQ(left.messages.size(), 2u);
    EXPECT_EQ(left.messages[1].number, second);
    EXPECT_EQ(left.head.current, question);
    EXPECT_EQ(say(id, Role::kUser, "c", second), 5) << "numbers are not used again";
    EXPECT_ERROR(store_->remove_branch(id, first), "there is no message 2");
  }
}

TEST_F(Conversations, PinnedFirstThenTheNewest) {
  const Id a = conversation("a");
  now_ms_ += 1000;
  const Id b = conversation("b");
  now_ms_ += 1000;
  const Id c = conversation("c", true);
  const auto titles = [&] {
    std::string text;
    for (const ConversationHead& each : store_->list()) text += each.title;
    return text;
  };
  EXPECT_EQ(titles(), "cba");
  now_ms_ += 1000;
  say(a, Role::kUser, "hello", 0);
  EXPECT_EQ(titles(), "acb");
  value_of(store_->change(b, {.title = "B", .pinned = true, .archived = true, .extra = R"({ "temperature": 0.5 })"}));
  value_of(store_->change(c, {.pinned = true}));
  EXPECT_EQ(titles(), "cBa");
  reopen();
  EXPECT_EQ(titles(), "Ba");
  EXPECT_TRUE(head(b).pinned && head(b).archived);
  EXPECT_EQ(head(b).extra, R"({"temperature":0.5})");
  EXPECT_ERROR(store_->load(c), "there is none with this id");
}

TEST_F(Conversations, FoldersOutliveClosingAndConversationsOutliveFolders) {
  const Id folder = value_of(store_->create_folder("연구"));
  const Id id = value_of(store_->create_conversation("t", folder, false)).id;
  reopen();
  ASSERT_EQ(store_->folders().size(), 1u);
  EXPECT_EQ(store_->folders()[0].name, "연구");
  EXPECT_EQ(head(id).folder, folder);
  value_of(store_->change_folder({folder, "research", Retention{7}}));
  EXPECT_ERROR(store_->change(id, {.folder = std::optional(Id::random())}), "there is none with this id");
  reopen();
  EXPECT_EQ(store_->folders()[0], (Folder{folder, "research", Retention{7}}));
  value_of(store_->remove_folder(folder));
  reopen();
  EXPECT_TRUE(store_->folders().empty());
  EXPECT_EQ(head(id).folder, std::nullopt);
}

TEST_F(Conversations, WhatCannotComeBackIsRefused) {
  const Id id = conversation();
  Message message;
  message.content = "\xff";
  EXPECT_ERROR(store_->append(id, message), "content: not valid UTF-8");
  message.content = "";
  message.timings.decode_s = std::numeric_limits<double>::infinity();
  EXPECT_ERROR(store_->append(id, message), "decode_s: expected a finite number");
  message.timings = {};
  message.extra = "[1]";
  EXPECT_ERROR(store_->append(id, message), "extra: expected a JSON object, got array");
  message.extra = "";
  message.usage.prompt_tokens = -1;
  EXPECT_ERROR(store_->append(id, message), "got -1");
  EXPECT_ERROR(store_->create_conversation("\xff", std::nullopt, false), "title: not valid UTF-8");
  EXPECT_ERROR(store_->append(Id::random(), {}), "there is none with this id");
  const Id ids[] = {id, Id::random()};
  EXPECT_ERROR(store_->remove(ids), "there is none with this id");
  EXPECT_EQ(store_->list().size(), 1u) << "an error removes nothing";
}

TEST(Defaults, TheKeyIsApartFromTheChats) {
  const auto with = [](const std::vector<std::pair<const char*, const char*>>& variables) {
    std::vector<std::pair<std::string, std::optional<std::string>>> before;
    for (const char* name : {"MINKE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "HOME"}) {
      const char* value = std::getenv(name);
      before.emplace_back(name, value == nullptr ? std::nullopt : std::optional<std::string>(value));
      ::unsetenv(name);
    }
    for (const auto& [name, value] : variables) ::setenv(name, value, 1);
    const auto folder = default_folder();
    const auto key = default_key_file();
    for (const auto& [name, value] : before) value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
    return (folder ? *folder : folder.error().message) + " " + (key ? *key : key.error().message);
  };
  EXPECT_EQ(with({{"HOME", "/h"}}), "/h/.local/share/minke/chats /h/.config/minke/chats.key");
  EXPECT_EQ(with({{"HOME", "/h"}, {"XDG_DATA_HOME", "/d"}, {"XDG_CONFIG_HOME", "/c"}}), "/d/minke/chats /c/minke/chats.key");
  EXPECT_EQ(with({{"HOME", "/h"}, {"MINKE_HOME", "/m"}}), "/m/chats /m/chats.key");
  EXPECT_NE(with({}).find("HOME is not set"), std::string::npos);
}

class RetentionRules : public StoreTest {};

TEST_F(RetentionRules, CountFromTheLastMessage) {
  const Id old = conversation("old");
  value_of(store_->change(old, {.pinned = true}));
  now_ms_ += 20 * kDayMs;
  const Id used = conversation("used");
  value_of(store_->set_retention({30}));
  now_ms_ += 10 * kDayMs - 1;
  EXPECT_EQ(value_of(store_->sweep()), 0);
  now_ms_ += 1;
  EXPECT_EQ(value_of(store_->sweep()), 1);
  EXPECT_ERROR(store_->load(old), "there is none");
  value_of(store_->change(used, {.title = "a new title is no use"}));
  say(used, Role::kUser, "but this is", 0);
  now_ms_ += 30 * kDayMs - 1;
  reopen();
  EXPECT_EQ(store_->list().size(), 1u);
  now_ms_ += 1;
  reopen();
  EXPECT_TRUE(store_->list().empty()) << "opening sweeps, with the rule that was set before";
}

TEST_F(RetentionRules, AFolderHasItsOwn) {
  value_of(store_->set_retention({10}));
  const Id keep = value_of(store_->create_folder("keep"));
  const Id soon = value_of(store_->create_folder("soon"));
  value_of(store_->change_folder({keep, "keep", Retention{}}));
  value_of(store_->change_folder({soon, "soon", Retention{1}}));
  value_of(store_->create_conversation("keep", keep, false));
  value_of(store_->create_conversation("soon", soon, false));
  value_of(store_->create_conversation("none", std::nullopt, false));
  now_ms_ += 2 * kDayMs;
  EXPECT_EQ(value_of(store_->sweep()), 1);
  now_ms_ += 100 * kDayMs;
  EXPECT_EQ(value_of(store_->sweep()), 1);
  ASSERT_EQ(store_->list().size(), 1u);
  EXPECT_EQ(store_->list()[0].title, "keep");
}

TEST_F(RetentionRules, ZeroDaysKeepsNothing) {
  conversation("before");
  value_of(store_->set_retention({0}));
  const Id id = conversation("after");
  EXPECT_TRUE(head(id).temporary);
  EXPECT_EQ(value_of(store_->sweep()), 1);
  EXPECT_EQ(load(id).head.title, "after");
  reopen();
  EXPECT_TRUE(store_->list().empty());
  EXPECT_EQ(store_->retention(), Retention{0});
  EXPECT_ERROR(store_->set_retention({-1}), "expected 0 to 36500");
}

TEST_F(Conversations, AReservedNumberIsFilledLater) {
  for (const bool temporary : {false, true}) {
    const Id id = conversation("two at once", temporary);
    const int64_t first = say(id, Role::kUser, "first", 0);
    const int64_t reserved = value_of(store_->reserve(id));
    EXPECT_EQ(reserved, first + 1);
    const int64_t second = say(id, Role::kUser, "second", first);
    EXPECT_EQ(second, reserved + 1);
    if (!temporary) reopen();
    Message late;
    late.number = reserved;
    late.parent = first;
    late.role = Role::kAssistant;
    late.content = "late";
    EXPECT_EQ(value_of(store_->append(id, late)), reserved);
    EXPECT_ERROR(store_->append(id, late), "is not reserved");
    late.number = second + 1;
    EXPECT_ERROR(store_->append(id, late), "is not reserved");
    Message early;
    early.number = value_of(store_->reserve(id));
    early.parent = say(id, Role::kUser, "third", second);
    EXPECT_ERROR(store_->append(id, early), "to follow");
    const Conversation kept = load(id);
    std::vector<std::string> contents;
    for (const Message& message : kept.messages) contents.push_back(message.content);
    EXPECT_EQ(contents, (std::vector<std::string>{"first", "late", "second", "third"}));
    EXPECT_EQ(value_of(store_->count_messages()).at(id), 4);
    ASSERT_TRUE(store_->find(id).has_value());
    EXPECT_EQ(store_->find(id)->last_number, 5);
    value_of(store_->remove({&id, 1}));
    EXPECT_FALSE(store_->find(id).has_value());
  }
}

TEST_F(Conversations, SettingsOfTheCallerAreSealedBesideTheRetention) {
  EXPECT_EQ(store_->settings(), "");
  value_of(store_->set_retention({30}));
  value_of(store_->set_settings(R"({"system": "beluga-canary", "budget": null})"));
  value_of(store_->set_retention({7}));
  reopen();
  EXPECT_EQ(store_->settings(), R"({"system":"beluga-canary","budget":null})");
  EXPECT_EQ(store_->retention().days, 7);
  EXPECT_TRUE(files_with(folder(), "beluga-canary").empty());
  EXPECT_ERROR(store_->set_settings("[1]"), "expected a JSON object");
  EXPECT_ERROR(store_->set_settings("{"), "settings");
  EXPECT_ERROR(store_->set_settings("{\"a\": \"" + std::string(70'000, 'x') + "\"}"), "at most");
}

}  // namespace
}  // namespace minke::store
