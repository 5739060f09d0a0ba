#include "constrain/json/schema_compiler.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/utf8.h"

namespace minke::constrain {
namespace {

// Keywords that say nothing about which values match. "discriminator" is OpenAPI's hint beside oneOf.
const char* const kAnnotations[] = {"title",    "description", "default",      "examples", "deprecated",
                                    "readOnly", "writeOnly",   "$schema",      "$id",      "$comment",
                                    "$defs",    "definitions", "discriminator"};

struct Keyword {
  const char* name;
  const char* type;  // the type that it speaks of; "number" is integers too; null: all
};
constexpr Keyword kKeywords[] = {{"type", nullptr},
                                 {"enum", nullptr},
                                 {"const", nullptr},
                                 {"anyOf", nullptr},
                                 {"oneOf", nullptr},
                                 {"allOf", nullptr},
                                 {"$ref", nullptr},
                                 {"properties", "object"},
                                 {"required", "object"},
                                 {"additionalProperties", "object"},
                                 {"items", "array"},
                                 {"prefixItems", "array"},
                                 {"minItems", "array"},
                                 {"maxItems", "array"},
                                 {"pattern", "string"},
                                 {"format", "string"},
                                 {"minLength", "string"},
                                 {"maxLength", "string"},
                                 {"minimum", "number"},
                                 {"maximum", "number"},
                                 {"exclusiveMinimum", "number"},
                                 {"exclusiveMaximum", "number"},
                                 {"multipleOf", "number"}};

bool is_annotation(const std::string& keyword) {
  return std::any_of(std::begin(kAnnotations), std::end(kAnnotations), [&](const char* name) { return keyword == name; });
}

std::string_view json_type(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_boolean()) return "boolean";
  if (value.is_number_integer()) return "integer";
  if (value.is_number()) return "number";
  if (value.is_string()) return "string";
  return value.is_array() ? "array" : "object";
}

bool is_of_type(const Json& value, const std::vector<std::string>& types) {
  return std::any_of(types.begin(), types.end(), [&](const std::string& type) {
    return json_type(value) == type || (type == "number" && value.is_number());
  });
}

// Numbers as doubles, since 1 and 1.0 are the same value.
std::string value_key(const Json& value) {
  return value.is_number() ? fmt::format("{}", value.get<double>()) : dump_json(value);
}

// The values that a schema lists, none if it does not or if some are containers.
std::optional<std::set<std::string>> listed_values(const Json& schema) {
  if (!schema.is_object()) return std::nullopt;
  Json list = Json::array();
  if (schema.contains("const")) list.push_back(schema["const"]);
  if (schema.contains("enum") && schema["enum"].is_array()) list = schema["enum"];
  std::set<std::string> keys;
  for (const Json& value : list) {
    if (value.is_structured()) return std::nullopt;
    keys.insert(value_key(value));
  }
  if (keys.empty()) return std::nullopt;
  return keys;
}

bool share_none(const std::set<std::string>& a, const std::set<std::string>& b) {
  return std::none_of(a.begin(), a.end(), [&](const std::string& key) { return b.contains(key); });
}

constexpr size_t kMaxOneOf = 64;             // alternatives that are compared in pairs
constexpr size_t kMaxComparedMembers = 256;  // of an object in such a pair

}  // namespace

std::string shown(std::string_view text) {
  constexpr size_t kMaxBytes = 300;
  std::string out = utf8_lossy(text.substr(0, kMaxBytes));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text.size() > kMaxBytes ? out + "..." : out;
}

std::string json_pointer_step(std::string_view key) {
  std::string step = "/";
  for (char c : key) step += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return step;
}

Result<NodeId> SchemaCompiler::value(const Json& schema, const std::string& path) {
  if (schema.is_boolean() && schema.get<bool>()) return text_.value();
  if (schema.is_boolean()) return e_.choice({});
  if (!schema.is_object()) return fail(path, "expected a schema (an object or a boolean), got {}", json_type(schema));
  if (depth_ >= limits_.max_depth) return fail(path, "nested deeper than {} schemas", limits_.max_depth);
  auto [at_place, is_new_place] = rules_by_place_.try_emplace(&schema, -1);
  if (!is_new_place) return at_place->second;
  auto [it, is_new] = rules_by_text_.try_emplace(dump_json(schema), -1);
  if (!is_new) return at_place->second = it->second;
  RuleId rule = e_.declare(shown(path));
  NodeId call = at_place->second = it->second = e_.rule(rule);
  depth_++;
  NodeId node = TRY(body(schema, path));
  depth_--;
  e_.define(rule, node);
  return call;
}

