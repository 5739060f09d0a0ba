// The part of SchemaCompiler for tool calls that write each parameter by itself.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "constrain/json/schema_compiler.h"

namespace minke::constrain {

Result<std::vector<SchemaCompiler::Parameter>> SchemaCompiler::parameters() {
  if (!root_.is_object()) return fail("#", "expected a schema of an object");
  TRY(check_keywords(root_, "#"));
  TRY(check_alone(root_, "#", "properties", {"type", "required", "additionalProperties"}));
  if (root_.contains("type") && root_["type"] != Json("object"))
    return fail("#/type", "expected object, got {}", dump_json(root_["type"]));
  TRY(members_of(root_, "#", nullptr));  // for its checks
  std::vector<Parameter> parameters;
  if (!root_.contains("properties")) return parameters;
  for (const auto& [key, schema] : root_["properties"].items()) {
    if (key.find_first_of("\"<>\r\n") != std::string::npos) {
      return fail("#/properties" + json_pointer_step(key),
                  "this model's syntax of calls has no quotes, <, > or line ends in names");
    }
    Parameter parameter;
    parameter.key = key;
    TRY(read_parameter(schema, "#/properties" + json_pointer_step(key), parameter));
    if (root_.contains("required")) {
      const Json& required = root_["required"];
      parameter.is_required = std::find(required.begin(), required.end(), Json(key)) != required.end();
    }
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

Status SchemaCompiler::read_parameter(const Json& schema, const std::string& path, Parameter& parameter) {
  const Json* at = &schema;
  for (int64_t i = 0; at->is_object() && at->contains("$ref"); i++) {
    if (i > limits_.max_depth || !(*at)["$ref"].is_string())
      return fail(path + "/$ref", "expected a reference that leads to a schema");
    at = TRY(resolve((*at)["$ref"].get<std::string>(), path + "/$ref"));
  }
  parameter.json = TRY(value(schema, path));  // with all checks
  if (!at->is_object()) return {};
  if (at->contains("enum") || at->contains("const")) {
    Json list = at->contains("enum") ? (*at)["enum"] : Json::array({(*at)["const"]});
    std::vector<NodeId> strings;
    for (const Json& each : list) {
      if (each.is_string()) strings.push_back(e_.bytes(each.get<std::string>()));
    }
    parameter.may_be_string = !strings.empty();
    if (strings.size() == list.size()) parameter.json = -1;
    if (parameter.may_be_string) parameter.raw = e_.choice(std::move(strings));
    return {};
  }
  for (const char* keyword : {"anyOf", "oneOf"}) {
    if (!at->contains(keyword)) continue;
    // Strings of one alternative, or any text when several have some.
    for (size_t i = 0; i < (*at)[keyword].size(); i++) {
      Parameter part;
      TRY(read_parameter((*at)[keyword][i], fmt::format("{}/{}/{}", path, keyword, i), part));
      if (!part.may_be_string) continue;
      parameter.raw = parameter.may_be_string ? -1 : part.raw;
      parameter.may_be_string = true;
    }
    return {};
  }
  if (at->contains("allOf")) return {};
  std::vector<std::string> types = TRY(types_of(*at, path));
  auto has = [&](const char* type) { return std::find(types.begin(), types.end(), type) != types.end(); };
  parameter.may_be_string = has("string") || has("any");
  if (parameter.may_be_string) parameter.raw = TRY(raw_string(*at, path));
  if (has("string") && types.size() == 1) parameter.json = -1;
  return {};
}

Result<NodeId> SchemaCompiler::raw_string(const Json& schema, const std::string& path) {
  for (const char* keyword : {"pattern", "format"}) {
    if (schema.contains(keyword)) return pattern(schema, path, keyword, nullptr);
  }
  if (!schema.contains("minLength") && !schema.contains("maxLength")) return NodeId{-1};
  int64_t min = TRY(count(schema, path, "minLength", 0));
  int64_t max = TRY(count(schema, path, "maxLength", kUnbounded));
  // Counted strings end where a < comes, which begins the closing mark.
  return e_.counted(e_.chars(CodePointSet{{'<', '<'}, {'\n', '\n'}}.complement()), min, max);
}

}  // namespace minke::constrain
