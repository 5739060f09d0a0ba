// Configurations of published models by name, so that their shapes can be measured without a download.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/config.h"

namespace minke {

struct NamedConfig {
  std::string_view name;
  std::string_view source;  // where the figures are from
  std::string_view json;    // config.json without what has no effect on the computation
};

std::span<const NamedConfig> named_configs();

// By name, or from a path that ends in .json. An unknown name is an error that lists the known ones.
Result<ModelConfig> find_config(const std::string& name_or_path);

}  // namespace minke
