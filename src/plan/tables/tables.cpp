#include "plan/tables/tables.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/file.h"
#include "base/toml_section.h"
#include "plan/tables/rows.h"

namespace minke::plan {
namespace {

using toml_file::Problems;
using toml_file::TomlSection;

constexpr size_t kMaxTableBytes = size_t{4} << 20;

// The row of that name is replaced, so that a user's file has the last word.
template <typename Row>
void put(std::vector<Row>& rows, Row row, std::string Row::*name) {
  std::string plain = plain_name(row.*name);
  auto same = std::find_if(rows.begin(), rows.end(), [&](const Row& known) { return plain_name(known.*name) == plain; });
  if (same != rows.end()) {
    *same = std::move(row);
  } else {
    rows.push_back(std::move(row));
  }
}

template <typename Row>
void read_rows(TomlSection& root, const char* key, void (*read)(TomlSection&, Row&), std::vector<Row>& out) {
  if (!root.contains(key)) return;
  for (TomlSection& section : root.tables(key)) {
    Row row;
    read(section, row);
    section.finish();
    out.push_back(std::move(row));
  }
}

template <typename Row>
const Row* find_row(const std::vector<Row>& rows, std::string_view wanted) {
  std::string plain = plain_name(wanted);
  for (const Row& row : rows) {
    if (plain_name(row.name) == plain) return &row;
    for (const std::string& alias : row.aliases) {
      if (plain_name(alias) == plain) return &row;
    }
  }
  return nullptr;
}

template <typename Row>
tl::unexpected<Error> unknown(const std::vector<Row>& rows, const char* what, std::string_view wanted) {
  std::vector<std::string> names, plain;
  for (const Row& row : rows) {
    names.push_back(row.name);
    plain.push_back(plain_name(row.name));
  }
  std::string hint;
  if (auto nearest = toml_file::nearest_name(plain_name(wanted), plain)) {
    auto at = static_cast<size_t>(std::find(plain.begin(), plain.end(), *nearest) - plain.begin());
    hint = fmt::format("did you mean \"{}\"? ", names[at]);
  }
  return error("no {} \"{}\" in the tables; {}known: {}; add yours with --tables FILE.toml", what, wanted, hint,
               fmt::join(names, ", "));
}

const DevicePrice* price_of(const std::vector<DevicePrice>& prices, std::string_view device) {
  std::string plain = plain_name(device);
  for (const DevicePrice& price : prices) {
    if (plain_name(price.device) == plain) return &price;
  }
  return nullptr;
}

}  // namespace

std::string plain_name(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (c != ' ' && c != '-' && c != '_') out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

std::string source_text(const Source& source) {
  const char* mark = "";
  switch (source.confidence) {
    case Confidence::kPrimary:
    case Confidence::kSecondary:
      break;
    case Confidence::kMemory:
      mark = " (not re-opened)";
      break;
    case Confidence::kLead:
      mark = " (a lead, not confirmed)";
      break;
    case Confidence::kMeasured:
      mark = " (measured with minke)";
      break;
    case Confidence::kAssumed:
      mark = " (an assumption)";
      break;
  }
  return fmt::format("{}, {}{}", source.text, source.date, mark);
}

std::string_view data_file(std::string_view name) {
  for (int i = 0; i < kNDataFiles; i++) {
    if (kDataFiles[i].name == name) return kDataFiles[i].text;
  }
  CHECK(false, "no data file {}", name);
  return {};
}

Tables Tables::builtin() {
  Tables tables;
  for (const char* name : {"hardware.toml", "efficiency.toml", "assumptions.toml", "prices.toml", "models.toml"}) {
    Status added = tables.add_text(data_file(name), name);
    CHECK(added.has_value(), "{}", added.error().message);
  }
  return tables;
}

Status Tables::add_file(const std::string& path) {
  std::string text = TRY(read_file(path, kMaxTableBytes));
  return add_text(text, path);
}

Status Tables::add_text(std::string_view text, const std::string& where) {
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& e) {
    return error("{}:{}: not TOML: {}", where, e.source().begin.line, e.description());
  }
  Problems problems(where, "every row of a table needs it");
  Json canonical;
  TomlSection root(problems, table, "", canonical);
  std::vector<Device> devices;
  std::vector<Factor> factors;
  std::vector<DevicePrice> rentals, purchases;
  std::vector<ApiPrice> api_prices;
  std::vector<ModelRow> models;
  read_rows(root, "device", read_device, devices);
  read_rows(root, "factor", read_factor, factors);
  read_rows(root, "rental", read_price, rentals);
  read_rows(root, "purchase", read_price, purchases);
  read_rows(root, "api", read_api_price, api_prices);
  read_rows(root, "model", read_model, models);
  root.finish();
  TRY(problems.status());
  for (Device& row : devices) put(devices_, std::move(row), &Device::name);
  for (Factor& row : factors) put(factors_, std::move(row), &Factor::name);
  for (DevicePrice& row : rentals) put(rentals_, std::move(row), &DevicePrice::device);
  for (DevicePrice& row : purchases) put(purchases_, std::move(row), &DevicePrice::device);
  for (ModelRow& row : models) put(models_, std::move(row), &ModelRow::name);
  for (ApiPrice& row : api_prices) api_prices_.push_back(std::move(row));
  return {};
}

Result<Device> Tables::device(std::string_view name) const {
  if (const Device* found = find_row(devices_, name)) return *found;
  return unknown(devices_, "device", name);
}

Result<ModelRow> Tables::model(std::string_view name) const {
  if (const ModelRow* found = find_row(models_, name)) return *found;
  return unknown(models_, "model", name);
}

const DevicePrice* Tables::rental(std::string_view device) const { return price_of(rentals_, device); }
const DevicePrice* Tables::purchase(std::string_view device) const { return price_of(purchases_, device); }

const Factor* Tables::find_factor(std::string_view name) const {
  for (const Factor& factor : factors_) {
    if (factor.name == name) return &factor;
  }
  return nullptr;
}

double Tables::factor(std::string_view purpose, std::string_view device_class, Corner corner, Working& working) const {
  const Factor* found = find_factor(fmt::format("{}.{}", purpose, device_class));
  if (found == nullptr) found = find_factor(fmt::format("{}.any", purpose));
  CHECK(found != nullptr, "no factor {} for class {}", purpose, device_class);
  double value = found->value.at(corner, found->higher_is_better);
  working.use_factor(found->name);
  working.input(found->name, fmt::format("{:.4g}", value), source_text(found->source));
  return value;
}

}  // namespace minke::plan
