// Chats out of a store and back: JSON and Markdown lose nothing, and files that somebody changed are refused with the place.
#include "base/rng.h"
#include "store/transfer/archive.h"
#include "store_support.h"

namespace minke::store {
namespace {

using testing::value_of;

// Texts that could be taken for the marks of Markdown or JSON.
const std::vector<std::string> kHardTexts = {
    "",
    "\n",
    "\n\n\n",
    "no end of line",
    "one\n",
    "two\n\n",
    "# heading\n\n## User (1)\n",
    "<!-- minke-message {} -->",
    "\\<!-- minke-message {} -->\n\\\\<!-- minke-thought\n",
    "text <!-- minke-message {} -->",
    "<!-- minke-",
    "a --> b <!-- c -->",
    "\r\nwindows\r\n",
    "\ttab \"quote\" \\ back {json}",
    "고래가 셋 🐋",
    std::string("nul\0byte", 8),
};

Archive hard_archive() {
  Archive archive;
  archive.folders = {
      {Id::random(), "연구 -->", Retention{30}}, {Id::random(), "", Retention{}}, {Id::random(), "x", std::nullopt}};
  uint64_t draw = 0;
  const auto pick = [&]() -> const std::string& { return kHardTexts[mix_seed(3, draw++) % kHardTexts.size()]; };
  for (size_t i = 0; i < kHardTexts.size(); i++) {
    Conversation& conversation = archive.conversations.emplace_back();
    ConversationHead& head = conversation.head;
    head.id = Id::random();
    head.title = kHardTexts[i];
    if (i % 2 == 0) head.folder = archive.folders[i % 3].id;
    head.pinned = i % 3 == 0;
    head.archived = i % 5 == 0;
    head.created_ms = 1'700'000'000'000 + static_cast<int64_t>(i);
    head.updated_ms = head.created_ms + 5;
    if (i % 4 == 1) head.extra = R"({"temperature":0.1,"-->":"<!-- minke-x -->"})";
    for (int64_t number = 1; number <= 5; number++) {
      Message message = full_message(static_cast<int64_t>(mix_seed(4, draw++) % static_cast<uint64_t>(number)), pick());
      message.number = number;
      message.role = static_cast<Role>(draw % 4);
      message.reasoning = pick();
      message.model = pick();
      if (draw % 2 == 0) message.usage = {};
      if (draw % 3 == 0) message.extra = "";
      if (draw % 5 == 0) message.extra = "{}";
      for (Attachment& attachment : message.attachments) attachment = {pick(), pick(), pick()};
      conversation.messages.push_back(std::move(message));
    }
    head.last_number = 7;
    head.current = 3;
  }
  return archive;
}

void expect_equal(const Archive& got, const Archive& expected) {
  EXPECT_EQ(got.folders, expected.folders);
  ASSERT_EQ(got.conversations.size(), expected.conversations.size());
  for (size_t i = 0; i < got.conversations.size(); i++) {
    EXPECT_EQ(got.conversations[i].head, expected.conversations[i].head) << i;
    EXPECT_EQ(got.conversations[i].messages, expected.conversations[i].messages) << i;
  }
}

TEST(Exchange, JsonLosesNothing) {
  const Archive archive = hard_archive();
  const std::string text = write_archive_json(archive);
  const Archive again = value_of(read_archive_json(text, "export.json"));
  expect_equal(again, archive);
  EXPECT_EQ(write_archive_json(again), text);
}

TEST(Exchange, MarkdownLosesNothing) {
  const Archive archive = hard_archive();
  const std::string text = write_archive_markdown(archive);
  const Archive again = value_of(read_archive_markdown(text, "export.md"));
  expect_equal(again, archive);
  EXPECT_EQ(write_archive_markdown(again), text);
}

TEST(Exchange, MarkdownReadsLikeAChat) {
  Archive archive;
  Conversation& conversation = archive.conversations.emplace_back();
  conversation.head.title = "Whales";
  conversation.head.last_number = 3;
  for (int64_t number : {1, 2, 3}) {
    Message message;
    message.number = number;
    message.parent = number == 1 ? 0 : 1;
    message.role = number == 1 ? Role::kUser : Role::kAssistant;
    message.content = number == 1 ? "How many?" : "Three.";
    if (number == 3) message.reasoning = "Count them.";
    conversation.messages.push_back(message);
  }
  const std::string text = write_archive_markdown(archive);
  std::string shown;  // what a reader shows
  for (size_t pos = 0; pos < text.size();) {
    const size_t end = text.find('\n', pos);
    if (!text.substr(pos).starts_with("<!--")) shown += text.substr(pos, end + 1 - pos);
    pos = end + 1;
  }
  EXPECT_EQ(
      shown,
      "\n# Whales\n\n\n\n## User (1)\n\nHow many?\n\n## Assistant (2)\n\nThree.\n\n## Assistant (3, after 1)\n\nThree.\n\n"
      "### Thought\n\nCount them.\n\n");
  // An editor that cuts the end of the file loses nothing.
  const Archive cut = value_of(read_archive_markdown(text.substr(0, text.size() - 2), "export.md"));
  expect_equal(cut, archive);
}

TEST(Exchange, WhatIsWrongIsNamedWithItsPlace) {
  const auto json = [](const std::string& conversation) {
    return read_archive_json(R"({"format":"minke-chats","version":1,"conversations":[)" + conversation + "]}", "x.json");
  };
  const std::string id = R"("id":"00112233445566778899aabbccddeeff")";
  EXPECT_ERROR(json("{}"), "x.json: conversations[0]: id: missing");
  EXPECT_ERROR(json(R"({"id":"0011"})"), "id: expected 32 hex digits");
  EXPECT_ERROR(json("{" + id + R"(,"colour":1})"), "x.json: conversations[0]: colour: unknown key");
  EXPECT_ERROR(json("{" + id + R"(,"title":1})"), "title: expected text, got number");
  EXPECT_ERROR(json("{" + id + R"(,"folder":"00112233445566778899aabbccddeeff"})"), "folder: there is none");
  EXPECT_ERROR(json("{" + id + "},{" + id + "}"), "is there twice");
  const auto messages = [&](const std::string& list) {
    return json("{" + id + R"(,"last_number":2,"messages":[)" + list + "]}");
  };
  EXPECT_ERROR(messages(R"({"number":1})"), "messages[0]: role: expected system, user, assistant or tool, got \"\"");
  EXPECT_ERROR(messages(R"({"number":1,"parent":1,"role":"user"})"), "expected a number from 1 up and a smaller parent");
  EXPECT_ERROR(messages(R"({"number":2,"role":"user"},{"number":1,"role":"user"})"), "expected rising numbers, got 1 after 2");
  EXPECT_ERROR(messages(R"({"number":3,"role":"user"})"), "last_number: expected at least 3, got 2");
  EXPECT_ERROR(messages(R"({"number":-1,"role":"user"})"), "number: expected an integer from 0");
  EXPECT_ERROR(messages(R"({"number":1,"role":"user","usage":{"tokens":1}})"), "messages[0]: usage: tokens: unknown key");
  EXPECT_ERROR(messages(R"({"number":1,"role":"user","extra":[]})"), "extra: expected a JSON object, got array");
  EXPECT_ERROR(json("{" + id + R"(,"current":1})"), "current: there is no message 1");
  EXPECT_ERROR(read_archive_json(R"({"format":"other"})", "x.json"), "format: expected \"minke-chats\", got \"other\"");
  EXPECT_ERROR(read_archive_json(R"({"format":"minke-chats","version":2})", "x.json"), "version: expected 1, got 2");
  const auto markdown = [](const std::string& text) { return read_archive_markdown(text, "x.md"); };
  const std::string first = "<!-- minke-chats 1 -->\n";
  EXPECT_ERROR(markdown(""), "it is empty");
  EXPECT_ERROR(markdown("# A chat\n"), "x.md: line 1: not a chat that minke wrote");
  EXPECT_ERROR(markdown(first + "text\n"), "line 2: expected \"<!-- minke-");
  EXPECT_ERROR(markdown(first + "<!-- minke-message {}\n"), "line 2: expected the line to end in");
  EXPECT_ERROR(markdown(first + "<!-- minke-message {} -->\n# User\n"), "\"message\" before any conversation");
  EXPECT_ERROR(markdown(first + "<!-- minke-conversation {" + id + "} -->\ntext\n"), "line 2: expected a heading");
  EXPECT_ERROR(markdown(first + "<!-- minke-conversation {" + id + "} -->\n# T\n\ntext\n"), "text between the title");
  EXPECT_ERROR(markdown(first + "<!-- minke-conversation {" + id + "} -->\n# T\n<!-- minke-note {} -->\n# N\n"),
               "before any message");
}

class Import : public StoreTest {};

TEST_F(Import, ARestoredStoreHasTheSameChats) {
  const Id folder_id = value_of(store_->create_folder("f"));
  const Id id = value_of(store_->create_conversation("t", folder_id, false)).id;
  value_of(store_->append(id, full_message(0, "one")));
  value_of(store_->append(id, full_message(1, "two")));
  const Archive archive = value_of(store_->collect());
  const std::string json = write_archive_json(archive);
  const std::string markdown = write_archive_markdown(archive);
  EXPECT_EQ(value_of(store_->insert(value_of(read_archive_json(json, "x")))).n_same, 1) << "nothing to do";
  EXPECT_EQ(store_->list().size(), 1u);
  for (const bool from_json : {true, false}) {
    remove(id);
    value_of(store_->remove_folder(folder_id));
    Archive again = from_json ? value_of(read_archive_json(json, "x")) : value_of(read_archive_markdown(markdown, "x"));
    EXPECT_EQ(value_of(store_->insert(std::move(again))).added, std::vector<Id>{id});
    reopen();
    expect_equal(value_of(store_->collect()), archive);
  }
}

TEST_F(Import, AnIdThatIsTakenGetsANewOne) {
  const Id id = conversation("t");
  say(id, Role::kUser, "one", 0);
  const Archive old = value_of(store_->collect());
  say(id, Role::kUser, "two", 1);
  const ImportReport report = value_of(store_->insert(old));
  ASSERT_EQ(report.added.size(), 1u);
  EXPECT_NE(report.added[0], id);
  EXPECT_EQ(load(id).messages.size(), 2u);
  EXPECT_EQ(load(report.added[0]).messages.size(), 1u);
}

TEST_F(Import, AllOrNothing) {
  Archive archive;
  for (int i = 0; i < 3; i++) {
    archive.conversations.emplace_back().head.id = Id::random();
    archive.conversations.back().head.title = "t";
  }
  archive.conversations[2].head.title = "\xff";
  EXPECT_ERROR(store_->insert(archive), "title: not valid UTF-8");
  archive.conversations[2].head.title = "t";
  archive.conversations[2].head.id = archive.conversations[1].head.id;
  EXPECT_ERROR(store_->insert(archive), "is there twice");
  EXPECT_TRUE(store_->list().empty());
  reopen();
  EXPECT_TRUE(store_->list().empty());
}

}  // namespace
}  // namespace minke::store
