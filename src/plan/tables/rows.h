// Reading rows of table files.
#pragma once

#include <string>

#include "base/toml_section.h"
#include "plan/tables/tables.h"

namespace minke::plan {

// "source", "date" and "confidence", which every row has.
void read_source(toml_file::TomlSection& row, Source& source);
// "likely", with "low" and "high" where they differ from it.
void read_uncertain(toml_file::TomlSection& row, Uncertain& value);
// A number that may be left out.
void read_optional(toml_file::TomlSection& row, const std::string& key, double& out, const toml_file::Bounds& bounds);

void read_device(toml_file::TomlSection& row, Device& device);
void read_factor(toml_file::TomlSection& row, Factor& factor);
void read_price(toml_file::TomlSection& row, DevicePrice& price);
void read_api_price(toml_file::TomlSection& row, ApiPrice& price);
void read_model(toml_file::TomlSection& row, ModelRow& model);

}  // namespace minke::plan
