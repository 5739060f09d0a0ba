// Reads one table of a TOML file key by key and notes what is wrong; the caller asks at the end. Every value that is read goes
// into a canonical JSON object, too, in the order of reading.
#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace minke::toml_file {

// What is wrong with a file, the most telling first: a wrong choice (it decides which keys are expected), then an unknown key
// (a typing error leaves another key missing), then everything else in the order of reading.
class Problems {
 public:
  // missing_hint: what a message adds about a key that is not there, such as "a recipe has every value written out".
  Problems(std::string where, std::string missing_hint) : where_(std::move(where)), missing_hint_(std::move(missing_hint)) {}
  enum class Weight { kChoice, kUnknownKey, kOther };
  void add(Weight weight, const toml::source_region& source, std::string message);
  Status status() const;
  const std::string& missing_hint() const { return missing_hint_; }

 private:
  std::string where_, missing_hint_;
  std::optional<std::string> first_[3];
};

struct Bounds {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool above_min = false;  // min itself is out
  bool below_max = false;
};
constexpr Bounds kPositive{.min = 0, .above_min = true};
constexpr Bounds kNotNegative{.min = 0};
constexpr Bounds kFraction{.min = 0, .max = 1};
constexpr Bounds kBelowOne{.min = 0, .max = 1, .below_max = true};

constexpr int64_t kNoMaximum = std::numeric_limits<int64_t>::max();

// Tables that stand in where others have none of that name.
struct SharedSections {
  const toml::table& table;
  std::set<std::string> wanted = {};  // names that were asked for ...
  std::set<std::string> used = {};    // ... and taken from here
};

class TomlSection {
 public:
  // name: as in messages, such as "optimizer"; empty for the root. canonical is set to an object.
  TomlSection(Problems& problems, const toml::table& table, std::string name, Json& canonical);

  // The table `key`; an empty one, with a problem noted, when it is missing. It writes into a part of this section's canonical
  // object, so it is read to its end before this section reads on.
  TomlSection section(const std::string& key);

  // From now on section() takes a table that is missing here from `shared`, which outlives this.
  void stand_in(SharedSections& shared) { shared_ = &shared; }

  // Whether the key is there, for tables that may be left out.
  bool contains(const std::string& key);

  // Each notes a problem and leaves `out` alone when the key is missing, of another type or out of bounds.
  void text(const std::string& key, std::string& out, bool may_be_empty = false);
  void number(const std::string& key, double& out, const Bounds& bounds);
  void integer(const std::string& key, int64_t& out, int64_t min, int64_t max = kNoMaximum);
  void seed(const std::string& key, uint64_t& out);
  void flag(const std::string& key, bool& out);
  void texts(const std::string& key, std::vector<std::string>& out);
  // The tables of an array; none, with a problem noted, when it is not a non-empty array of tables.
  std::vector<TomlSection> tables(const std::string& key);

  template <typename E>
  void choice(const std::string& key, E& out, std::span<const std::pair<std::string_view, E>> names) {
    std::vector<std::string_view> known;
    for (const auto& [name, value] : names) known.push_back(name);
    if (auto index = chosen(key, known)) out = names[*index].second;
  }

  // Known keys that mean nothing here; one that is there is a problem: "... is not used with WHY".
  void unused(std::initializer_list<const char*> keys, const std::string& why);

  // A problem of values that do not fit together, at the line of the key.
  void problem(const std::string& key, std::string message);
  // Keys that nobody asked for are problems, with the nearest key that somebody did.
  void finish();

 private:
  const toml::node* find(const std::string& key);
  std::optional<size_t> chosen(const std::string& key, const std::vector<std::string_view>& names);
  void expected(const std::string& key, const toml::node& node, std::string_view what);
  std::string full_name(const std::string& key) const { return name_.empty() ? key : name_ + "." + key; }

  Problems* problems_;
  const toml::table* table_;
  std::string name_;
  Json* canonical_;
  SharedSections* shared_ = nullptr;
  std::vector<std::string> known_;
};

// The name that `word` was probably meant to be; none when all are too far from it.
std::optional<std::string> nearest_name(std::string_view word, std::span<const std::string> names);

}  // namespace minke::toml_file
