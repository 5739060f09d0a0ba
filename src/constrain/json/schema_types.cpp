// The part of SchemaCompiler that knows strings, numbers, arrays and objects.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "constrain/json/decimal_range.h"
#include "constrain/json/schema_compiler.h"
#include "constrain/json/string_format.h"
#include "constrain/text/regex.h"

namespace minke::constrain {

Result<NodeId> SchemaCompiler::string(const Json& schema, const std::string& path) {
  bool has_pattern = schema.contains("pattern"), has_format = schema.contains("format");
  if (!has_pattern && !has_format) {
    int64_t min = TRY(count(schema, path, "minLength", 0));
    int64_t max = TRY(count(schema, path, "maxLength", kUnbounded));
    if (max != kUnbounded && max < min) return fail(path + "/maxLength", "{} is less than minLength, {}", max, min);
    return text_.string(min, max);
  }
  const char* keyword = has_pattern ? "pattern" : "format";
  for (const char* other : {"format", "minLength", "maxLength"}) {
    bool is_beside = other != std::string_view(keyword) && schema.contains(other);
    if (is_beside) return fail(path + "/" + other, "this keyword is not supported beside {}", keyword);
  }
  NodeId content =
      TRY(pattern(schema, path, keyword, [this](Expressions&, const CodePointSet& set) { return text_.chars(set); }));
  return e_.sequence({e_.bytes("\""), content, e_.bytes("\"")});
}

Result<NodeId> SchemaCompiler::pattern(const Json& schema, const std::string& path, const char* keyword,
                                       std::function<NodeId(Expressions&, const CodePointSet&)> spell) {
  const Json& value = schema[keyword];
  if (!value.is_string()) return fail(path + "/" + keyword, "expected a string");
  auto regex = value.get<std::string>();
  RegexOptions options{.spell = std::move(spell), .limits = limits_};
  if (keyword == std::string_view("pattern")) {
    options.match = RegexOptions::Match::kSearch;
  } else {
    regex = format_pattern(regex);
    if (regex.empty()) {
      return fail(path + "/format", "\"{}\" is not supported, only {}", utf8_lossy(value.get<std::string>()), format_names());
    }
  }
  return parse_regex(e_, regex, fmt::format("{}: {}", where_, shown(fmt::format("{}/{}", path, keyword))), options);
}

Result<NodeId> SchemaCompiler::number(const Json& schema, const std::string& path, bool is_integer) {
  DecimalRange range;
  range.is_integer = is_integer;
  bool has_any = false;
  auto read = [&](const char* keyword, std::optional<Decimal>& out) -> Status {
    if (!schema.contains(keyword)) return {};
    has_any = true;
    if (!schema[keyword].is_number())
      return fail(path + "/" + keyword, "expected a number, got {}", dump_json(schema[keyword]));
    out = decimal_of(schema[keyword]);
    if (!out)
      return fail(path + "/" + keyword, "{} has too many digits; at most 18 before and 12 after the point are supported",
                  dump_json(schema[keyword]));
    return {};
  };
  std::optional<Decimal> above, below;
  TRY(read("minimum", range.min));
  TRY(read("maximum", range.max));
  TRY(read("exclusiveMinimum", above));
  TRY(read("exclusiveMaximum", below));
  TRY(read("multipleOf", range.multiple_of));
  if (range.multiple_of && range.multiple_of->units <= 0) return fail(path + "/multipleOf", "expected a number above 0");
  if (!has_any) return is_integer ? text_.integer() : text_.number();
  auto is_less = [](const Decimal& a, const Decimal& b) {
    Int128 x = a.units, y = b.units;
    for (int i = a.scale; i < b.scale; i++) x *= 10;
    for (int i = b.scale; i < a.scale; i++) y *= 10;
    return x < y;
  };
  // Of an exclusive and an inclusive bound the tighter one counts.
  if (above && (!range.min || !is_less(*above, *range.min))) {
    range.min = above;
    range.excludes_min = true;
  }
  if (below && (!range.max || !is_less(*range.max, *below))) {
    range.max = below;
    range.excludes_max = true;
  }
  auto node = decimal_range(e_, range);
  if (!node) return fail(path, "{}", node.error().message);
  return *node;
}

Result<NodeId> SchemaCompiler::array(const Json& schema, const std::string& path) {
  int64_t min = TRY(count(schema, path, "minItems", 0));
  int64_t max = TRY(count(schema, path, "maxItems", kUnbounded));
  if (max != kUnbounded && max < min) return fail(path + "/maxItems", "{} is less than minItems, {}", max, min);
  std::vector<NodeId> first;  // the items that have schemas of their own
  if (schema.contains("prefixItems")) {
    const Json& list = schema["prefixItems"];
    if (!list.is_array()) return fail(path + "/prefixItems", "expected a list of schemas");
    for (size_t i = 0; i < list.size(); i++) {
      first.push_back(TRY(value(list[i], fmt::format("{}/prefixItems/{}", path, i))));
    }
  }
  NodeId item = schema.contains("items") ? TRY(value(schema["items"], path + "/items")) : text_.value();
  bool has_more = !(schema.contains("items") && schema["items"] == Json(false));
  auto n_first = static_cast<int64_t>(first.size());
  if (!has_more && min > n_first) return fail(path + "/minItems", "{} items, and no more than {} are allowed", min, n_first);
  if (!has_more || (max != kUnbounded && max < n_first)) max = max == kUnbounded ? n_first : std::min(max, n_first);
  // From the last to the first: an array may end before an item once it has `min` of them.
  NodeId rest = e_.empty();
  bool is_open = max == kUnbounded || max > n_first;
  if (is_open && n_first > 0) {
    rest = e_.counted(text_.comma_then(item), std::max<int64_t>(min - n_first, 0), max == kUnbounded ? max : max - n_first);
  } else if (is_open) {
    NodeId more = e_.counted(text_.comma_then(item), std::max<int64_t>(min - 1, 0), max == kUnbounded ? max : max - 1);
    rest = e_.sequence({item, more});
    if (min == 0) rest = e_.optional(rest);
  }
  for (int64_t i = std::min(n_first, max == kUnbounded ? n_first : max); i-- > 0;) {
    NodeId here = first[static_cast<size_t>(i)];
    rest = e_.sequence({i > 0 ? text_.comma_then(here) : here, rest});
    if (i >= min) rest = e_.optional(rest);
  }
  return text_.in_brackets(rest);
}

Result<std::vector<SchemaCompiler::Member>> SchemaCompiler::members_of(const Json& schema, const std::string& path,
                                                                       const Json* additional) {
  std::vector<Member> members;
  if (schema.contains("properties")) {
    if (!schema["properties"].is_object()) return fail(path + "/properties", "expected an object");
    for (const auto& [key, property] : schema["properties"].items()) {
      NodeId node = TRY(value(property, path + "/properties" + json_pointer_step(key)));
      members.push_back({key, node, false});
    }
  }
  if (!schema.contains("required")) return members;
  const Json& required = schema["required"];
  if (!required.is_array()) return fail(path + "/required", "expected a list of names");
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < members.size(); i++) places[members[i].key] = i;
  for (const Json& name : required) {
    if (!name.is_string()) return fail(path + "/required", "expected a list of names");
    const auto key = name.get<std::string>();
    auto [place, is_new] = places.try_emplace(key, members.size());
    if (is_new) {
      if (!additional) return fail(path + "/required", "\"{}\" is not among the properties, and no others are allowed", key);
      NodeId node = TRY(value(*additional, path + "/additionalProperties"));
      members.push_back({key, node, false});
    }
    members[place->second].is_required = true;
  }
  return members;
}

