#include "hub/hub_fixture.h"

#include <algorithm>

#include "base/file.h"

namespace minke::hub {

std::string noise(size_t n_bytes, uint32_t seed) {
  std::string bytes(n_bytes, '\0');
  uint32_t state = seed * 2654435761u + 1;
  for (char& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

void Notes::on_progress(const Progress& value) { progress.push_back(value); }
void Notes::on_note(const std::string& text) { notes.push_back(text); }

bool Notes::has_note(const std::string& part) const {
  return std::any_of(notes.begin(), notes.end(), [&](const std::string& note) { return note.find(part) != note.npos; });
}

HubTest::HubTest() {
  options_.endpoint = hub_.endpoint();
  options_.cache_dir = directory_.file("cache");
  options_.outbound_log = directory_.file("state/outbound.jsonl");
  options_.n_connections = 1;
  options_.retry.first_wait_s = 0.001;
  options_.retry.max_wait_s = 0.01;
  options_.retry.max_retries = 3;
}

void HubTest::add_safetensors_model() {
  hub_.add_file("config.json", R"({"model_type":"deepseek_v3"})", false);
  hub_.add_file("tokenizer.json", R"({"version":"1.0"})", false);
  hub_.add_file("model.safetensors", weights_, true);
}

Result<PullResult> HubTest::pull_it(const std::string& reference) {
  ModelReference parsed = TRY(parse_reference(reference));
  return pull(parsed, options_, notes_, cancel_);
}

std::string HubTest::repo_path(const std::string& relative) const {
  return options_.cache_dir + "/models--org--tiny/" + relative;
}

std::vector<testing::FakeRequest> HubTest::weight_requests() const {
  std::vector<testing::FakeRequest> found;
  for (const testing::FakeRequest& request : hub_.requests()) {
    if (request.is_cdn && request.path == "/cdn/" + hub_.hash_of("model.safetensors")) found.push_back(request);
  }
  return found;
}

void HubTest::expect_whole_model() {
  EXPECT_EQ(testing::value_of(read_file(weight_link(), 1 << 20)), weights_);
  EXPECT_FALSE(std::filesystem::exists(weight_partial()));
}

void HubTest::write_partial(std::string_view bytes) {
  std::filesystem::create_directories(repo_path("blobs"));
  testing::value_of(write_file(weight_partial(), bytes));
}

}  // namespace minke::hub
