#include "jinja/template.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "jinja/interpreter.h"
#include "jinja/syntax/parser.h"

namespace minke::jinja {

namespace {

constexpr std::string_view kRaisedPrefix = "template raised: ";

// JSON to values; path is where in the variables, for messages.
class Importer {
 public:
  explicit Importer(Runtime& runtime) : runtime_(runtime) {}

  Result<Value> import(const Json& json) {
    switch (json.type()) {
      case Json::value_t::boolean:
        return Value(json.get<bool>());
      case Json::value_t::number_integer:
        return Value(Int{json.get<int64_t>()});
      case Json::value_t::number_unsigned:
        return Value(Int{json.get<uint64_t>()});
      case Json::value_t::number_float:
        return Value(json.get<double>());
      case Json::value_t::string:
        return import_string(json.get_ref<const std::string&>());
      case Json::value_t::array:
        return import_array(json);
      case Json::value_t::object:
        return import_object(json);
      case Json::value_t::null:
        return Value(NoneType{});
      default:
        return error("binary data is no template variable");
    }
  }

 private:
  Result<Value> import_string(const std::string& text) {
    if (!utf8_valid(text)) return error("a string is not valid UTF-8");
    return runtime_.string(text);
  }

  Status enter() {
    if (depth_ > runtime_.limits().max_value_depth) return error("nested more than {} deep", runtime_.limits().max_value_depth);
    return {};
  }

  Result<Value> import_array(const Json& json) {
    ++depth_;
    TRY(enter());
    std::vector<Value> items;
    items.reserve(json.size());
    for (const Json& item : json) items.push_back(TRY_IN(fmt::format("[{}]", items.size()), import(item)));
    --depth_;
    return runtime_.list(std::move(items));
  }

  Result<Value> import_object(const Json& json) {
    ++depth_;
    TRY(enter());
    DictBuilder builder(runtime_);
    for (const auto& [name, member] : json.items()) {
      if (!utf8_valid(name)) return error("a key is not valid UTF-8");
      Value key = TRY(runtime_.string(name));
      Value value = TRY_IN(name, import(member));
      TRY(builder.add(std::move(key), std::move(value)));
    }
    --depth_;
    return builder.finish();
  }

  Runtime& runtime_;
  int depth_ = 0;
};

}  // namespace

Result<Template> Template::parse(std::string_view source, TemplateLimits limits) {
  if (source.size() > limits.max_template_bytes) {
    return error("template line 1: the template has {} bytes (limit: {})", source.size(), limits.max_template_bytes);
  }
  if (!utf8_valid(source)) return error("template line 1: the template is not valid UTF-8");
  auto tokens = TRY(tokenize(source));
  auto root = TRY(Parser(std::move(tokens), limits).parse_template());
  return Template(std::make_shared<const TemplateNode>(std::move(root)), limits);
}

Result<std::string> Template::render(const Json& variables, const RenderOptions& options) const {
  if (!variables.is_object()) return error("variables: expected an object, got {}", variables.type_name());
  Runtime runtime(limits_, options);
  const Value imported = TRY_IN("variables", Importer(runtime).import(variables));
  auto rendered = Interpreter(runtime, imported.dict_ref()).render(*root_);
  if (rendered) return rendered;
  if (runtime.raised) return error("{}{}", kRaisedPrefix, *runtime.raised);
  return error("template line {}: {}", runtime.line, rendered.error().message);
}

std::optional<std::string> raised_text(const Error& error) {
  if (!error.message.starts_with(kRaisedPrefix)) return std::nullopt;
  return error.message.substr(kRaisedPrefix.size());
}

std::optional<LineError> line_error(const Error& error) {
  constexpr std::string_view kPrefix = "template line ";
  if (!error.message.starts_with(kPrefix)) return std::nullopt;
  LineError parts;
  const char* end = error.message.data() + error.message.size();
  auto [after, failed] = std::from_chars(error.message.data() + kPrefix.size(), end, parts.line);
  if (failed != std::errc() || !std::string_view(after, end).starts_with(": ")) return std::nullopt;
  parts.text.assign(after + 2, end);
  return parts;
}

}  // namespace minke::jinja
