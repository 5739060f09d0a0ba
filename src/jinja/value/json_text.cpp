// json.dumps() (docs.python.org/3/library/json.html), which Hugging Face puts in place of Jinja's own tojson.
#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "jinja/value/repr.h"

namespace minke::jinja {

namespace {

class JsonWriter {
 public:
  JsonWriter(Runtime& runtime, const JsonStyle& style) : runtime_(runtime), style_(style) {}

  Status write(const Value& value) {
    TRY(runtime_.touch(64));
    TRY(runtime_.reserve(out_.size()));
    switch (value.kind()) {
      case Kind::kNone:
        out_ += "null";
        return {};
      case Kind::kBool:
        out_ += value.boolean() ? "true" : "false";
        return {};
      case Kind::kInt:
        out_ += int_text(value.integer());
        return {};
      case Kind::kFloat:
        out_ += number(value.number());
        return {};
      case Kind::kString:
        return write_string(value.text());
      case Kind::kDict:
        return write_dict(value.dict());
      case Kind::kSequence:
        if (value.sequence().style == SequenceStyle::kList || value.sequence().is_tuple()) return write_list(value.sequence());
        break;
      default:
        break;
    }
    return error("Object of type {} is not JSON serializable", type_name(value));
  }

  std::string take() { return std::move(out_); }

 private:
  static std::string number(double d) {
    if (std::isnan(d)) return "NaN";
    if (std::isinf(d)) return d < 0 ? "-Infinity" : "Infinity";
    return float_repr(d);
  }

  Status write_string(std::string_view text) {
    TRY(runtime_.touch(text.size()));
    TRY(runtime_.reserve(text.size() * 6));
    out_ += '"';
    for (size_t pos = 0; pos < text.size();) {
      const Utf8Step step = utf8_decode(text, pos);
      write_char(step.code_point, text.substr(pos, step.n_bytes));
      pos += step.n_bytes;
    }
    out_ += '"';
    return {};
  }

  void write_char(char32_t c, std::string_view bytes) {
    constexpr std::string_view kEscaped = "\"\\\n\r\t\f\b", kLetters = "\"\\nrtfb";
    if (const size_t at = c < 0x80 ? kEscaped.find(static_cast<char>(c)) : std::string_view::npos;
        at != std::string_view::npos) {
      out_ += {'\\', kLetters[at]};
    } else if (c < 0x20 || (style_.ensure_ascii && c > 0x7E)) {
      if (c < 0x10000) {
        out_ += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
      } else {
        const auto offset = static_cast<uint32_t>(c) - 0x10000;
        out_ += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (offset >> 10), 0xDC00 + (offset & 0x3FF));
      }
    } else {
      out_ += bytes;
    }
  }

  Status new_line() {
    if (!style_.indent) return {};
    const size_t n = style_.indent->size() * level_;
    TRY(runtime_.reserve(out_.size() + n));
    TRY(runtime_.touch(n));
    out_ += '\n';
    for (size_t i = 0; i < level_; ++i) out_ += *style_.indent;
    return {};
  }

  Status write_list(const Sequence& list) {
    if (list.items.empty()) {
      out_ += "[]";
      return {};
    }
    out_ += '[';
    ++level_;
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out_ += style_.item_separator;
      TRY(new_line());
      TRY(write(list.items[i]));
    }
    --level_;
    TRY(new_line());
    out_ += ']';
    return {};
  }

  // json.dumps takes these kinds of keys and writes them as strings.
  Result<std::string> key_text(const Value& key) {
    switch (key.kind()) {
      case Kind::kString:
        return std::string(key.text());
      case Kind::kNone:
        return std::string("null");
      case Kind::kBool:
        return std::string(key.boolean() ? "true" : "false");
      case Kind::kInt:
        return int_text(key.integer());
      case Kind::kFloat:
        return number(key.number());
      default:
        return error("keys must be str, int, float, bool or None, not {}", type_name(key));
    }
  }

  Result<std::vector<const Dict::Entry*>> ordered(const Dict& dict) {
    std::vector<const Dict::Entry*> entries;
    for (const auto& entry : dict.entries) entries.push_back(&entry);
    if (!style_.sort_keys) return entries;
    for (const auto* entry : entries) {
      if (entry->first.kind() != entries[0]->first.kind()) return error("tojson: keys of several types cannot be sorted");
    }
    TRY(runtime_.touch(entries.size() * 1024));
    std::stable_sort(entries.begin(), entries.end(), [](const Dict::Entry* a, const Dict::Entry* b) {
      if (a->first.is_string()) return a->first.text() < b->first.text();
      return a->first.is_number() && a->first.number() < b->first.number();
    });
    return entries;
  }

  Status write_dict(const Dict& dict) {
    if (dict.entries.empty()) {
      out_ += "{}";
      return {};
    }
    const auto entries = TRY(ordered(dict));
    out_ += '{';
    ++level_;
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) out_ += style_.item_separator;
      TRY(new_line());
      const std::string key = TRY(key_text(entries[i]->first));
      TRY(write_string(key));
      out_ += style_.key_separator;
      TRY(write(entries[i]->second));
    }
    --level_;
    TRY(new_line());
    out_ += '}';
    return {};
  }

  Runtime& runtime_;
  const JsonStyle& style_;
  std::string out_;
  size_t level_ = 0;
};

}  // namespace

Result<std::string> to_json_text(Runtime& runtime, const Value& value, const JsonStyle& style) {
  JsonWriter writer(runtime, style);
  TRY(writer.write(value));
  return writer.take();
}

}  // namespace minke::jinja