Status SchemaCompiler::check_keywords(const Json& schema, const std::string& path) const {
  for (const auto& [name, unused] : schema.items()) {
    bool is_known = std::any_of(std::begin(kKeywords), std::end(kKeywords), [&](const Keyword& k) { return name == k.name; });
    if (!is_known && !is_annotation(name)) return fail(path + json_pointer_step(name), "this keyword is not supported");
  }
  return {};
}

Status SchemaCompiler::check_alone(const Json& schema, const std::string& path, const char* keyword,
                                   const std::set<std::string>& others) const {
  for (const auto& [name, unused] : schema.items()) {
    if (name == keyword || is_annotation(name) || others.contains(name)) continue;
    return fail(path + json_pointer_step(name), "this keyword is not supported beside {}", keyword);
  }
  return {};
}

Result<NodeId> SchemaCompiler::body(const Json& schema, const std::string& path) {
  TRY(check_keywords(schema, path));
  if (schema.contains("$ref")) return reference(schema, path);
  if (schema.contains("anyOf")) {
    TRY(check_alone(schema, path, "anyOf", {}));
    return alternatives(schema["anyOf"], path + "/anyOf");
  }
  if (schema.contains("oneOf")) {
    TRY(check_alone(schema, path, "oneOf", {}));
    const Json& list = schema["oneOf"];
    if (list.size() > kMaxOneOf) return fail(path + "/oneOf", "more than {} alternatives; use anyOf", kMaxOneOf);
    for (size_t i = 0; list.is_array() && i < list.size(); i++) {
      for (size_t j = 0; j < i; j++) {
        if (are_disjoint(list[i], list[j])) continue;
        return fail(path + "/oneOf", "alternatives {} and {} may match the same value; use anyOf", j, i);
      }
    }
    return alternatives(list, path + "/oneOf");
  }
  if (schema.contains("allOf")) {
    TRY(check_alone(schema, path, "allOf", {}));
    if (!schema["allOf"].is_array() || schema["allOf"].size() != 1) {
      return fail(path + "/allOf", "only a list of one schema is supported");
    }
    return value(schema["allOf"][0], path + "/allOf/0");
  }
  if (schema.contains("enum") || schema.contains("const")) return enumeration(schema, path);
  std::vector<std::string> types = TRY(types_of(schema, path));
  std::vector<NodeId> nodes;
  for (const std::string& type : types) nodes.push_back(TRY(typed(type, schema, path)));
  return e_.choice(std::move(nodes));
}

Result<NodeId> SchemaCompiler::reference(const Json& schema, const std::string& path) {
  TRY(check_alone(schema, path, "$ref", {}));
  const Json& target = schema["$ref"];
  if (!target.is_string()) return fail(path + "/$ref", "expected a string, got {}", json_type(target));
  const auto name = target.get<std::string>();
  const Json* found = TRY(resolve(name, path + "/$ref"));
  return value(*found, name);
}

// RFC 6901 in its form for URIs, without percent signs.
Result<const Json*> SchemaCompiler::resolve(const std::string& reference, const std::string& path) const {
  if (!reference.starts_with("#")) return fail(path, "\"{}\" is not in this document; only #/... is supported", reference);
  const Json* at = &root_;
  size_t begin = 1;
  while (begin < reference.size()) {
    if (reference[begin] != '/') return fail(path, "\"{}\": expected # or #/...", reference);
    size_t end = std::min(reference.find('/', begin + 1), reference.size());
    std::string key;
    for (size_t i = begin + 1; i < end; i++) {
      bool is_escape = reference[i] == '~' && i + 1 < end && (reference[i + 1] == '0' || reference[i + 1] == '1');
      key += is_escape ? (reference[++i] == '0' ? '~' : '/') : reference[i];
    }
    const Json* next = nullptr;
    if (at->is_object() && at->contains(key)) next = &(*at)[key];
    if (at->is_array() && !key.empty() && key.size() < 9 && key.find_first_not_of("0123456789") == std::string::npos &&
        std::stoul(key) < at->size()) {
      next = &(*at)[std::stoul(key)];
    }
    if (!next) return fail(path, "\"{}\" leads nowhere: there is no \"{}\"", reference, key);
    at = next;
    begin = end;
  }
  return at;
}

Result<NodeId> SchemaCompiler::alternatives(const Json& list, const std::string& path) {
  if (!list.is_array() || list.empty()) return fail(path, "expected a list of schemas");
  std::vector<NodeId> nodes;
  for (size_t i = 0; i < list.size(); i++) nodes.push_back(TRY(value(list[i], fmt::format("{}/{}", path, i))));
  return e_.choice(std::move(nodes));
}

