#include "base/toml_section.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

namespace minke::toml_file {
namespace {

// A value as it would stand in the file, short enough for a message.
std::string shown(const toml::node& node) {
  std::ostringstream text;
  node.visit([&](const auto& value) { text << toml::default_formatter(value); });
  std::string out = text.str();
  std::replace(out.begin(), out.end(), '\n', ' ');
  constexpr size_t kMaxShown = 60;
  return out.size() > kMaxShown ? out.substr(0, kMaxShown) + "..." : out;
}

std::string bounds_text(const Bounds& bounds) {
  std::string low = std::isfinite(bounds.min) ? fmt::format(" {} {}", bounds.above_min ? "above" : "from", bounds.min) : "";
  if (!std::isfinite(bounds.max)) return "a number" + low + (low.empty() || bounds.above_min ? "" : " up");
  return fmt::format("a number{} {} {}", low, bounds.below_max ? "and below" : "to", bounds.max);
}

// Levenshtein distance.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); j++) {
      size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

const toml::table kNoTable;

}  // namespace

std::optional<std::string> nearest_name(std::string_view word, std::span<const std::string> names) {
  std::optional<std::string> nearest;
  size_t least = std::max<size_t>(2, word.size() / 3) + 1;  // farther than this it was not meant
  for (const std::string& name : names) {
    size_t distance = edit_distance(word, name);
    // A part of the name, such as tokens for total_tokens, is near whatever its length.
    if (word.size() >= 3 && (name.find(word) != std::string::npos || (name.size() >= 3 && word.find(name) != word.npos))) {
      distance = std::min<size_t>(distance, 2);
    }
    if (distance < least) {
      least = distance;
      nearest = name;
    }
  }
  return nearest;
}

void Problems::add(Weight weight, const toml::source_region& source, std::string message) {
  std::optional<std::string>& slot = first_[static_cast<int>(weight)];
  if (slot) return;
  slot = source.begin.line > 0 ? fmt::format("{}:{}: {}", where_, source.begin.line, message)
                               : fmt::format("{}: {}", where_, message);
}

Status Problems::status() const {
  for (const auto& message : first_) {
    if (message) return error("{}", *message);
  }
  return {};
}

TomlSection::TomlSection(Problems& problems, const toml::table& table, std::string name, Json& canonical)
    : problems_(&problems), table_(&table), name_(std::move(name)), canonical_(&canonical) {
  canonical = Json::object();
}

const toml::node* TomlSection::find(const std::string& key) {
  known_.push_back(key);
  const toml::node* node = table_->get(key);
  // A missing section was noted already; its keys would only repeat that.
  if (node == nullptr && table_ != &kNoTable) {
    problems_->add(Problems::Weight::kOther, table_->source(),
                   fmt::format("{}: missing; {}", full_name(key), problems_->missing_hint()));
  }
  return node;
}

void TomlSection::expected(const std::string& key, const toml::node& node, std::string_view what) {
  problems_->add(Problems::Weight::kOther, node.source(),
                 fmt::format("{}: expected {}, got {}", full_name(key), what, shown(node)));
}

void TomlSection::problem(const std::string& key, std::string message) {
  const toml::node* node = table_->get(key);
  problems_->add(Problems::Weight::kOther, node == nullptr ? table_->source() : node->source(),
                 fmt::format("{}: {}", full_name(key), message));
}

TomlSection TomlSection::section(const std::string& key) {
  const toml::node* node = nullptr;
  if (shared_ != nullptr) shared_->wanted.insert(key);
  if (shared_ != nullptr && !table_->contains(key) && shared_->table.contains(key)) {
    known_.push_back(key);
    shared_->used.insert(key);
    node = shared_->table.get(key);
  } else {
    node = find(key);
  }
  if (node != nullptr && !node->is_table()) expected(key, *node, fmt::format("a table [{}]", full_name(key)));
  const toml::table& table = node != nullptr && node->is_table() ? *node->as_table() : kNoTable;
  return TomlSection(*problems_, table, full_name(key), (*canonical_)[key]);
}

void TomlSection::text(const std::string& key, std::string& out, bool may_be_empty) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  auto value = node->value_exact<std::string>();
  if (!value || (value->empty() && !may_be_empty)) return expected(key, *node, "a text in quotes");
  out = *value;
  (*canonical_)[key] = out;
}

