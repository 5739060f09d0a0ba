// What can be read in the files of a store, by whom, and what is left of a chat that was deleted.
#include <sys/stat.h>

#include "sqlite/database.h"
#include "store/rows.h"
#include "store/schema.h"
#include "store/state.h"
#include "store_support.h"

namespace minke::store {
namespace {

namespace fs = std::filesystem;
using testing::value_of;

constexpr std::string_view kCanary = "CANARY-d41d8cd9-\xea\xb3\xa0\xeb\x9e\x98";

std::string hex_bytes(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

class Privacy : public StoreTest {
 protected:
  std::string database() const { return folder() + "/" + kDatabaseName; }
  sqlite::Database raw() {
    close();
    return value_of(sqlite::Database::open(database(), {{"test", ""}, 0, true}));
  }
  // One value of a table, as bytes; the store must be closed.
  std::string raw_value(const std::string& sql) {
    sqlite::Database db = raw();
    sqlite::Statement select = value_of(db.prepare(sql));
    value_of(select.step());
    return hex_bytes(select.blob(0));
  }
  // A conversation with the canary wherever a text can stand.
  Id canary_conversation() {
    const std::string canary(kCanary);
    const Id folder_id = value_of(store_->create_folder(canary));
    const Id id = value_of(store_->create_conversation(canary, folder_id, false)).id;
    Message message = full_message(0, "before " + canary + " after");
    message.reasoning = message.model = message.finish_reason = canary;
    message.attachments = {{canary, canary, canary}};
    message.extra = "{\"" + canary + "\":1}";
    value_of(store_->append(id, message));
    value_of(store_->change(id, {.extra = message.extra}));
    value_of(store_->put_derived(id, "kv-" + canary, canary, bytes_of(canary)));
    return id;
  }
};

TEST_F(Privacy, NoTextIsReadableInTheFiles) {
  canary_conversation();
  value_of(store_->put_derived(std::nullopt, "log", std::string(kCanary), bytes_of(kCanary)));
  EXPECT_FALSE(value_of(store_->search(kCanary, 5)).empty());
  EXPECT_EQ(files_with(folder(), kCanary), std::vector<std::string>());
  EXPECT_EQ(files_with(folder(), "assistant"), std::vector<std::string>());
  close();
  EXPECT_EQ(files_with(folder(), kCanary), std::vector<std::string>());
}

TEST_F(Privacy, OnlyTheOwnerMayReadTheFiles) {
  canary_conversation();
  const auto check = [&] {
    size_t n_files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder())) {
      struct stat info {};
      ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
      EXPECT_EQ(info.st_mode & 07777, entry.is_directory() ? 0700u : 0600u) << entry.path();
      n_files++;
    }
    EXPECT_GE(n_files, 4u);
    // Whoever asks what is kept is told of every file.
    size_t n_regular = 0;
    uint64_t n_bytes = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder())) {
      if (!entry.is_regular_file()) continue;
      n_regular++;
      n_bytes += entry.file_size();
    }
    const std::vector<StoredFile> told = Store::stored_files(folder());
    EXPECT_EQ(told.size(), n_regular);
    for (const StoredFile& file : told) n_bytes -= file.n_bytes;
    EXPECT_EQ(n_bytes, 0u);
    struct stat info {};
    ASSERT_EQ(::stat(folder().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0700u);
  };
  check();
  close();
  ASSERT_EQ(::chmod(folder().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(database().c_str(), 0644), 0);
  reopen();
  check();
}

TEST_F(Privacy, AWrongPassphraseOpensNothing) {
  const Id id = canary_conversation();
  close();
  EXPECT_EQ(value_of(Store::open(folder(), test_key("battery staple"), options())), nullptr);
  EXPECT_EQ(value_of(Store::key_kind(folder())), KeyKind::kPassphrase);
  EXPECT_EQ(value_of(Store::key_kind(directory_.file("nowhere"))), std::nullopt);
  EXPECT_ERROR(Store::open(directory_.file("nowhere"), test_key()), "there is no store");
  EXPECT_ERROR(Store::create(folder(), test_key(), options()), "there is a store of chats in this folder already");
  reopen();
  EXPECT_EQ(load(id).head.title, kCanary);
}

TEST_F(Privacy, AChangedKeyReplacesTheOldOne) {
  const Id id = canary_conversation();
  close();
  const std::string old_wrapped = raw_value("SELECT wrapped FROM lock");
  reopen();
  const std::string key_path = directory_.file("chats.key");
  value_of(create_key_file(key_path));
  value_of(store_->change_key(value_of(Key::file(key_path))));
  EXPECT_EQ(files_with(folder(), old_wrapped), std::vector<std::string>());
  close();
  EXPECT_EQ(value_of(Store::key_kind(folder())), KeyKind::kKeyFile);
  EXPECT_ERROR(Store::open(folder(), test_key(), options()), "opens with a key file, got a passphrase");
  store_ = value_of(Store::open(folder(), value_of(Key::file(key_path)), options()));
  ASSERT_NE(store_, nullptr);
  EXPECT_EQ(load(id).head.title, kCanary);
}

// The ciphertext and the wrapped key of what is deleted must be gone too, whatever was written around it.
TEST_F(Privacy, ADeletedConversationLeavesNoBytes) {
  std::vector<Id> others;
  for (int i = 0; i < 30; i++) {
    others.push_back(conversation("other"));
    say(others.back(), Role::kUser, std::string(static_cast<size_t>(100 + 97 * i), 'x'), 0);
  }
  const Id id = canary_conversation();
  for (const Id& other : others) say(other, Role::kUser, std::string(1500, 'y'), 1);
  const std::string where = " WHERE hex(id) = upper('" + id.hex() + "')";
  const std::string wrapped = raw_value("SELECT wrapped_key FROM conversations" + where);
  const std::string head_bytes = raw_value("SELECT head FROM conversations" + where);
  const std::string body = raw_value("SELECT body FROM messages WHERE hex(conversation) = upper('" + id.hex() + "')");
  const std::string blob_key = raw_value("SELECT wrapped_key FROM derived");
  reopen();
  ASSERT_EQ(wrapped.size(), kKeyBytes + kSealBytes);
  const auto n_derived = [&] { return std::distance(fs::directory_iterator(folder() + "/derived"), fs::directory_iterator()); };
  EXPECT_EQ(n_derived(), 1);
  const std::vector<std::string> secrets = {wrapped, head_bytes, body, blob_key, hex_bytes(id.bytes), id.hex()};
  for (size_t i = 0; i < 5; i++) EXPECT_FALSE(files_with(folder(), secrets[i].substr(0, 32)).empty()) << i;
  remove(id);
  for (const std::string& secret : secrets) {
    // Any 16 bytes of it: a cell may have been cut.
    for (size_t pos = 0; pos + 16 <= secret.size(); pos += 8) {
      EXPECT_EQ(files_with(folder(), secret.substr(pos, 16)), std::vector<std::string>());
    }
  }
  EXPECT_EQ(n_derived(), 0);
  EXPECT_EQ(fs::file_size(database() + "-wal") <= 2 * 4096 + 64, true) << "one page at most: the mark that it is clean";
  reopen();
  EXPECT_EQ(store_->list().size(), others.size());
  for (const Id& other : others) EXPECT_EQ(load(other).messages.size(), 2u);
}

TEST_F(Privacy, ARemovedBranchLeavesNoBytes) {
  const Id id = conversation();
  say(id, Role::kUser, "stays", 0);
  say(id, Role::kUser, "goes", 0);
  const std::string body = raw_value("SELECT body FROM messages WHERE number = 2");
  reopen();
  EXPECT_FALSE(files_with(folder(), body).empty());
  value_of(store_->put_derived(id, "kv", "1", bytes_of("made from both")));
  value_of(store_->remove_branch(id, 2));
  EXPECT_EQ(value_of(store_->get_derived(id, "kv", "1")), std::nullopt);
  EXPECT_TRUE(fs::is_empty(folder() + "/derived"));
  EXPECT_EQ(files_with(folder(), body.substr(0, 24)), std::vector<std::string>());
  EXPECT_EQ(files_with(folder(), body.substr(body.size() - 24)), std::vector<std::string>());
  EXPECT_EQ(load(id).messages.size(), 1u);
}

// A kill between deleting and cleaning: the next opening cleans.
TEST_F(Privacy, CleaningThatWasCutShortIsDoneAtTheNextOpening) {
  const Id id = conversation();
  say(id, Role::kUser, std::string(20'000, 'x'), 0);
  const std::string wrapped = raw_value("SELECT wrapped_key FROM conversations");
  {
    sqlite::Database db = raw();
    value_of(db.execute(
        "PRAGMA secure_delete = OFF; PRAGMA foreign_keys = ON; DELETE FROM conversations; UPDATE state SET cleaning = 1"));
  }
  EXPECT_FALSE(files_with(folder(), wrapped.substr(32)).empty())
      << "without secure_delete the bytes stand, or the test is blind";
  std::ofstream(folder() + "/derived/00112233445566778899aabbccddeeff") << "a blob whose row was never written";
  fs::create_directory(folder() + "/pages");
  std::ofstream(folder() + "/pages/00.kv") << "a page that was made from the conversation";
  reopen();
  EXPECT_TRUE(fs::is_empty(folder() + "/pages"));
  EXPECT_EQ(files_with(folder(), wrapped.substr(32)), std::vector<std::string>());
  EXPECT_TRUE(fs::is_empty(folder() + "/derived"));
  EXPECT_LT(fs::file_size(database()), 80'000u);
}

TEST_F(Privacy, TemporaryChatsTouchNoFile) {
  conversation("kept");
  reopen();
  const auto state_of_files = [&] {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder())) {
      if (entry.is_regular_file()) files[entry.path()] = testing::read_test_file(entry.path());
    }
    return files;
  };
  const auto before = state_of_files();
  const Id id = conversation(std::string(kCanary), true);
  const int64_t question = say(id, Role::kUser, std::string(kCanary), 0);
  say(id, Role::kAssistant, "answer", question);
  value_of(store_->change(id, {.title = std::string(kCanary) + "2", .current = question}));
  EXPECT_EQ(value_of(store_->search(kCanary, 5)).size(), 1u);
  EXPECT_ERROR(store_->put_derived(id, "kv", "1", bytes_of(kCanary)), "is temporary");
  EXPECT_EQ(value_of(store_->get_derived(id, "kv", "1")), std::nullopt);
  EXPECT_TRUE(state_of_files() == before);
  EXPECT_EQ(value_of(store_->collect()).conversations.size(), 1u) << "an export of everything leaves it out";
  remove(id);
  EXPECT_ERROR(store_->load(id), "there is none");
  EXPECT_TRUE(state_of_files() == before);
}

TEST_F(Privacy, ShredLeavesNoFile) {
  canary_conversation();
  EXPECT_ERROR(Store::shred(folder()), "another minke has these chats open");
  close();
  std::ofstream(folder() + "/mine.txt") << "not of the store";
  EXPECT_ERROR(Store::shred(folder()), "mine.txt: does not belong to a store");
  reopen();
  close();
  fs::remove(folder() + "/mine.txt");
  // A second name of the database shows what became of its bytes.
  fs::create_hard_link(database(), directory_.file("link"));
  value_of(Store::shred(folder()));
  EXPECT_FALSE(fs::exists(folder()));
  const std::string left = testing::read_test_file(directory_.file("link"));
  EXPECT_GT(left.size(), 4096u);
  EXPECT_EQ(left.find_first_not_of('\0'), std::string::npos);
  EXPECT_ERROR(Store::shred(folder()), "there is no store");
}

TEST_F(Privacy, OneProgramAtATime) {
  EXPECT_ERROR(Store::open(folder(), test_key(), options()), "another minke has these chats open");
  EXPECT_ERROR(Store::key_kind(folder()), "another minke has these chats open");
  reopen();
}

TEST_F(Privacy, SwappedRowsDoNotOpen) {
  const Id a = conversation("a");
  say(a, Role::kUser, "one", 0);
  say(a, Role::kUser, "two", 1);
  say(a, Role::kUser, "three", 2);
  const Id b = conversation("b");
  say(b, Role::kUser, "other", 0);
  {
    sqlite::Database db = raw();
    // Messages 1 and 2 of a change places; b gets a's head.
    value_of(db.execute("UPDATE messages SET number = -1 WHERE number = 1 AND hex(conversation) = upper('" + a.hex() + "')"));
    value_of(db.execute("UPDATE messages SET number = 1 WHERE number = 2; UPDATE messages SET number = 2 WHERE number = -1"));
    value_of(db.execute("UPDATE conversations SET head = (SELECT head FROM conversations WHERE hex(id) = upper('" + a.hex() +
                        "')) WHERE hex(id) = upper('" + b.hex() + "')"));
  }
  reopen();
  const Conversation swapped = load(a);
  EXPECT_EQ(swapped.damaged, (std::vector<int64_t>{1, 2}));
  ASSERT_EQ(swapped.messages.size(), 1u) << "what is whole can still be read";
  EXPECT_EQ(path_to(swapped, 3).size(), 1u);
  EXPECT_EQ(store_->damaged(), std::vector<Id>{b});
  EXPECT_ERROR(store_->load(b), "its bytes are damaged");
  EXPECT_EQ(value_of(store_->search("three", 9)).size(), 1u);
  remove(b);
  EXPECT_TRUE(store_->damaged().empty());
}

TEST_F(Privacy, WrappedKeysOfTwoConversationsCannotBeSwapped) {
  conversation("a");
  conversation("b");
  {
    sqlite::Database db = raw();
    value_of(
        db.execute("CREATE TEMP TABLE old AS SELECT * FROM conversations;"
                   "UPDATE conversations SET (wrapped_key, head) = (SELECT wrapped_key, head FROM old "
                   "WHERE old.id != conversations.id)"));
  }
  reopen();
  EXPECT_EQ(store_->damaged().size(), 2u);
  EXPECT_TRUE(store_->list().empty());
}

TEST_F(Privacy, DerivedBlobsGoWithTheirConversation) {
  const Id id = conversation();
  const auto put = [&](const std::optional<Id>& owner, std::string_view kind, std::string_view name, std::string_view text) {
    value_of(store_->put_derived(owner, kind, name, bytes_of(text)));
  };
  const auto get = [&](const std::optional<Id>& owner, std::string_view kind, std::string_view name) {
    return value_of(store_->get_derived(owner, kind, name));
  };
  put(id, "kv", "1", "one");
  put(id, "kv", "1", "one again");
  put(id, "kv", "", "");
  put(std::nullopt, "kv", "1", "of no conversation");
  put(std::nullopt, "log", "1", "log");
  reopen();
  EXPECT_EQ(get(id, "kv", "1"), "one again");
  EXPECT_EQ(get(id, "kv", ""), "");
  EXPECT_EQ(get(std::nullopt, "kv", "1"), "of no conversation");
  EXPECT_EQ(get(id, "kv", "2"), std::nullopt);
  EXPECT_ERROR(store_->put_derived(Id::random(), "kv", "1", {}), "there is none with this id");
  value_of(store_->remove_derived(std::nullopt, "kv", "1"));
  EXPECT_EQ(get(std::nullopt, "kv", "1"), std::nullopt);
  remove(id);
  EXPECT_EQ(get(std::nullopt, "log", "1"), "log");
  const auto n_files = [&] { return std::distance(fs::directory_iterator(folder() + "/derived"), fs::directory_iterator()); };
  EXPECT_EQ(n_files(), 1);
  value_of(store_->set_retention({3}));
  now_ms_ += 3 * kDayMs;
  value_of(store_->sweep());
  EXPECT_EQ(get(std::nullopt, "log", "1"), std::nullopt);
  EXPECT_EQ(n_files(), 0);
}

TEST_F(Privacy, DerivedBlobsMakeRoomInTheOrderOfTheirUse) {
  const std::string text(1000, 'k');
  // The clock of a file system may be coarse, so the times of use are set: the newest file was used i hours after a day ago.
  const auto age_newest = [&](int i) {
    const auto now = fs::file_time_type::clock::now();
    for (const auto& entry : fs::directory_iterator(folder() + "/derived")) {
      const bool is_new = fs::last_write_time(entry) > now - std::chrono::hours(1);
      if (is_new) fs::last_write_time(entry, now - std::chrono::hours(24 - i));
    }
  };
  for (int i = 0; i < 4; i++) {
    value_of(store_->put_derived(std::nullopt, "kv", std::to_string(i), bytes_of(text)));
    age_newest(i);
  }
  value_of(store_->put_derived(std::nullopt, "log", "x", bytes_of(text)));
  ASSERT_EQ(value_of(store_->get_derived(std::nullopt, "kv", "0")), text);  // now the newest
  value_of(store_->trim_derived("kv", 2 * (text.size() + kSealBytes)));
  EXPECT_NE(value_of(store_->get_derived(std::nullopt, "kv", "0")), std::nullopt);
  EXPECT_EQ(value_of(store_->get_derived(std::nullopt, "kv", "1")), std::nullopt);
  EXPECT_EQ(value_of(store_->get_derived(std::nullopt, "kv", "2")), std::nullopt);
  EXPECT_NE(value_of(store_->get_derived(std::nullopt, "kv", "3")), std::nullopt);
  EXPECT_NE(value_of(store_->get_derived(std::nullopt, "log", "x")), std::nullopt);
}

TEST_F(Privacy, ADamagedBlobIsAnError) {
  value_of(store_->put_derived(std::nullopt, "kv", "1", bytes_of("text")));
  const std::string path = fs::directory_iterator(folder() + "/derived")->path();
  std::string bytes = testing::read_test_file(path);
  bytes[30] ^= 1;
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_ERROR(store_->get_derived(std::nullopt, "kv", "1"), "damaged: remove it");
}

TEST_F(Privacy, DamageIsNotAWrongPassphrase) {
  canary_conversation();
  {
    sqlite::Database db = raw();
    value_of(db.execute("UPDATE lock SET salt = zeroblob(16)"));
  }
  EXPECT_ERROR(Store::open(folder(), test_key(), options()), "the record of the store's key is damaged");
  std::ofstream(database(), std::ios::binary) << std::string(8192, 'x');
  EXPECT_ERROR(Store::open(folder(), test_key(), options()), "not a store of chats");
}

class Schema : public Privacy {};

TEST_F(Schema, AnOlderFileGetsWhatItLacks) {
  const Id id = conversation("old");
  say(id, Role::kUser, "still here", 0);
  {
    sqlite::Database db = raw();
    value_of(db.execute("DROP TABLE derived; PRAGMA user_version = 1"));
  }
  reopen();
  EXPECT_EQ(load(id).messages.at(0).content, "still here");
  value_of(store_->put_derived(id, "kv", "1", bytes_of("new")));
  sqlite::Database db = raw();
  EXPECT_EQ(value_of(db.pragma("user_version")), kSchemaVersion);
}

TEST_F(Schema, ANewerFileAndAnotherProgramsAreLeftAlone) {
  {
    sqlite::Database db = raw();
    value_of(db.execute("PRAGMA user_version = 99"));
  }
  EXPECT_ERROR(Store::open(folder(), test_key(), options()),
               "written by a newer minke: expected schema version 2 or older, got 99");
  {
    sqlite::Database db = raw();
    value_of(db.execute("PRAGMA application_id = 7"));
  }
  EXPECT_ERROR(Store::open(folder(), test_key(), options()), "the SQLite database of another program");
}

}  // namespace
}  // namespace minke::store
