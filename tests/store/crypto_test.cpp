// Sealed bytes open only where they belong, and a wrong key is told apart from a damaged record.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "store/crypto/cipher.h"
#include "store/crypto/key.h"
#include "store_support.h"

namespace minke::store {
namespace {

using testing::TemporaryDirectory;
using testing::value_of;

TEST(Cipher, OpensNothingThatWasChangedOrMoved) {
  const Secret key = Secret::random(kKeyBytes);
  const Bytes sealed = seal(bytes_of("고래"), "row 1", key);
  EXPECT_EQ(unseal(sealed, "row 1", key), "고래");
  EXPECT_EQ(unseal(sealed, "row 2", key), std::nullopt);
  EXPECT_EQ(unseal(sealed, "row 1", Secret::random(kKeyBytes)), std::nullopt);
  EXPECT_EQ(unseal(std::span(sealed).first(kSealBytes - 1), "row 1", key), std::nullopt);
  EXPECT_EQ(unseal(std::span(sealed).first(sealed.size() - 1), "row 1", key), std::nullopt);
  for (size_t i = 0; i < sealed.size(); i++) {
    Bytes changed = sealed;
    changed[i] ^= std::byte{1};
    EXPECT_EQ(unseal(changed, "row 1", key), std::nullopt) << i;
  }
  EXPECT_NE(seal(bytes_of("고래"), "row 1", key), sealed) << "each time another nonce";
  EXPECT_EQ(unseal(seal({}, "", key), "", key), "");
}

// draft-irtf-cfrg-xchacha-03, appendix A.3.1: the file's cipher is the published one.
TEST(Cipher, IsTheOneOfTheDraft) {
  std::string key_text;
  for (int i = 0x80; i < 0xa0; i++) key_text += static_cast<char>(i);
  const auto from_hex = [](std::string_view hex) {
    std::string bytes;
    for (size_t i = 0; i < hex.size(); i += 2)
      bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    return bytes;
  };
  const std::string sealed = from_hex(
      "404142434445464748494a4b4c4d4e4f5051525354555657"
      "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e"
      "1213"
      "b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e"
      "c0875924c1c7987947deafd8780acf49");
  EXPECT_EQ(
      unseal(bytes_of(sealed), from_hex("50515253c0c1c2c3c4c5c6c7"), Secret::copy(key_text)),
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.");
}

TEST(Keys, WrongIsNotDamaged) {
  const Secret master = Secret::random(kKeyBytes);
  const LockedMaster locked = value_of(lock_master(master, test_key("one"), cheap_cost()));
  const auto opened = value_of(unlock_master(locked, test_key("one"), "chats"));
  ASSERT_TRUE(opened.has_value());
  EXPECT_TRUE(std::ranges::equal(opened->bytes(), master.bytes()));
  EXPECT_FALSE(value_of(unlock_master(locked, test_key("two"), "chats")).has_value());
  for (Bytes LockedMaster::*field : {&LockedMaster::salt, &LockedMaster::wrapped, &LockedMaster::checksum}) {
    LockedMaster damaged = locked;
    (damaged.*field)[3] ^= std::byte{4};
    EXPECT_ERROR(unlock_master(damaged, test_key("one"), "chats"), "chats: the record of the store's key is damaged");
    (damaged.*field).resize(5);
    EXPECT_ERROR(unlock_master(damaged, test_key("one"), "chats"), "damaged");
  }
  LockedMaster costly = locked;
  costly.cost.memory_bytes++;
  EXPECT_ERROR(unlock_master(costly, test_key("one"), "chats"), "damaged");
}

TEST(Keys, ACraftedCostIsRefusedBeforeItIsSpent) {
  const Secret master = Secret::random(kKeyBytes);
  TemporaryDirectory folder;
  value_of(create_key_file(folder.file("key")));
  const Key file = value_of(Key::file(folder.file("key")));
  // A key file spends nothing, so the record is made in no time, with a right checksum.
  const LockedMaster locked = value_of(lock_master(master, file, {3, uint64_t{1} << 40}));
  EXPECT_ERROR(unlock_master(locked, file, "chats"), "expected at most 1000 over 4096 MiB");
}

TEST(Keys, OfTheOtherKindAreNamed) {
  TemporaryDirectory folder;
  const std::string path = folder.file("key");
  value_of(create_key_file(path));
  EXPECT_ERROR(create_key_file(path), "File exists");
  const Key file = value_of(Key::file(path));
  const Secret master = Secret::random(kKeyBytes);
  const LockedMaster locked = value_of(lock_master(master, file, cheap_cost()));
  EXPECT_TRUE(value_of(unlock_master(locked, file, "chats")).has_value());
  EXPECT_ERROR(unlock_master(locked, test_key(), "chats"), "opens with a key file, got a passphrase");
}

TEST(Keys, AFileThatOthersMayReadIsRefused) {
  TemporaryDirectory folder;
  const std::string path = folder.file("key");
  value_of(create_key_file(path));
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  EXPECT_ERROR(Key::file(path), "expected 0600");
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  std::ofstream(path) << "minke-key-1:abc\n";
  EXPECT_ERROR(Key::file(path), "not a key file");
  std::ofstream(path) << "minke-key-1:" << std::string(63, 'a') << "g\n";
  EXPECT_ERROR(Key::file(path), "not a key file");
  EXPECT_ERROR(Key::file(folder.file("none")), "cannot read the key file");
}

TEST(Keys, OneKoreanPassphraseWhateverTypedIt) {
  const Secret master = Secret::random(kKeyBytes);
  const LockedMaster locked = value_of(lock_master(master, test_key("\xea\xb3\xa0\xeb\x9e\x98"), cheap_cost()));  // 고래
  // The same in letters: U+1100 U+1169 U+1105 U+1162
  const Key letters = test_key("\xe1\x84\x80\xe1\x85\xa9\xe1\x84\x85\xe1\x85\xa2");
  EXPECT_TRUE(value_of(unlock_master(locked, letters, "chats")).has_value());
  EXPECT_ERROR(Key::passphrase(""), "the passphrase is empty");
  EXPECT_ERROR(Key::passphrase("\xff"), "not valid UTF-8");
}

}  // namespace
}  // namespace minke::store
