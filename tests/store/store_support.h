// A store in a temporary folder that can be closed and opened again, with a clock that stands until it is moved.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "store/store.h"
#include "support/support.h"

namespace minke::store {

constexpr int64_t kDayMs = 86'400'000;

// One pass over 8 KiB: the least that Argon2id takes.
inline KeyCost cheap_cost() { return {1, 8192}; }

inline Key test_key(std::string_view passphrase = "correct horse") { return testing::value_of(Key::passphrase(passphrase)); }

class StoreTest : public ::testing::Test {
 protected:
  StoreOptions options() {
    return {cheap_cost(), [this] { return now_ms_; }};
  }
  void SetUp() override { store_ = testing::value_of(Store::create(folder(), test_key(), options())); }
  void close() { store_.reset(); }
  void reopen() {
    close();
    store_ = testing::value_of(Store::open(folder(), test_key(), options()));
    ASSERT_NE(store_, nullptr);
  }
  std::string folder() const { return directory_.file("chats"); }

  Id conversation(const std::string& title = "whales", bool temporary = false) {
    return testing::value_of(store_->create_conversation(title, std::nullopt, temporary)).id;
  }
  int64_t say(const Id& id, Role role, const std::string& content, int64_t parent) {
    Message message;
    message.role = role;
    message.content = content;
    message.parent = parent;
    return testing::value_of(store_->append(id, message));
  }
  Conversation load(const Id& id) { return testing::value_of(store_->load(id)); }
  ConversationHead head(const Id& id) { return load(id).head; }
  void remove(const Id& id) { testing::value_of(store_->remove({&id, 1})); }

  testing::TemporaryDirectory directory_;
  int64_t now_ms_ = 1'800'000'000'000;
  std::unique_ptr<Store> store_;
};

// The files below a folder in which the bytes occur.
inline std::vector<std::string> files_with(const std::string& folder, std::string_view bytes) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    if (text.find(bytes) != std::string::npos) found.push_back(entry.path().string());
  }
  return found;
}

// A message with something in every field.
inline Message full_message(int64_t parent, const std::string& content) {
  Message message;
  message.parent = parent;
  message.role = Role::kAssistant;
  message.content = content;
  message.reasoning = "first\n\nthen 생각";
  message.model = "nano";
  message.finish_reason = "stop";
  message.created_ms = 1'799'999'999'123;
  message.usage = {100, 64, 20, 12};
  message.timings = {0.001, 0.25, 1.5, 2.75, 31.0625};
  message.attachments = {{"notes.txt", "text/plain", "line\n"}, {"표.csv", "text/csv", "a,b\n1,2"}};
  message.extra = R"({"tool_calls":[{"name":"add","arguments":{"a":1}}],"verified":true})";
  return message;
}

}  // namespace minke::store
