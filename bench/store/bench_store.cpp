// What a store of chats costs: half Korean and half English text of the size that years of use leave. Prints milliseconds of
// wall clock and of CPU for each kind of call; syncs of the disk are in the first and not in the second.
//   bench_store [conversations, default 2000] [messages of 1.5 kB in each, default 20]
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "store/store.h"
#include "support/support.h"

namespace minke::store {
namespace {

using testing::value_of;

class Watch {
 public:
  void print(const char* what, double n_calls = 1) const {
    const auto wall = std::chrono::steady_clock::now() - wall_;
    const double cpu_ms = 1e3 * static_cast<double>(std::clock() - cpu_) / CLOCKS_PER_SEC;
    fmt::print("{:<44} {:10.3f} ms wall {:10.3f} ms CPU\n", what,
               std::chrono::duration<double, std::milli>(wall).count() / n_calls, cpu_ms / n_calls);
    std::fflush(stdout);
  }

 private:
  std::chrono::steady_clock::time_point wall_ = std::chrono::steady_clock::now();
  std::clock_t cpu_ = std::clock();
};

std::string text_of(int64_t number) {
  std::string text;
  while (text.size() < 1500) {
    text += number % 2 == 0 ? "고래는 바다에 사는 포유류이고, 숨을 쉬러 물 위로 올라온다. "
                            : "Whales are mammals that live in the sea, and come up to breathe. ";
  }
  return text + fmt::format("number {}", number);
}

// One transaction, so that making the store does not take most of the time.
Archive archive_of(int n_conversations, int n_messages) {
  Archive archive;
  for (int i = 0; i < n_conversations; i++) {
    Conversation& conversation = archive.conversations.emplace_back();
    conversation.head.id = Id::random();
    conversation.head.title = fmt::format("conversation {}", i);
    conversation.head.updated_ms = i;
    conversation.head.last_number = conversation.head.current = n_messages;
    for (int64_t number = 1; number <= n_messages; number++) {
      Message& message = conversation.messages.emplace_back();
      message.number = number;
      message.parent = number - 1;
      message.content = text_of(number);
    }
  }
  return archive;
}

void append(Store& store, const Id& id, std::string content) {
  Message message;
  message.content = std::move(content);
  value_of(store.append(id, std::move(message)));
}

void run(int n_conversations, int n_messages) {
  const testing::TemporaryDirectory directory;
  const std::string folder = directory.file("chats");
  const std::string key_path = directory.file("key");
  value_of(create_key_file(key_path));
  const Key key = value_of(Key::file(key_path));
  auto store = value_of(Store::create(folder, key));
  Archive archive = archive_of(n_conversations, n_messages);
  Watch import;
  const ImportReport report = value_of(store->insert(std::move(archive)));
  import.print("import of all");
  store.reset();
  fmt::print("database: {:.1f} MB\n", static_cast<double>(std::filesystem::file_size(folder + "/chats.sqlite")) / 1e6);
  Watch opening;
  store = value_of(Store::open(folder, key));
  opening.print("open (key file)");
  Watch loading;
  for (int i = 0; i < 100; i++) value_of(store->load(report.added[static_cast<size_t>(i % n_conversations)]));
  loading.print("load one conversation", 100);
  Watch appending;
  for (int i = 0; i < 100; i++) append(*store, report.added[0], text_of(i));
  appending.print("append one message", 100);
  for (const char* query : {"없는말", "number", "포유류 number"}) {
    Watch searching;
    const auto hits = value_of(store->search(query, 20));
    searching.print(fmt::format("search \"{}\": {} hits", query, hits.size()).c_str());
  }
  Watch searching;
  const auto hits = value_of(store->search("nowhere", 20));
  searching.print("search of an English word that is nowhere");
  Watch removing;
  value_of(store->remove({&report.added[1], 1}));
  removing.print("remove one conversation");
  Watch hashing;
  value_of(lock_master(Secret::random(kKeyBytes), value_of(Key::passphrase("passphrase")), KeyCost{}));
  hashing.print("Argon2id of a passphrase");
}

}  // namespace
}  // namespace minke::store

int main(int argc, char** argv) {
  const auto number = [&](int i, int otherwise) { return argc > i ? std::max(2, std::atoi(argv[i])) : otherwise; };
  minke::store::run(number(1, 2000), number(2, 20));
  return 0;
}
