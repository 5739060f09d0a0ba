// Pages on the disk: they come back as they were or not at all, never take more room than they may, and tell nothing.
#include "engine/prefix_store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>

#include "engine_fixture.h"

namespace minke {
namespace {

using namespace testing;
namespace fs = std::filesystem;

constexpr int64_t kPageBytes = 300, kFileBytes = 8 + 24 + kPageBytes + 16;

std::vector<std::byte> page_of(int which) {
  std::vector<std::byte> page(kPageBytes);
  for (size_t i = 0; i < page.size(); i++) page[i] = static_cast<std::byte>(static_cast<size_t>(which) * 31 + i * 7);
  return page;
}

struct Folder {
  TemporaryDirectory directory;
  std::vector<std::byte> key = std::vector<std::byte>(32, std::byte{5});
  std::unique_ptr<PrefixStore> open(int64_t max_bytes = 1 << 20) {
    return value_of(PrefixStore::open({directory.file("pages"), max_bytes, key}));
  }
  std::vector<fs::path> files() const {
    std::vector<fs::path> out;
    for (const auto& entry : fs::directory_iterator(directory.file("pages"))) {
      if (entry.path().extension() != ".kv") continue;
      out.push_back(entry.path());
    }
    return out;
  }
};

PrefixStore::Name name_of(const PrefixStore& store, int which) {
  return store.next(store.start("f32"), std::vector<TokenId>{which});
}

void write(PrefixStore& store, int which, int64_t index = 0) {
  store.write(page_of(which), name_of(store, which), index);
  store.flush();
}

bool reads(PrefixStore& store, int which) {
  std::vector<std::byte> page(kPageBytes);
  if (!store.read(page, name_of(store, which), 0)) return false;
  EXPECT_EQ(page, page_of(which));
  return true;
}

TEST(PrefixStore, GivesBackWhatItGotAlsoAfterARestart) {
  Folder folder;
  {
    std::unique_ptr<PrefixStore> store = folder.open();
    EXPECT_FALSE(reads(*store, 1));
    write(*store, 1);
    store->write(page_of(2), name_of(*store, 2), 1);  // is written when the store goes
    EXPECT_TRUE(reads(*store, 1));
    EXPECT_ERROR(PrefixStore::open({folder.directory.file("pages"), 1000, folder.key}), "another process");
  }
  std::unique_ptr<PrefixStore> store = folder.open();
  EXPECT_EQ(store->stats().n_files, 2);
  EXPECT_EQ(store->stats().n_bytes, 2 * kFileBytes);
  EXPECT_TRUE(reads(*store, 1));
  EXPECT_TRUE(reads(*store, 2));
  EXPECT_EQ(store->stats().n_refused, 0);
}

TEST(PrefixStore, NamesFollowFromKeyOriginAndAllTokens) {
  Folder folder, other_key;
  other_key.key[31] = std::byte{6};
  const std::unique_ptr<PrefixStore> store = folder.open(), other = other_key.open();
  const std::vector<TokenId> first = {1, 2}, second = {3, 4};
  const auto name_in = [&](const PrefixStore& of, std::string_view origin) {
    return of.next(of.next(of.start(origin), first), second);
  };
  const PrefixStore::Name name = name_in(*store, "f32");
  EXPECT_EQ(name, name_in(*store, "f32"));
  EXPECT_NE(name, name_in(*store, "f16"));
  EXPECT_NE(name, name_in(*other, "f32"));
  EXPECT_NE(name, store->next(store->next(store->start("f32"), second), second));
  EXPECT_NE(name, store->next(store->start("f32"), second));
}

TEST(PrefixStore, AnyChangedByteIsRefused) {
  Folder folder;
  std::unique_ptr<PrefixStore> store = folder.open();
  for (int64_t i = 0; i < kFileBytes; i++) {
    write(*store, 1);
    ASSERT_EQ(folder.files().size(), 1u);
    std::fstream file(folder.files()[0], std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(i);
    const char was = static_cast<char>(file.get());
    file.seekp(i);
    file.put(static_cast<char>(was ^ (1 << i % 8)));
    file.close();
    ASSERT_FALSE(reads(*store, 1)) << "byte " << i;
    ASSERT_EQ(store->stats().n_refused, i + 1);
    ASSERT_TRUE(folder.files().empty());
  }
}

TEST(PrefixStore, CutExchangedAndForeignFilesAreRefused) {
  Folder folder;
  std::unique_ptr<PrefixStore> store = folder.open();
  int64_t n_refused = 0;
  for (int64_t size : {int64_t{0}, int64_t{7}, int64_t{40}, kFileBytes - 1, kFileBytes + 1}) {
    write(*store, 1);
    fs::resize_file(folder.files()[0], static_cast<uintmax_t>(size));
    EXPECT_FALSE(reads(*store, 1)) << size;
    EXPECT_EQ(store->stats().n_refused, ++n_refused);
  }
  // One page under another's name.
  write(*store, 1);
  const fs::path first = folder.files()[0];
  const std::string content = read_test_file(first.string());
  write(*store, 2);
  fs::copy_file(first, folder.files()[0] == first ? folder.files()[1] : folder.files()[0],
                fs::copy_options::overwrite_existing);
  EXPECT_FALSE(reads(*store, 2));
  EXPECT_TRUE(reads(*store, 1));
  // A page of another size, and a link.
  std::vector<std::byte> small(kPageBytes - 4);
  EXPECT_FALSE(store->read(small, name_of(*store, 1), 0));
  write(*store, 1);
  fs::rename(first, folder.directory.file("elsewhere"));
  fs::create_symlink(folder.directory.file("elsewhere"), first);
  EXPECT_FALSE(reads(*store, 1));
  EXPECT_EQ(store->stats().n_refused, n_refused + 3);
  // With another key the name is another, so the page is not even looked for.
  write(*store, 1);
  store.reset();
  folder.key[0] = std::byte{9};
  store = folder.open();
  EXPECT_EQ(store->stats().n_files, 1);
  EXPECT_FALSE(reads(*store, 1));
}

TEST(PrefixStore, TakesNoMoreRoomThanItMay) {
  Folder folder;
  std::unique_ptr<PrefixStore> store = folder.open(3 * kFileBytes + 10);
  for (int i = 0; i < 3; i++) write(*store, i);
  EXPECT_TRUE(reads(*store, 0));  // so 1 was used longest ago
  write(*store, 3);
  EXPECT_EQ(folder.files().size(), 3u);
  EXPECT_EQ(store->stats().n_bytes, 3 * kFileBytes);
  EXPECT_FALSE(reads(*store, 1));
  for (int i : {2, 3, 0}) EXPECT_TRUE(reads(*store, i));
  store.reset();
  store = folder.open(2 * kFileBytes);  // less room than before: 2 goes, as the times of the files say
  EXPECT_EQ(folder.files().size(), 2u);
  EXPECT_FALSE(reads(*store, 2));
  EXPECT_TRUE(reads(*store, 3));
  EXPECT_TRUE(reads(*store, 0));
  std::vector<std::byte> large(2 * kFileBytes);
  store->write(large, name_of(*store, 9), 0);
  store->flush();
  EXPECT_EQ(store->stats().n_skipped, 1);
  EXPECT_EQ(folder.files().size(), 2u);
}

// Without its first pages a beginning is worth nothing, so its last ones go first.
TEST(PrefixStore, TheEndOfABeginningGoesFirst) {
  Folder folder;
  std::unique_ptr<PrefixStore> store = folder.open(4 * kFileBytes);
  for (int i = 0; i < 4; i++) store->write(page_of(i), name_of(*store, i), int64_t{i} * 1'000'000'000);
  store->flush();
  write(*store, 4);
  EXPECT_FALSE(reads(*store, 3));
  for (int i : {0, 1, 2, 4}) EXPECT_TRUE(reads(*store, i)) << i;
}

TEST(PrefixStore, OnlyItsOwnerMayLook) {
  Folder folder;
  fs::create_directory(folder.directory.file("pages"));
  ::chmod(folder.directory.file("pages").c_str(), 0755);
  std::unique_ptr<PrefixStore> store = folder.open();
  write(*store, 1);
  struct stat about = {};
  ASSERT_EQ(::stat(folder.directory.file("pages").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0700u);
  ASSERT_EQ(::stat(folder.files()[0].c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  EXPECT_EQ(read_test_file(folder.files()[0].string()).find(std::string(reinterpret_cast<const char*>(page_of(1).data()), 16)),
            std::string::npos);
}

TEST(PrefixStore, ForgetsEverythingAndLeavesWhatIsNotItsOwn) {
  Folder folder;
  std::unique_ptr<PrefixStore> store = folder.open();
  const std::string own = folder.directory.file("pages/notes.kv");
  std::ofstream(own) << "not a page";
  for (int i = 0; i < 5; i++) store->write(page_of(i), name_of(*store, i), 0);
  value_of(store->clear());
  EXPECT_EQ(store->stats().n_files, 0);
  EXPECT_EQ(store->stats().n_bytes, 0);
  EXPECT_EQ(folder.files(), (std::vector<fs::path>{own}));
  write(*store, 1);
  EXPECT_TRUE(reads(*store, 1));
}

TEST(PrefixStore, RefusesWhatItCannotUse) {
  Folder folder;
  std::vector<std::byte> small(16);
  EXPECT_ERROR(PrefixStore::open({folder.directory.file("a"), 100, small}), "a key of 16 bytes: expected 32");
  EXPECT_ERROR(PrefixStore::open({folder.directory.file("a"), 0, folder.key}), "0 bytes for pages");
  std::ofstream(folder.directory.file("file")) << "x";
  EXPECT_ERROR(PrefixStore::open({folder.directory.file("file"), 100, folder.key}), "file");
}

// Only what may go to the disk does, however requests that begin alike follow each other.
TEST(PrefixStore, HasNothingOfRequestsThatMayNotUseIt) {
  EngineFixture f("qwen3");
  Folder folder;
  std::unique_ptr<PrefixStore> store = folder.open(64 << 20);
  std::unique_ptr<Engine> engine = f.engine({.prefix_tokens = 1024});
  EngineRequest early = request(some_tokens(100, 9), 2, 1);
  run_one(*engine, early);
  engine->set_store(store.get(), "a hash");  // what came before may not be written
  EngineRequest kept = request(some_tokens(130, 1), 2, 1), secret = kept;
  secret.uses_store = false;
  const std::vector<TokenId> more = some_tokens(100, 2);
  secret.prompt.insert(secret.prompt.end(), more.begin(), more.end());
  const auto n_files = [&] {
    engine->save_prefixes();
    return store->stats().n_files;
  };
  run_one(*engine, secret);
  EXPECT_EQ(n_files(), 0);
  EXPECT_EQ(run_one(*engine, kept).n_reused, 129);  // in memory it is shared
  EXPECT_EQ(n_files(), 2);
  EXPECT_EQ(run_one(*engine, secret).n_reused, 230 - 1);
  EXPECT_EQ(n_files(), 2);  // of the longer one the part that was allowed
  // Neither does it look there.
  engine->set_store(store.get(), "a hash");
  EXPECT_EQ(run_one(*engine, secret).n_reused, 0);
  EXPECT_EQ(store->stats().n_read, 0);
  // Nor has it what was cancelled, nor what was under way when all was to be forgotten.
  value_of(store->clear());
  engine->set_store(store.get(), "a hash");
  Answers answers;
  const int64_t cancelled = value_of(engine->submit(request(some_tokens(100, 3), 20, 1)));
  take_step(*engine, answers);
  engine->cancel(cancelled);
  value_of(engine->submit(request(some_tokens(100, 4), 4, 1)));
  take_step(*engine, answers);
  engine->forget_prefixes();
  run(*engine);
  EXPECT_EQ(engine->prefixes().n_entries(), 0);
  EXPECT_EQ(n_files(), 0);
}

// A prompt whose beginning was written to the disk goes on with the bits that it had.
TEST(PrefixStore, ABeginningFromTheDiskChangesNoBit) {
  for (const char* name : {"deepseek_v3", "qwen3"}) {
    for (DType kv : {DType::kF32, DType::kQ8_0}) {
      EngineFixture f(name);
      Folder folder;
      const EngineRequest first = request(some_tokens(200, 1), 12, 1);
      const Answer expected = run_one(*f.engine({.kv = kv}), first);
      {
        std::unique_ptr<PrefixStore> store = folder.open(64 << 20);
        std::unique_ptr<Engine> engine = f.engine({.cache_tokens = 256, .prefix_tokens = 256, .kv = kv});
        engine->set_store(store.get(), "a hash");
        run_one(*engine, first);
        run_one(*engine, request(some_tokens(240, 2), 2, 1));  // drives the first out
        store->flush();
        EXPECT_EQ(store->stats().n_files, 3);
        const Answer again = run_one(*engine, first);
        EXPECT_EQ(again.n_reused, 192) << name;
        EXPECT_TRUE(again == expected) << name;
        engine->save_prefixes();
      }
      std::unique_ptr<PrefixStore> store = folder.open(64 << 20);
      std::unique_ptr<Engine> engine = f.engine({.prefix_tokens = 1024, .kv = kv});
      engine->set_store(store.get(), "a hash");
      const Answer again = run_one(*engine, first);
      EXPECT_EQ(again.n_reused, 192) << name;
      EXPECT_TRUE(again == expected) << name;
      // In memory a little, on the disk more.
      const std::vector<TokenId> second = some_tokens(240, 2);
      EXPECT_EQ(run_one(*engine, request({second.begin(), second.begin() + 100}, 2, 1)).n_reused, 64);
      EXPECT_EQ(run_one(*engine, request(some_tokens(240, 2), 2, 1)).n_reused, 192);
      // A damaged page ends what is found.
      engine->clear();
      for (const fs::path& file : folder.files()) fs::resize_file(file, 100);
      const Answer damaged = run_one(*engine, first);
      EXPECT_EQ(damaged.n_reused, 0) << name;
      EXPECT_TRUE(damaged == expected) << name;
      EXPECT_EQ(store->stats().n_refused, 1);
      engine->forget_prefixes();
      EXPECT_EQ(engine->n_free_pages(), 1024);
    }
  }
}

}  // namespace
}  // namespace minke
