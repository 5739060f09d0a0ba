// minke data: what is shown, exported, kept and destroyed, on a store that is made here.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/run_minke.h"
#include "hub/net/outbound_log.h"
#include "store/store.h"
#include "store/transfer/archive.h"
#include "support/support.h"

namespace minke::testing {
namespace {

constexpr const char* kCanary = "beluga-52c1-canary";

class DataCommand : public ::testing::Test {
 protected:
  // A store with one conversation from a day that is long gone.
  void make_store(const store::Key& key) {
    const auto long_ago = [] { return int64_t{1'500'000'000'000}; };
    const auto chats = value_of(store::Store::create(folder(), key, {{1, 8192}, long_ago}));
    const store::ConversationHead head = value_of(chats->create_conversation("고래", std::nullopt, false));
    store::Message message;
    message.content = kCanary;
    value_of(chats->append(head.id, message));
  }
  void make_store_with_passphrase() { make_store(value_of(store::Key::passphrase("열쇠 말"))); }
  MinkeRun run(std::vector<std::string> arguments, const std::string& in = "", const std::string& language = "en") const {
    arguments.insert(arguments.begin(), "data");
    return run_minke(arguments, {in, {{"MINKE_HOME", home()}, {"MINKE_LANG", language}, {"XDG_STATE_HOME", home()}}});
  }
  std::string home() const { return directory_.path().string(); }
  std::string folder() const { return directory_.file("chats"); }
  TemporaryDirectory directory_;
};

TEST_F(DataCommand, NothingIsKeptAtFirstAndLookingMakesNothing) {
  const MinkeRun shown = run({"show"});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_EQ(shown.out, "Nothing is kept.\n\nNothing ever left this machine.\n");
  EXPECT_EQ(run({"show", "--json"}).out, "{\n  \"stored\": [],\n  \"outbound\": []\n}\n");
  for (const char* command : {"export", "retention"}) {
    const MinkeRun refused = run({command});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_TRUE(contains(refused.err, "no chats are kept here")) << refused.err;
  }
  EXPECT_EQ(run({"shred", "--yes"}).exit_code, 1);
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

TEST_F(DataCommand, ShowsEveryFileAndWhatLeftTheMachine) {
  make_store_with_passphrase();
  {
    auto log = value_of(hub::OutboundFile::open(directory_.file("minke/outbound.jsonl")));
    value_of(log.end(value_of(log.begin({"GET", "a.example:443", "/", "pull a/b"})), {200, 500, 1500, ""}));
  }
  const MinkeRun shown = run({"show"});
  EXPECT_TRUE(contains(shown.out, folder() + "/chats.sqlite")) << shown.out;
  EXPECT_TRUE(contains(shown.out, "a.example:443")) << shown.out;
  EXPECT_TRUE(contains(shown.out, "2.00 kB")) << shown.out;
  EXPECT_TRUE(contains(run({"show"}, "", "ko").out, "대화와 설정"));
  const Json json = Json::parse(run({"show", "--json"}).out);
  EXPECT_EQ(json["stored"][0]["encrypted"], true);
  EXPECT_EQ(json["outbound"][0]["bytes"], 2000);
}

TEST_F(DataCommand, ExportsWithThePassphraseOnly) {
  make_store_with_passphrase();
  const MinkeRun refused = run({"export"}, "wrong\n");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_TRUE(contains(refused.err, "the passphrase does not open these chats")) << refused.err;
  EXPECT_EQ(refused.out, "");
  EXPECT_TRUE(contains(run({"export"}).err, "need a passphrase"));
  const MinkeRun exported = run({"export"}, "열쇠 말\n");
  EXPECT_EQ(exported.exit_code, 0) << exported.err;
  const store::Archive archive = value_of(store::read_archive_json(exported.out, "stdout"));
  ASSERT_EQ(archive.conversations.size(), 1u);
  EXPECT_EQ(archive.conversations[0].messages[0].content, kCanary);
  EXPECT_FALSE(contains(exported.err, kCanary));

  const std::string file = directory_.file("out.md");
  EXPECT_EQ(run({"import", file}, "열쇠 말\n").exit_code, 1);
  EXPECT_EQ(run({"export", "--as", "markdown", "-o", file}, "열쇠 말\n").exit_code, 0);
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  EXPECT_EQ(value_of(store::read_archive_markdown(text.str(), file)).conversations[0].head.title, "고래");
  struct stat info {};
  ASSERT_EQ(::stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(run({"export", "-o", file}, "열쇠 말\n").exit_code, 1);  // it is there
  EXPECT_EQ(run({"import", file}, "열쇠 말\n").out, "imported: 0, there already: 1\n");
  EXPECT_EQ(run({"shred", "--yes"}).exit_code, 0);
  make_store_with_passphrase();
  EXPECT_EQ(run({"import", file}, "열쇠 말\n").out, "imported: 1, there already: 0\n");
}

TEST_F(DataCommand, RetentionIsShownSetAndAppliedAtOnce) {
  value_of(store::create_key_file(directory_.file("chats.key")));
  make_store(value_of(store::Key::file(directory_.file("chats.key"))));
  EXPECT_EQ(run({"retention"}).out, "chats are kept until you delete them\n");
  for (const char* bad : {"-1", "x", "1d", "40000"}) EXPECT_NE(run({"retention", "--", bad}).exit_code, 0) << bad;
  const MinkeRun set = run({"retention", "30"});
  EXPECT_EQ(set.out, "chats are kept for 30 days after their last message\n");
  EXPECT_TRUE(contains(set.err, "deleted: 1")) << set.err;
  EXPECT_EQ(run({"retention", "--json"}).out, "{\"days\":30}\n");
  EXPECT_EQ(run({"retention", "forever", "--json"}).out, "{\"days\":null}\n");
  EXPECT_TRUE(Json::parse(run({"export"}).out)["conversations"].empty());
}

TEST_F(DataCommand, ShredAsksAndLeavesNothing) {
  value_of(store::create_key_file(directory_.file("chats.key")));
  make_store(value_of(store::Key::file(directory_.file("chats.key"))));
  const MinkeRun refused = run({"shred"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_TRUE(contains(refused.err, "--yes")) << refused.err;
  EXPECT_TRUE(std::filesystem::exists(folder()));
  const MinkeRun shredded = run({"shred", "--yes"});
  EXPECT_EQ(shredded.exit_code, 0) << shredded.err;
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

TEST_F(DataCommand, WhileAnotherProgramHasTheChats) {
  make_store_with_passphrase();
  const auto open = value_of(store::Store::open(folder(), value_of(store::Key::passphrase("열쇠 말"))));
  const MinkeRun refused = run({"export"}, "열쇠 말\n");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_TRUE(contains(refused.err, "another minke has these chats open")) << refused.err;
  EXPECT_EQ(run({"show"}).exit_code, 0);
  EXPECT_EQ(run({"shred", "--yes"}).exit_code, 1);
}

}  // namespace
}  // namespace minke::testing
