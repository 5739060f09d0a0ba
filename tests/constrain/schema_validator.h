// Whether a value matches a JSON schema: the keywords that the compiler knows, written from the specification and not from it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/json.h"

namespace minke::constrain::testing {

// Empty when it matches, else what does not.
std::string schema_violation(const Json& schema, const Json& value, const Json& root);

}  // namespace minke::constrain::testing