void TomlSection::number(const std::string& key, double& out, const Bounds& bounds) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  auto value = node->is_number() ? node->value<double>() : std::nullopt;
  bool in_bounds = value && std::isfinite(*value) && *value >= bounds.min && *value <= bounds.max &&
                   !(bounds.above_min && *value == bounds.min) && !(bounds.below_max && *value == bounds.max);
  if (!in_bounds) return expected(key, *node, bounds_text(bounds));
  out = *value + 0.0;  // no -0, which would be another hash
  (*canonical_)[key] = out;
}

void TomlSection::integer(const std::string& key, int64_t& out, int64_t min, int64_t max) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  auto value = node->value_exact<int64_t>();
  if (!value || *value < min || *value > max) {
    return expected(key, *node,
                    max == kNoMaximum ? fmt::format("a whole number from {} up", min)
                                      : fmt::format("a whole number from {} to {}", min, max));
  }
  out = *value;
  (*canonical_)[key] = out;
}

void TomlSection::seed(const std::string& key, uint64_t& out) {
  int64_t value = static_cast<int64_t>(out);
  integer(key, value, 0);
  out = static_cast<uint64_t>(value);
}

void TomlSection::flag(const std::string& key, bool& out) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  auto value = node->value_exact<bool>();
  if (!value) return expected(key, *node, "true or false");
  out = *value;
  (*canonical_)[key] = out;
}

void TomlSection::texts(const std::string& key, std::vector<std::string>& out) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  if (!node->is_array()) return expected(key, *node, "a list of texts");
  std::vector<std::string> values;
  for (const toml::node& element : *node->as_array()) {
    auto value = element.value_exact<std::string>();
    if (!value) return expected(key, element, "a list of texts");
    values.push_back(*value);
  }
  out = values;
  (*canonical_)[key] = out;
}

std::vector<TomlSection> TomlSection::tables(const std::string& key) {
  const toml::node* node = find(key);
  if (node == nullptr) return {};
  const toml::array* array = node->as_array();
  bool are_tables = array != nullptr && !array->empty() &&
                    std::all_of(array->begin(), array->end(), [](const toml::node& element) { return element.is_table(); });
  if (!are_tables) {
    expected(key, *node, "a list with at least one table");
    return {};
  }
  Json& list = (*canonical_)[key] = Json::array();
  for (size_t i = 0; i < array->size(); i++) list.push_back(Json());  // first: sections keep references to the elements
  std::vector<TomlSection> sections;
  for (size_t i = 0; i < array->size(); i++) {
    sections.emplace_back(*problems_, *array->get(i)->as_table(), fmt::format("{}[{}]", full_name(key), i), list[i]);
  }
  return sections;
}

std::optional<size_t> TomlSection::chosen(const std::string& key, const std::vector<std::string_view>& names) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  auto value = node->value_exact<std::string>();
  auto found = std::find(names.begin(), names.end(), value.value_or(""));
  if (found != names.end()) {
    (*canonical_)[key] = *value;
    return static_cast<size_t>(found - names.begin());
  }
  problems_->add(Problems::Weight::kChoice, node->source(),
                 fmt::format("{}: expected one of \"{}\", got {}", full_name(key), fmt::join(names, "\", \""), shown(*node)));
  return std::nullopt;
}

bool TomlSection::contains(const std::string& key) {
  known_.push_back(key);
  return table_->contains(key);
}

void TomlSection::unused(std::initializer_list<const char*> keys, const std::string& why) {
  for (const char* key : keys) {
    known_.push_back(key);
    if (table_->contains(key)) problem(key, fmt::format("is not used with {}; remove the line", why));
  }
}

void TomlSection::finish() {
  for (const auto& [key, node] : *table_) {
    std::string name(key.str());
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    auto nearest = nearest_name(name, known_);
    std::string hint =
        nearest ? fmt::format("did you mean \"{}\"?", *nearest) : fmt::format("known keys are {}", fmt::join(known_, ", "));
    problems_->add(Problems::Weight::kUnknownKey, key.source(), fmt::format("{}: unknown key; {}", full_name(name), hint));
  }
}

}  // namespace minke::toml_file
