#include "jinja/value/repr.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "base/utf8.h"
#include "jinja/syntax/ast.h"
#include "jinja/value/operators.h"
#include "jinja/value/text.h"

namespace minke::jinja {

namespace {

class ReprWriter {
 public:
  explicit ReprWriter(Runtime& runtime) : runtime_(runtime) {}

  Status write(const Value& value) {
    TRY(runtime_.touch(64));
    TRY(runtime_.reserve(out_.size()));
    switch (value.kind()) {
      case Kind::kUndefined:
        out_ += "Undefined";
        return {};
      case Kind::kNone:
        out_ += "None";
        return {};
      case Kind::kBool:
        out_ += value.boolean() ? "True" : "False";
        return {};
      case Kind::kInt:
        out_ += int_text(value.integer());
        return {};
      case Kind::kFloat:
        out_ += float_repr(value.number());
        return {};
      case Kind::kString:
        return write_string(value.string());
      case Kind::kSequence:
        return write_sequence(value.sequence());
      case Kind::kDict:
        return write_entries(value.dict().entries);
      case Kind::kNamespace:
        return write_namespace(value.name_space());
      case Kind::kLoop:
        out_ += fmt::format("<LoopContext {}/{}>", value.loop().index0 + 1, value.loop().items.size());
        return {};
      case Kind::kMacro:
        out_ += fmt::format("<Macro {}>", string_repr(value.macro().node->name->text));
        return {};
      case Kind::kFunction:
        out_ += "<function>";
        return {};
    }
    return {};
  }

  std::string take() { return std::move(out_); }

 private:
  Status write_string(const String& string) {
    TRY(runtime_.touch(string.text.size()));
    TRY(runtime_.reserve(string.text.size() * 4));
    std::string text = string_repr(string.text);
    out_ += string.is_markup ? fmt::format("Markup({})", text) : std::move(text);
    return {};
  }

  Status write_sequence(const Sequence& sequence) {
    switch (sequence.style) {
      case SequenceStyle::kList:
        return write_items("[", sequence.items, "]");
      case SequenceStyle::kTuple:
      case SequenceStyle::kGroup:
        return write_items("(", sequence.items, sequence.items.size() == 1 ? ",)" : ")");
      case SequenceStyle::kKeysView:
        return write_items("dict_keys([", sequence.items, "])");
      case SequenceStyle::kValuesView:
        return write_items("dict_values([", sequence.items, "])");
      case SequenceStyle::kItemsView:
        return write_items("dict_items([", sequence.items, "])");
      case SequenceStyle::kRange:
        out_ += sequence.range_repr;
        return {};
      case SequenceStyle::kGenerator:
        out_ += "<generator object>";
        return {};
    }
    return {};
  }

  Status write_items(std::string_view open, const std::vector<Value>& items, std::string_view close) {
    out_ += open;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += ", ";
      TRY(write(items[i]));
    }
    out_ += close;
    return {};
  }

  Status write_entries(const std::vector<Dict::Entry>& entries) {
    out_ += '{';
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) out_ += ", ";
      TRY(write(entries[i].first));
      out_ += ": ";
      TRY(write(entries[i].second));
    }
    out_ += '}';
    return {};
  }

  Status write_namespace(const Namespace& held) {
    // A namespace can contain itself.
    if (++namespace_depth_ > 20) return error("a namespace nested too deeply to print");
    out_ += "<Namespace {";
    for (size_t i = 0; i < held.attributes.size(); ++i) {
      if (i > 0) out_ += ", ";
      out_ += string_repr(held.attributes[i].first) + ": ";
      TRY(write(held.attributes[i].second));
    }
    out_ += "}>";
    --namespace_depth_;
    return {};
  }

  Runtime& runtime_;
  std::string out_;
  int namespace_depth_ = 0;
};

}  // namespace

std::string int_text(Int i) { return fmt::format("{}", i); }

std::string float_repr(double d) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return d < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::scientific).ptr;
  const std::string_view scientific(buffer, static_cast<size_t>(end - buffer));
  const size_t e = scientific.find('e');
  int exponent = 0;
  const char* digits = scientific.data() + e + 1;
  std::from_chars(*digits == '+' ? digits + 1 : digits, end, exponent);
  // Python switches to the exponent form outside 1e-4 .. 1e16.
  if (exponent < -4 || exponent >= 16) return std::string(scientific);
  const auto fixed_end = std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::fixed).ptr;
  std::string fixed(buffer, fixed_end);
  if (fixed.find('.') == std::string::npos) fixed += ".0";
  return fixed;
}

std::string string_repr(std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const char quote = has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
  std::string out(1, quote);
  for (size_t pos = 0; pos < text.size();) {
    const Utf8Step step = utf8_decode(text, pos);
    const char32_t c = step.code_point;
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out += {'\\', static_cast<char>(c)};
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (is_printable(c)) {
      out += text.substr(pos, step.n_bytes);
    } else {
      const auto code = static_cast<uint32_t>(c);
      out += code < 0x100     ? fmt::format("\\x{:02x}", code)
             : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                              : fmt::format("\\U{:08x}", code);
    }
    pos += step.n_bytes;
  }
  return out += quote;
}

Result<std::string> to_repr(Runtime& runtime, const Value& value) {
  ReprWriter writer(runtime);
  TRY(writer.write(value));
  return writer.take();
}

Result<std::string> to_text(Runtime& runtime, const Value& value) {
  if (value.is(Kind::kUndefined)) return std::string();
  if (value.is_string()) return std::string(value.text());
  return to_repr(runtime, value);
}

}  // namespace minke::jinja
