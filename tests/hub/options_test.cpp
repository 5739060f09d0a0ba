#include "hub/options.h"

#include <cstdlib>

#include "base/file.h"
#include "support/support.h"

namespace minke::hub {
namespace {

// Sets the variables of a test and puts the old ones back.
class Environment {
 public:
  Environment() {
    for (const char* name :
         {"HF_ENDPOINT", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE",
          "XDG_CACHE_HOME", "XDG_STATE_HOME", "HOME", "https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY"}) {
      const char* value = std::getenv(name);
      before_.emplace_back(name, value == nullptr ? std::nullopt : std::optional<std::string>(value));
      ::unsetenv(name);
    }
    ::setenv("HOME", home_.path().c_str(), 1);
  }
  ~Environment() {
    for (const auto& [name, value] : before_) {
      if (value) {
        ::setenv(name.c_str(), value->c_str(), 1);
      } else {
        ::unsetenv(name.c_str());
      }
    }
  }
  void set(const char* name, const std::string& value) { ::setenv(name, value.c_str(), 1); }
  std::string home(const std::string& relative = "") const { return home_.path().string() + relative; }

 private:
  testing::TemporaryDirectory home_;
  std::vector<std::pair<std::string, std::optional<std::string>>> before_;
};

TEST(HubOptions, Defaults) {
  Environment environment;
  HubOptions options = testing::value_of(from_environment());
  EXPECT_EQ(options.endpoint, "https://huggingface.co");
  EXPECT_EQ(options.token, "");
  EXPECT_EQ(options.cache_dir, environment.home("/.cache/huggingface/hub"));
  EXPECT_EQ(options.outbound_log, environment.home("/.local/state/minke/outbound.jsonl"));
  EXPECT_FALSE(options.offline);
}

TEST(HubOptions, CacheDirectoryPrecedence) {
  Environment environment;
  environment.set("XDG_CACHE_HOME", "/xdg");
  EXPECT_EQ(testing::value_of(from_environment()).cache_dir, "/xdg/huggingface/hub");
  environment.set("HF_HOME", "~/hf");
  EXPECT_EQ(testing::value_of(from_environment()).cache_dir, environment.home("/hf/hub"));
  environment.set("HF_HUB_CACHE", "/models");
  EXPECT_EQ(testing::value_of(from_environment()).cache_dir, "/models");
}

TEST(HubOptions, TokenPrecedence) {
  Environment environment;
  std::filesystem::create_directories(environment.home("/.cache/huggingface"));
  testing::value_of(write_file(environment.home("/.cache/huggingface/token"), "hf_stored\n"));
  EXPECT_EQ(testing::value_of(from_environment()).token, "hf_stored");
  testing::value_of(write_file(environment.home("/t"), "hf_named\r\n"));
  environment.set("HF_TOKEN_PATH", environment.home("/t"));
  EXPECT_EQ(testing::value_of(from_environment()).token, "hf_named");
  environment.set("HF_TOKEN", " hf_set ");
  EXPECT_EQ(testing::value_of(from_environment()).token, "hf_set");
}

TEST(HubOptions, BadValuesAreErrorsThatDoNotShowTheToken) {
  Environment environment;
  environment.set("HF_TOKEN", "hf_secret\r\nX-Evil: 1");
  auto options = from_environment();
  ASSERT_FALSE(options.has_value());
  EXPECT_EQ(options.error().message.find("secret"), std::string::npos);
  environment.set("HF_TOKEN", "");
  environment.set("HF_TOKEN_PATH", "/nowhere/token");
  EXPECT_ERROR(from_environment(), "HF_TOKEN_PATH: /nowhere/token");
  environment.set("HF_TOKEN_PATH", "");
  environment.set("HF_ENDPOINT", "huggingface.co");
  EXPECT_ERROR(from_environment(), "HF_ENDPOINT");
}

TEST(HubOptions, OfflineAndEndpoint) {
  Environment environment;
  environment.set("HF_HUB_OFFLINE", "True");
  environment.set("HF_ENDPOINT", "https://hf-mirror.com/");
  EXPECT_TRUE(testing::value_of(from_environment()).offline);
  EXPECT_EQ(testing::value_of(from_environment()).endpoint, "https://hf-mirror.com");
  environment.set("HF_HUB_OFFLINE", "0");
  EXPECT_FALSE(testing::value_of(from_environment()).offline);
}

}  // namespace
}  // namespace minke::hub