Result<NodeId> SchemaCompiler::enumeration(const Json& schema, const std::string& path) {
  const char* keyword = schema.contains("const") ? "const" : "enum";
  TRY(check_alone(schema, path, keyword, {"type"}));
  Json list = Json::array();
  if (schema.contains("const")) {
    list.push_back(schema["const"]);
  } else {
    list = schema["enum"];
    if (!list.is_array() || list.empty()) return fail(path + "/enum", "expected a list of values");
  }
  std::vector<std::string> types;
  if (schema.contains("type")) types = TRY(types_of(schema, path));
  std::vector<NodeId> nodes;
  for (const Json& each : list) {
    if (types.empty() || is_of_type(each, types)) nodes.push_back(e_.bytes(dump_json(each)));
  }
  if (nodes.empty()) return fail(path + "/type", "no value of {} has this type", keyword);
  return e_.choice(std::move(nodes));
}

Result<std::vector<std::string>> SchemaCompiler::types_of(const Json& schema, const std::string& path) const {
  const std::set<std::string> known = {"object", "array", "string", "number", "integer", "boolean", "null"};
  std::vector<std::string> types;
  if (!schema.contains("type")) {
    for (const Keyword& keyword : kKeywords) {
      bool is_new = keyword.type && std::find(types.begin(), types.end(), keyword.type) == types.end();
      if (is_new && schema.contains(keyword.name)) types.push_back(keyword.type);
    }
    if (types.empty()) types.push_back("any");
    return types;
  }
  const Json& names = schema["type"];
  for (const Json& name : names.is_array() ? names : Json::array({names})) {
    if (!name.is_string() || !known.contains(name.get<std::string>())) {
      return fail(path + "/type", "expected object, array, string, number, integer, boolean or null, got {}", dump_json(name));
    }
    types.push_back(name.get<std::string>());
  }
  if (types.empty()) return fail(path + "/type", "an empty list");
  return types;
}

Result<NodeId> SchemaCompiler::typed(const std::string& type, const Json& schema, const std::string& path) {
  if (type == "object") return object(schema, path);
  if (type == "array") return array(schema, path);
  if (type == "string") return string(schema, path);
  if (type == "number" || type == "integer") return number(schema, path, type == "integer");
  if (type == "boolean") return e_.choice({e_.bytes("true"), e_.bytes("false")});
  if (type == "null") return e_.bytes("null");
  return text_.value();
}

Result<int64_t> SchemaCompiler::count(const Json& schema, const std::string& path, const char* keyword,
                                      int64_t otherwise) const {
  if (!schema.contains(keyword)) return otherwise;
  const Json& value = schema[keyword];
  constexpr int64_t kMost = 1'000'000'000;
  bool is_count = value.is_number_unsigned() && value.get<uint64_t>() <= static_cast<uint64_t>(kMost);
  is_count = is_count || (value.is_number_integer() && value.get<int64_t>() >= 0 && value.get<int64_t>() <= kMost);
  if (!is_count) return fail(path + "/" + keyword, "expected a whole number from 0 to {}, got {}", kMost, dump_json(value));
  return value.get<int64_t>();
}

bool are_disjoint(const Json& a, const Json& b) {
  if (!a.is_object() || !b.is_object()) return false;
  auto listed_a = listed_values(a), listed_b = listed_values(b);
  if (listed_a && listed_b) return share_none(*listed_a, *listed_b);
  bool have_types = a.contains("type") && b.contains("type") && a["type"].is_string() && b["type"].is_string();
  if (!have_types) return false;
  const auto type_a = a["type"].get<std::string>(), type_b = b["type"].get<std::string>();
  auto is_number = [](const std::string& type) { return type == "number" || type == "integer"; };
  if (type_a != type_b) return !(is_number(type_a) && is_number(type_b));
  if (type_a != "object") return false;
  auto members = [](const Json& schema) -> const Json* {
    bool has = schema.contains("properties") && schema["properties"].is_object() && schema.contains("required");
    bool is_small = has && schema["required"].is_array() && schema["properties"].size() <= kMaxComparedMembers &&
                    schema["required"].size() <= kMaxComparedMembers;
    return is_small ? &schema["properties"] : nullptr;
  };
  const Json *members_a = members(a), *members_b = members(b);
  if (!members_a || !members_b) return false;
  auto requires_key = [](const Json& schema, const std::string& key) {
    const Json& list = schema["required"];
    return std::find(list.begin(), list.end(), Json(key)) != list.end();
  };
  for (const auto& [key, schema] : members_a->items()) {
    if (!members_b->contains(key) || !requires_key(a, key) || !requires_key(b, key)) continue;
    auto values_a = listed_values(schema), values_b = listed_values((*members_b)[key]);
    if (values_a && values_b && share_none(*values_a, *values_b)) return true;
  }
  return false;
}

}  // namespace minke::constrain
