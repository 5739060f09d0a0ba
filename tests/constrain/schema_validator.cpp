#include "schema_validator.h"

#include <cmath>
#include <regex>

namespace minke::constrain::testing {
namespace {

bool has_type(const Json& v, const std::string& type) {
  if (type == "null") return v.is_null();
  if (type == "boolean") return v.is_boolean();
  if (type == "string") return v.is_string();
  if (type == "array") return v.is_array();
  if (type == "object") return v.is_object();
  if (type == "number") return v.is_number();
  return v.is_number() && v.get<double>() == std::floor(v.get<double>());
}

size_t n_characters(const std::string& text) {
  size_t n = 0;
  for (char c : text) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

int n_matching(const Json& list, const Json& value, const Json& root) {
  int n = 0;
  for (const Json& each : list) n += schema_violation(each, value, root).empty();
  return n;
}

std::string string_violation(const Json& schema, const std::string& text) {
  if (schema.contains("minLength") && n_characters(text) < schema["minLength"].get<size_t>()) return "minLength";
  if (schema.contains("maxLength") && n_characters(text) > schema["maxLength"].get<size_t>()) return "maxLength";
  if (schema.contains("pattern") && !std::regex_search(text, std::regex(schema["pattern"].get<std::string>())))
    return "pattern";
  return "";
}

std::string number_violation(const Json& schema, double value) {
  if (schema.contains("minimum") && value < schema["minimum"].get<double>()) return "minimum";
  if (schema.contains("maximum") && value > schema["maximum"].get<double>()) return "maximum";
  if (schema.contains("exclusiveMinimum") && value <= schema["exclusiveMinimum"].get<double>()) return "exclusiveMinimum";
  if (schema.contains("exclusiveMaximum") && value >= schema["exclusiveMaximum"].get<double>()) return "exclusiveMaximum";
  if (schema.contains("multipleOf")) {
    // Division and both operands are rounded: three times 2^-53 of the quotient, and no wrong multiple is nearer than 1e-4
    // here.
    double quotient = value / schema["multipleOf"].get<double>();
    if (std::abs(quotient - std::round(quotient)) > 4 * 0x1p-53 * std::abs(quotient)) return "multipleOf";
  }
  return "";
}

std::string array_violation(const Json& schema, const Json& value, const Json& root) {
  if (schema.contains("minItems") && value.size() < schema["minItems"].get<size_t>()) return "minItems";
  if (schema.contains("maxItems") && value.size() > schema["maxItems"].get<size_t>()) return "maxItems";
  size_t n_first = schema.contains("prefixItems") ? schema["prefixItems"].size() : 0;
  for (size_t i = 0; i < value.size(); i++) {
    if (i >= n_first && !schema.contains("items")) continue;
    std::string inner = schema_violation(i < n_first ? schema["prefixItems"][i] : schema["items"], value[i], root);
    if (!inner.empty()) return "item " + std::to_string(i) + ": " + inner;
  }
  return "";
}

std::string object_violation(const Json& schema, const Json& value, const Json& root) {
  if (schema.contains("required")) {
    for (const Json& key : schema["required"]) {
      if (!value.contains(key.get<std::string>())) return "required " + key.get<std::string>();
    }
  }
  for (const auto& [key, member] : value.items()) {
    bool is_declared = schema.contains("properties") && schema["properties"].contains(key);
    if (!is_declared && !schema.contains("additionalProperties")) continue;
    std::string inner =
        schema_violation(is_declared ? schema["properties"][key] : schema["additionalProperties"], member, root);
    if (!inner.empty()) return key + ": " + inner;
  }
  return "";
}

}  // namespace

std::string schema_violation(const Json& schema, const Json& value, const Json& root) {
  if (schema.is_boolean()) return schema.get<bool>() ? "" : "false";
  if (schema.contains("$ref")) {
    std::string inner = schema_violation(root.at(Json::json_pointer(schema["$ref"].get<std::string>().substr(1))), value, root);
    if (!inner.empty()) return inner;
  }
  if (schema.contains("anyOf") && n_matching(schema["anyOf"], value, root) == 0) return "anyOf";
  if (schema.contains("oneOf") && n_matching(schema["oneOf"], value, root) != 1) return "oneOf";
  if (schema.contains("allOf") && n_matching(schema["allOf"], value, root) != static_cast<int>(schema["allOf"].size()))
    return "allOf";
  if (schema.contains("const") && value != schema["const"]) return "const";
  if (schema.contains("enum")) {
    const Json& list = schema["enum"];
    if (std::find(list.begin(), list.end(), value) == list.end()) return "enum";
  }
  if (schema.contains("type")) {
    Json types = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
    bool is_any = false;
    for (const Json& type : types) is_any |= has_type(value, type.get<std::string>());
    if (!is_any) return "type of " + dump_json(value);
  }
  if (value.is_string()) return string_violation(schema, value.get<std::string>());
  if (value.is_number()) return number_violation(schema, value.get<double>());
  if (value.is_array()) return array_violation(schema, value, root);
  if (value.is_object()) return object_violation(schema, value, root);
  return "";
}

}  // namespace minke::constrain::testing
