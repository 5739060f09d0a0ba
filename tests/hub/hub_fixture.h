// What the tests of pull share: a fake hub with a small model, a fresh cache, options without real waits.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "hub/cached.h"
#include "hub/fake_hub.h"
#include "hub/pull.h"
#include "support/support.h"

namespace minke::hub {

constexpr size_t kWeightBytes = 200'000;
constexpr size_t kConfigBytes = 28;
constexpr size_t kTokenizerBytes = 17;

// Bytes that differ everywhere, so that a wrong offset gives a wrong hash.
std::string noise(size_t n_bytes, uint32_t seed);

class Notes : public ProgressSink {
 public:
  void on_progress(const Progress& progress) override;
  void on_note(const std::string& text) override;
  std::vector<Progress> progress;
  std::vector<std::string> notes;
  bool has_note(const std::string& part) const;
};

class HubTest : public ::testing::Test {
 protected:
  HubTest();

  // config.json and tokenizer.json (small) and model.safetensors (LFS, behind a redirect).
  void add_safetensors_model();

  Result<PullResult> pull_it(const std::string& reference = "org/tiny");
  std::string repo_path(const std::string& relative) const;
  std::string weight_blob() const { return repo_path("blobs/" + hub_.hash_of("model.safetensors")); }
  std::string weight_partial() const { return weight_blob() + ".incomplete"; }
  std::string weight_link() const { return repo_path("snapshots/" + hub_.commit() + "/model.safetensors"); }
  std::string weights_ = noise(kWeightBytes, 7);
  // Requests for the bytes of the weights at the CDN.
  std::vector<testing::FakeRequest> weight_requests() const;
  void expect_whole_model();
  void write_partial(std::string_view bytes);

  testing::TemporaryDirectory directory_;
  testing::FakeHub hub_;
  HubOptions options_;
  Notes notes_;
  std::atomic<bool> cancel_{false};
};

}  // namespace minke::hub
