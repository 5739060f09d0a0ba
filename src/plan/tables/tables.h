// What is not mathematics: devices, efficiency factors, prices, models. Rows of TOML files (src/plan/data, embedded in the
// program), each with a source and a date; files of the user add rows and replace those of the same name.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/config.h"
#include "plan/units.h"
#include "plan/working.h"

namespace minke::plan {

// How far a row can be trusted. A lead is a rumour, a list price or a single weak page: nothing is gated on it.
enum class Confidence { kPrimary, kSecondary, kMemory, kLead, kMeasured, kAssumed };

struct Source {
  std::string text, date;
  Confidence confidence = Confidence::kLead;
};
std::string source_text(const Source& source);

enum class Precision { kBf16, kFp8, kInt8 };

struct Device {
  std::string name;
  std::vector<std::string> aliases;
  std::string device_class;   // whose efficiency factors apply: datacenter-gpu, consumer-gpu, apple, cpu, cpu-2-socket
  FlopsPerS bf16, fp8, int8;  // dense peaks; 0: has none
  Bytes memory;
  BytesPerS bandwidth;
  BytesPerS scale_up;         // one direction, between the devices of a node or rack; 0: none
  int64_t scale_up_size = 1;  // devices that scale_up connects
  BytesPerS scale_out;        // one direction, per device, between nodes; 0: none
  Watts watts;
  Source source;

  FlopsPerS peak(Precision precision) const {
    return precision == Precision::kBf16 ? bf16 : precision == Precision::kFp8 ? fp8 : int8;
  }
  // The precision for products with 8-bit weights: FP8, else INT8, else none.
  std::optional<Precision> eight_bit() const {
    if (fp8.value() > 0) return Precision::kFp8;
    if (int8.value() > 0) return Precision::kInt8;
    return std::nullopt;
  }
};

// A number of judgement: an efficiency, a price of power, a share. "purpose.class", where class "any" serves all.
struct Factor {
  std::string name, what;
  Uncertain value;
  bool higher_is_better = true;
  Source source;
};

struct DevicePrice {
  std::string device;
  Uncertain usd;  // per device and hour, or per device
  Source source;
};

// Of an API, in dollars for a million tokens.
struct ApiPrice {
  std::string model;
  double hit = 0, miss = 0, out = 0;  // input tokens that a cache holds (= miss where there is no such price), others, output
  Source source;                      // its date is that from which the price holds
};

struct ModelRow {
  std::string name;
  std::vector<std::string> aliases;
  ModelConfig config;
  double published_parameters = 0, published_active = 0;  // as its makers print them; 0: not
  Source source;
};

class Tables {
 public:
  // The rows that the program carries.
  static Tables builtin();

  // Adds the rows of a TOML file; an error names the file, the line and the key.
  Status add_file(const std::string& path);
  Status add_text(std::string_view text, const std::string& where);

  // By name or alias; case, spaces, '-' and '_' do not matter. An unknown one is an error with the nearest name.
  Result<Device> device(std::string_view name) const;
  Result<ModelRow> model(std::string_view name) const;
  // None where no row says it.
  const DevicePrice* rental(std::string_view device) const;
  const DevicePrice* purchase(std::string_view device) const;

  // The value of "purpose.device_class", else of "purpose.any", at a corner; noted in `working`. A factor that no table has is
  // a programmer's error: purposes are written in the code.
  double factor(std::string_view purpose, std::string_view device_class, Corner corner, Working& working) const;
  double factor(std::string_view purpose, Corner corner, Working& working) const {
    return factor(purpose, "any", corner, working);
  }
  const Factor* find_factor(std::string_view name) const;

  const std::vector<Device>& devices() const { return devices_; }
  const std::vector<Factor>& factors() const { return factors_; }
  const std::vector<DevicePrice>& rentals() const { return rentals_; }
  const std::vector<DevicePrice>& purchases() const { return purchases_; }
  const std::vector<ApiPrice>& api_prices() const { return api_prices_; }
  const std::vector<ModelRow>& models() const { return models_; }

 private:
  std::vector<Device> devices_;
  std::vector<Factor> factors_;
  std::vector<DevicePrice> rentals_, purchases_;
  std::vector<ApiPrice> api_prices_;
  std::vector<ModelRow> models_;
};

// Names that mean the same thing: lower case without spaces, '-' and '_'.
std::string plain_name(std::string_view name);

// An embedded file of src/plan/data.
struct DataFile {
  std::string_view name, text;
};
extern const DataFile kDataFiles[];
extern const int kNDataFiles;
// The text of one of them; CHECK that it exists.
std::string_view data_file(std::string_view name);

}  // namespace minke::plan
