// Reads keys of config.json with the key's name in every error, and remembers which keys were read.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "model/config.h"

namespace minke {

class ConfigReader {
 public:
  // `json` must outlive the reader. `where` names the file (and the object, for nested ones) in errors.
  ConfigReader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}

  bool has(std::string_view key);  // present and not null
  Result<int64_t> integer(std::string_view key);
  Result<int64_t> integer_or(std::string_view key, int64_t fallback);  // fallback also for null
  Result<double> number(std::string_view key);
  Result<double> number_or(std::string_view key, double fallback);
  Result<bool> boolean_or(std::string_view key, bool fallback);
  Result<std::string> string(std::string_view key);
  Result<std::string> string_or(std::string_view key, std::string fallback);
  Result<std::vector<int64_t>> integers(std::string_view key);     // a single integer or a list; empty when absent
  Result<std::vector<std::string>> strings(std::string_view key);  // a list of strings; empty when absent
  const Json* object(std::string_view key);                        // null when absent or null

  // The value must be `supported`, or absent.
  Status expect(std::string_view key, std::string_view supported);
  Status expect_flag(std::string_view key, bool supported);

  // Marks a key as known and without effect here.
  void ignore(std::initializer_list<std::string_view> keys);
  // Keys that nobody read and whose value is not null, false, zero or empty.
  std::vector<std::string> unread() const;

  const std::string& where() const { return where_; }

 private:
  const Json* find(std::string_view key);
  tl::unexpected<Error> wrong_type(std::string_view key, std::string_view expected);

  const Json& json_;
  std::string where_;
  std::set<std::string, std::less<>> known_;
};

// The keys that every architecture shares. rope: theta and scaling in every spelling (rope_theta + rope_scaling, or
// rope_parameters; "type" or "rope_type").
Status read_rope(ConfigReader& reader, RopeConfig& rope);
// eos/bos ids, tie_word_embeddings, quantization_config, keys without effect on the computation.
Status read_common(ConfigReader& reader, ModelConfig& config);

}  // namespace minke
