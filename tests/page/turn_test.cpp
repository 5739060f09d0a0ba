// The life of a conversation as the server leads it: turns, branches, what is kept of each and what is not.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "page_support.h"

namespace minke::page {
namespace {

class Turns : public PageTest {
 protected:
  void SetUp() override {
    PageTest::SetUp();
    create();
  }
  // "1 user hi > 2 assistant hello" for each message and its parent.
  std::vector<std::string> tree(const std::string& id) {
    std::vector<std::string> lines;
    const Json whole = conversation(id);
    for (const Json& message : whole["messages"]) {
      const std::string parent = message["parent"].is_null() ? "-" : message["parent"].get<std::string>();
      lines.push_back(fmt::format("{} > {} {} {}", parent, message["id"].get<std::string>(), message["role"].get<std::string>(),
                                  message["content"].get<std::string>()));
    }
    return lines;
  }
  using Lines = std::vector<std::string>;
};

TEST_F(Turns, GrowATreeThatComesBackAfterAStart) {
  const TurnIds first = say("고래는 몇 마리?\n더 있어?", "셋");
  EXPECT_EQ(first.user_message, "1");
  EXPECT_EQ(first.message, "2");
  const std::string id = first.conversation;
  const TurnIds second = say("why", "because", id, first.message);
  const TurnIds edited = say("who", "a whale", id, first.message);
  EXPECT_NE(edited.user_message, second.user_message);
  const TurnIds again = say("who", "two whales", id, edited.user_message);
  EXPECT_EQ(again.user_message, edited.user_message);
  restart();
  EXPECT_EQ(error_of(services_->conversation(id)), "423 locked");
  value_of(services_->store_unlock("고래 whale"));
  const Lines expected = {"- > 1 user 고래는 몇 마리?\n더 있어?",
                          "1 > 2 assistant 셋",
                          "2 > 3 user why",
                          "3 > 4 assistant because",
                          "2 > 5 user who",
                          "5 > 6 assistant a whale",
                          "5 > 7 assistant two whales"};
  EXPECT_EQ(tree(id), expected);
  const Json whole = conversation(id);
  EXPECT_EQ(whole["leaf"], "7");
  EXPECT_EQ(whole["title"], "고래는 몇 마리?");
  EXPECT_EQ(whole["n_messages"], 7);
}

TEST_F(Turns, AMessageAfterAFailedReplyIsNotTakenForARepetition) {
  const TurnIds first = begin("one", std::nullopt);
  ASSERT_TRUE(services_->end_turn({first, "nano", "", "", "", "", "error"}));
  EXPECT_EQ(tree(first.conversation), Lines{"- > 1 user one"});
  say("two", "2", first.conversation, first.user_message);
  EXPECT_EQ(tree(first.conversation), (Lines{"- > 1 user one", "1 > 3 user two", "3 > 4 assistant 2"}));
}

TEST_F(Turns, KeepsWhatWasWrittenHoweverItEnds) {
  const TurnIds failed = begin("a");
  ASSERT_TRUE(services_->end_turn({failed, "nano", "half", "", "", "", "error"}));
  const Json message = conversation(failed.conversation)["messages"][1];
  EXPECT_EQ(message["finish_reason"], "error");
  EXPECT_EQ(message["content"], "half");
  EXPECT_TRUE(message["usage"].is_null());
  EXPECT_TRUE(message["timings"].is_null());
  // One that was stopped before its first word is there too: the next turn names it as parent.
  const TurnIds stopped = say("b", "", failed.conversation, failed.message);
  EXPECT_EQ(say("c", "d", failed.conversation, stopped.message).user_message, "5");
}

TEST_F(Turns, FiguresComeBackAsTheyWereSent) {
  const std::string usage =
      R"({"prompt_tokens":143,"completion_tokens":20,"total_tokens":163,"prompt_cache_hit_tokens":128,"prompt_cache_miss_tokens":15,)"
      R"("completion_tokens_details":{"reasoning_tokens":9}})";
  const std::string timings =
      R"({"thinking_end":"budget","tokens_per_s":47.3,"queue_s":0.0,"prompt_s":0.021,"thought_s":0.19,"answer_s":0.23,"energy_j":null,)"
      R"("energy_estimated":true,"money":{"amount":2.13e-05,"currency":"USD"},"verified":{"task":"countdown","right":false}})";
  const TurnIds ids = begin("q");
  ASSERT_TRUE(services_->end_turn({ids, "nano", "answer", "thought", usage, timings, "length"}));
  const Json message = conversation(ids.conversation)["messages"][1];
  EXPECT_EQ(dump_json(message["usage"]), usage);
  EXPECT_EQ(dump_json(message["timings"]), timings);
  EXPECT_EQ(message["finish_reason"], "length");
  EXPECT_EQ(message["reasoning"], "thought");
  EXPECT_EQ(message["model"], "nano");
  EXPECT_EQ(message["created_at"], "2027-01-15T08:00:00.000Z");
}

TEST_F(Turns, FilesAreKeptAndTheTextMadeOfThemIsNot) {
  TurnStart start;
  start.text = "[file name]: a.txt\n[file content begin]\nbody\n[file content end]\nsum it up";
  start.turn.text = "sum it up";
  start.turn.attachments = {{"a.txt", "body"}};
  const auto ids = services_->begin_turn(start);
  ASSERT_TRUE(ids);
  end(*ids, "done");
  const Json message = conversation(ids->conversation)["messages"][0];
  EXPECT_EQ(message["content"], "sum it up");
  EXPECT_EQ(message["attachments"], Json::parse(R"([{"name": "a.txt", "text": "body"}])"));
  EXPECT_EQ(conversation(ids->conversation)["title"], "sum it up");
  // Asked again, the page sends the text for the model only.
  TurnStart again;
  again.text = start.text;
  again.turn.conversation = ids->conversation;
  again.turn.parent = ids->user_message;
  EXPECT_EQ(services_->begin_turn(again)->user_message, ids->user_message);
}

TEST_F(Turns, ANewConversationTakesTheSystemPrompt) {
  const auto ids = services_->begin_turn({{}, "hi", "be kind"});
  ASSERT_TRUE(ids);
  EXPECT_EQ(conversation(ids->conversation)["system"], "be kind");
  server::ConversationEdit edit;
  edit.system = "be short";
  value_of(services_->edit_conversation(ids->conversation, edit));
  EXPECT_EQ(conversation(ids->conversation)["system"], "be short");
  edit.system = "";
  value_of(services_->edit_conversation(ids->conversation, edit));
  EXPECT_TRUE(conversation(ids->conversation)["system"].is_null());
}

TEST_F(Turns, WhoGoesOnAtOnceWaitsForTheReplyThatWasStopped) {
  const TurnIds first = begin("one");
  std::jthread late([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    end(first, "stopped");
  });
  const TurnIds second = begin("two", first.conversation, first.message);
  late.join();
  EXPECT_EQ(tree(first.conversation), (Lines{"- > 1 user one", "1 > 2 assistant stopped", "2 > 3 user two"}));
  EXPECT_EQ(second.message, "4");
  // The leaf of a reply that is being written is set when it ends.
  server::ConversationEdit edit;
  edit.leaf = second.message;
  value_of(services_->edit_conversation(first.conversation, edit));
  end(second, "2");
  EXPECT_EQ(conversation(first.conversation)["leaf"], "4");
}

TEST_F(Turns, RefuseWhatDoesNotFit) {
  const TurnIds ids = say("a", "b");
  const auto begin_code = [&](std::optional<std::string> conversation, std::optional<std::string> parent) {
    return error_of(services_->begin_turn({{std::move(conversation), std::move(parent), {}, {}}, "x", ""}));
  };
  EXPECT_EQ(begin_code("nonsense", {}), "404 conversation_not_found");
  EXPECT_EQ(begin_code(std::string(32, 'a'), {}), "404 conversation_not_found");
  EXPECT_EQ(begin_code(ids.conversation, "99"), "404 message_not_found");
  EXPECT_EQ(begin_code(ids.conversation, "-1"), "404 message_not_found");
  EXPECT_EQ(begin_code(std::nullopt, "1"), "400 ");
  value_of(services_->store_lock());
  EXPECT_EQ(begin_code(std::nullopt, std::nullopt), "423 locked");
}

TEST_F(Turns, EndAfterTheirConversationIsGone) {
  const TurnIds deleted = begin("a");
  value_of(services_->delete_conversation(deleted.conversation));
  end(deleted, "b");
  EXPECT_TRUE(titles().empty());
  const TurnIds shredded = begin("a");
  value_of(services_->shred());
  end(shredded, "b");
  EXPECT_EQ(value_of(services_->store_state())["state"], "none");
}

TEST_F(Turns, OfALockedStoreSayThatTheyWereNotKept) {
  const TurnIds ids = begin("a");
  value_of(services_->store_lock());
  EXPECT_EQ(error_of(services_->end_turn({ids, "nano", "b", "", "", "", "stop"})), "423 locked");
}

TEST_F(PageTest, WithoutAStoreTurnsLeaveNothing) {
  const TurnIds ids = begin("beluga-canary");
  EXPECT_EQ(ids.conversation, "");
  EXPECT_EQ(ids.message, "");
  end(ids, "beluga-canary too");
  EXPECT_TRUE(files_with(directory_.path(), "").empty());
  EXPECT_EQ(error_of(services_->begin_turn({{"c", {}, {}, {}}, "x", ""})), "404 no_store");
}

// A process is killed right after begin_turn() or end_turn() said that it is done. tests/store/crash_test.cpp kills writers at
// any moment.
TEST_F(Turns, AKillLosesNothingThatWasAcknowledged) {
  services_.reset();
  for (int round = 0; round < 6; round++) {
    const bool ends = round % 2 == 1;
    int told[2];
    ASSERT_EQ(::pipe(told), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        start();
        value_of(services_->store_unlock("고래 whale"));
        const TurnIds ids = begin(fmt::format("question {}", round));
        if (ends) end(ids, "reply");
        (void)!::write(told[1], ids.conversation.data(), ids.conversation.size());
        for (;;) ::pause();
      } catch (const std::exception& e) {
        std::fprintf(stderr, "child: %s\n", e.what());
        ::_exit(1);
      }
    }
    ::close(told[1]);  // so that a child that ends by itself is seen
    std::string id(32, ' ');
    ASSERT_EQ(::read(told[0], id.data(), id.size()), 32);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(told[0]);
    start();
    value_of(services_->store_unlock("고래 whale"));
    const Lines lines = tree(id);
    ASSERT_EQ(lines.size(), ends ? 2u : 1u);
    EXPECT_EQ(lines[0], fmt::format("- > 1 user question {}", round));
    if (ends) {
      EXPECT_EQ(lines[1], "1 > 2 assistant reply");
    }
    services_.reset();
  }
}

}  // namespace
}  // namespace minke::page
