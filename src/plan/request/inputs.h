// The inputs of a question as a JSON object, read key by key. An error names the key, its value and what is expected.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace minke::plan {

// "14.8T", "300e9", "4096": with k, M, B and T for powers of a thousand. `what` names it in the error.
Result<double> parse_count(std::string_view text, std::string_view what);

class Inputs {
 public:
  // `object` must be a JSON object that outlives this.
  explicit Inputs(const Json& object) : object_(&object) {}

  // An error for a key that is not among `known`.
  Status only(std::string_view what, std::span<const std::string_view> known) const;

  bool has(std::string_view key) const;  // null is as good as left out
  Result<std::string> text(std::string_view key) const;
  Result<std::string> text_or(std::string_view key, std::string fallback) const;
  Result<std::string> choice_or(std::string_view key, std::span<const std::string_view> known, std::string fallback) const;
  // A number above 0, or its text as on the command line ("14.8T").
  Result<double> count(std::string_view key) const;
  Result<double> count_or(std::string_view key, double fallback) const;
  Result<double> number_or(std::string_view key, double min, double max, double fallback) const;
  Result<std::optional<double>> maybe(std::string_view key, double min, double max) const;
  Result<int64_t> integer(std::string_view key, int64_t min, int64_t max) const;
  Result<int64_t> integer_or(std::string_view key, int64_t min, int64_t max, int64_t fallback) const;
  Result<bool> flag_or(std::string_view key, bool fallback) const;
  Result<std::vector<std::string>> texts(std::string_view key, size_t max) const;
  // An object; an empty one where the key is left out.
  Result<Json> object_or_empty(std::string_view key) const;

 private:
  Result<const Json*> wanted(std::string_view key, std::string_view expected) const;

  const Json* object_;
};

}  // namespace minke::plan
