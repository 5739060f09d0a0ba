// A process that writes is killed with SIGKILL at any moment, again and again: what it was told is written is there, what it
// was told is deleted is gone, and nothing else is wrong. MINKE_KILLS=200 kills more often.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <set>

#include "base/rng.h"
#include "sqlite/database.h"
#include "store/state.h"
#include "store_support.h"

namespace minke::store {
namespace {

using testing::value_of;

int n_kills() {
  const char* wish = std::getenv("MINKE_KILLS");
  return wish == nullptr ? 20 : std::max(1, std::atoi(wish));
}

std::string content_of(int round, int64_t number) {
  return fmt::format("round {} message {} ", round, number) + std::string(static_cast<size_t>(number * 131 % 5000), 'x');
}

// What the child tells through a pipe; each is written in one piece, after the call returned.
struct Acknowledged {
  char what;  // 'm' a message, 'c' a conversation that will be deleted, 'd' it was deleted
  int64_t number;
  Id id;
};

class Killed : public StoreTest {
 protected:
  // Never returns: writes until it is killed.
  [[noreturn]] void write_for_ever(int pipe, const Id& id, int round) {
    auto store = value_of(Store::open(folder(), test_key(), options()));
    const auto tell = [&](char what, int64_t number, const Id& about) {
      const Acknowledged told = {what, number, about};
      if (::write(pipe, &told, sizeof(told)) != static_cast<ssize_t>(sizeof(told))) ::_exit(1);
    };
    for (int64_t parent = value_of(store->load(id)).head.current;;) {
      for (int i = 0; i < 4; i++) {
        Message message;
        message.parent = parent;
        message.content = content_of(round, parent + 1);
        parent = value_of(store->append(id, message));
        tell('m', parent, id);
      }
      const Id other = value_of(store->create_conversation("goes", std::nullopt, false)).id;
      value_of(store->append(other, {}));
      value_of(store->put_derived(other, "kv", "1", bytes_of("blob")));
      tell('c', 0, other);
      value_of(store->remove({&other, 1}));
      tell('d', 0, other);
    }
  }

  // What was acknowledged until the kill.
  std::vector<Acknowledged> run_and_kill(const Id& id, int round) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      try {
        write_for_ever(ends[1], id, round);
      } catch (const std::exception& e) {
        std::fprintf(stderr, "child: %s\n", e.what());
        ::_exit(2);
      }
    }
    ::close(ends[1]);
    std::vector<Acknowledged> told;
    Acknowledged next{};
    const auto n_wanted = mix_seed(7, static_cast<uint64_t>(round)) % 12;
    while (told.size() < n_wanted + 1 && ::read(ends[0], &next, sizeof(next)) == static_cast<ssize_t>(sizeof(next))) {
      told.push_back(next);
    }
    // Somewhere between this acknowledgement and the next ones.
    ::usleep(static_cast<useconds_t>(mix_seed(8, static_cast<uint64_t>(round)) % 8000));
    ::kill(child, SIGKILL);
    while (::read(ends[0], &next, sizeof(next)) == static_cast<ssize_t>(sizeof(next))) told.push_back(next);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the child ended by itself";
    ::close(ends[0]);
    return told;
  }
};

TEST_F(Killed, LosesNothingThatWasAcknowledged) {
  const Id id = conversation("kept");
  const Id bystander = conversation("bystander");
  say(bystander, Role::kUser, "untouched", 0);
  close();
  int64_t last = 0;
  std::map<int64_t, std::string> expected;
  int n_deleted = 0;
  for (int round = 0; round < n_kills(); round++) {
    const std::vector<Acknowledged> told = run_and_kill(id, round);
    std::set<Id> gone;
    for (const Acknowledged& each : told) {
      if (each.what == 'm') last = each.number;
      if (each.what == 'm') expected[last] = content_of(round, last);
      if (each.what == 'd') gone.insert(each.id);
    }
    n_deleted += static_cast<int>(gone.size());
    reopen();
    ASSERT_TRUE(store_->damaged().empty());
    const Conversation kept = load(id);
    ASSERT_TRUE(kept.damaged.empty());
    const auto n_messages = static_cast<int64_t>(kept.messages.size());
    ASSERT_TRUE(n_messages == last || n_messages == last + 1) << n_messages << " messages, acknowledged were " << last;
    for (int64_t i = 0; i < n_messages; i++) {
      const Message& message = kept.messages[static_cast<size_t>(i)];
      ASSERT_EQ(message.number, i + 1);
      if (i == last) expected[i + 1] = content_of(round, i + 1);  // written, but not yet said so
      ASSERT_EQ(message.content, expected[i + 1]);
    }
    last = n_messages;
    EXPECT_EQ(kept.head.current, last);
    for (const ConversationHead& head : store_->list()) ASSERT_FALSE(gone.contains(head.id)) << "deleted, and it came back";
    for (const Id& each : gone) EXPECT_TRUE(files_with(folder(), each.hex()).empty());
    EXPECT_EQ(load(bystander).messages.at(0).content, "untouched");
    close();
    sqlite::Database db = value_of(sqlite::Database::open(folder() + "/" + kDatabaseName, {{"test", ""}, 0, true}));
    sqlite::Statement check = value_of(db.prepare("PRAGMA integrity_check"));
    value_of(check.step());
    ASSERT_EQ(check.text(0), "ok");
  }
  EXPECT_GT(last, n_kills() / 2);
  EXPECT_GT(n_deleted, n_kills() / 10);
  RecordProperty("messages", std::to_string(last));
  RecordProperty("deleted", n_deleted);
}

}  // namespace
}  // namespace minke::store
