// The page's services over a temporary folder, with a clock that stands until it is moved, and their replies read back.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/json.h"
#include "page/services.h"
#include "support/support.h"

namespace minke::page {

using server::Outcome;
using server::PageServices;
using server::TurnEnd;
using server::TurnIds;
using server::TurnStart;

inline Json value_of(const Outcome<std::string>& outcome) {
  if (!outcome) throw std::runtime_error(outcome.error().message);
  return testing::value_of(parse_json(*outcome, "reply"));
}

// The status and the code of an error; "200" of none.
template <typename T>
std::string error_of(const Outcome<T>& outcome) {
  if (outcome) return "200";
  return fmt::format("{} {}", server::http_status(outcome.error().kind), outcome.error().code);
}

class PageTest : public ::testing::Test {
 protected:
  static constexpr int64_t kDayMs = 86'400'000;

  void SetUp() override { start(); }
  void start();
  void restart() {
    services_.reset();
    start();
  }
  Places places() const;
  std::string home() const { return directory_.file("home"); }

  void create(const char* passphrase = "고래 whale") { value_of(services_->store_create(passphrase)); }
  // One turn as the server makes it; texts of the user and of the model. Returns its ids.
  TurnIds begin(const std::string& text, const std::optional<std::string>& conversation = std::nullopt,
                const std::optional<std::string>& parent = std::nullopt);
  void end(const TurnIds& ids, const std::string& content, const std::string& reasoning = "");
  TurnIds say(const std::string& text, const std::string& reply, const std::optional<std::string>& conversation = std::nullopt,
              const std::optional<std::string>& parent = std::nullopt);
  Json conversation(const std::string& id) { return value_of(services_->conversation(id)); }
  std::vector<std::string> titles(const server::ConversationQuery& query = {});

  testing::TemporaryDirectory directory_;
  int64_t now_ms_ = 1'800'000'000'000;  // 2027-01-15T08:00:00Z
  // Who keeps pages: what it was told, and where it may write now.
  std::vector<std::string> told_;
  std::string pages_;
  std::string key_;
  std::unique_ptr<PageServices> services_;
};

// The files below a folder in which the bytes occur.
std::vector<std::string> files_with(const std::string& folder, std::string_view bytes);

// What the page expects of an object, read from web/src/api/types.ts: a name for each field, with "?" behind those that may be
// missing.
std::vector<std::string> fields_of_type(const std::string& name);
// Fields that are missing, and those that the page does not know; empty when both sides agree.
std::string differences(const Json& object, const std::string& type);

}  // namespace minke::page