Result<NodeId> SchemaCompiler::object(const Json& schema, const std::string& path) {
  bool says_nothing =
      !schema.contains("properties") && !schema.contains("required") && !schema.contains("additionalProperties");
  if (says_nothing) return text_.object();
  const Json* additional = nullptr;  // null: no others
  if (schema.contains("additionalProperties")) {
    const Json& others = schema["additionalProperties"];
    if (!others.is_boolean() && !others.is_object())
      return fail(path + "/additionalProperties", "expected a schema or a boolean");
    if (others != Json(false)) additional = &others;
  }
  std::vector<Member> members = TRY(members_of(schema, path, additional));
  NodeId extra = -1;
  if (additional) {
    NodeId other = TRY(value(*additional, path + "/additionalProperties"));
    extra = e_.sequence({e_.bytes("\""), other_key(members), e_.bytes("\":"), text_.space(), other});
  }
  return text_.in_braces(members_graph(members, extra));
}

// States 2 i and 2 i + 1: member i is next, and none (some) was written.
NodeId SchemaCompiler::members_graph(const std::vector<Member>& members, NodeId extra) {
  auto n = static_cast<int32_t>(members.size());
  Graph graph(2 * n + 2);
  for (int32_t i = 0; i < n; i++) {
    const Member& member = members[static_cast<size_t>(i)];
    NodeId label = text_.member(member.key, member.value);
    graph.edges.push_back({2 * i, label, 2 * i + 3});
    graph.edges.push_back({2 * i + 1, text_.comma_then(label), 2 * i + 3});
    if (member.is_required) continue;
    graph.edges.push_back({2 * i, e_.empty(), 2 * i + 2});
    graph.edges.push_back({2 * i + 1, e_.empty(), 2 * i + 3});
  }
  graph.is_final[static_cast<size_t>(2 * n)] = graph.is_final[static_cast<size_t>(2 * n + 1)] = true;
  if (extra >= 0) {
    graph.edges.push_back({2 * n, extra, 2 * n + 1});
    graph.edges.push_back({2 * n + 1, text_.comma_then(extra), 2 * n + 1});
  }
  return e_.graph(std::move(graph));
}

// The content of a key that is none of the members': a tree of their characters, left at any place where no member's key ends.
NodeId SchemaCompiler::other_key(const std::vector<Member>& members) {
  Graph graph(1);
  std::map<std::pair<int32_t, char32_t>, int32_t> children;
  std::set<int32_t> ends;
  for (const Member& member : members) {
    int32_t state = 0;
    for (size_t i = 0; i < member.key.size();) {
      Utf8Step step = utf8_decode(member.key, i);
      i += step.n_bytes;
      auto [child, is_new] = children.try_emplace({state, step.code_point}, 0);
      if (is_new) child->second = graph.add_state();
      state = child->second;
    }
    ends.insert(state);
  }
  std::vector<CodePointSet> taken(static_cast<size_t>(graph.n_states));
  for (const auto& [edge, to] : children) {
    taken[static_cast<size_t>(edge.first)].add(edge.second, edge.second);
    graph.edges.push_back({edge.first, text_.chars({{edge.second, edge.second}}), to});
  }
  int32_t n_tree_states = graph.n_states, away = graph.add_state();
  NodeId any = text_.chars(CodePointSet::all());
  for (int32_t state = 0; state < n_tree_states; state++) {
    graph.is_final[static_cast<size_t>(state)] = !ends.contains(state);
    const CodePointSet& here = taken[static_cast<size_t>(state)];
    graph.edges.push_back({state, here.empty() ? any : text_.chars(here.complement()), away});
  }
  graph.is_final[static_cast<size_t>(away)] = true;
  graph.edges.push_back({away, any, away});
  return e_.graph(std::move(graph));
}

}  // namespace minke::constrain
