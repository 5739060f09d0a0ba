#include <limits>

#include "base/check.h"
#include "format/gguf.h"
#include "format/quote.h"

namespace minke {
namespace {

GgufValue array(GgufType element_type, decltype(GgufValue::value) value) {
  return {GgufType::kArray, element_type, std::move(value)};
}

std::string type_text(const GgufValue& value) {
  if (value.type != GgufType::kArray) return std::string(gguf_type_name(value.type));
  return fmt::format("array of {}", gguf_type_name(value.element_type));
}

tl::unexpected<Error> wrong_type(std::string_view key, std::string_view expected, const GgufValue& value) {
  return error("key {}: expected {}, got {}", quote_name(key), expected, type_text(value));
}

bool fits(uint64_t v) { return v <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()); }

}  // namespace

std::string_view gguf_type_name(GgufType type) {
  switch (type) {
    case GgufType::kU8:
      return "u8";
    case GgufType::kI8:
      return "i8";
    case GgufType::kU16:
      return "u16";
    case GgufType::kI16:
      return "i16";
    case GgufType::kU32:
      return "u32";
    case GgufType::kI32:
      return "i32";
    case GgufType::kF32:
      return "f32";
    case GgufType::kBool:
      return "bool";
    case GgufType::kString:
      return "string";
    case GgufType::kArray:
      return "array";
    case GgufType::kU64:
      return "u64";
    case GgufType::kI64:
      return "i64";
    case GgufType::kF64:
      return "f64";
  }
  CHECK(false, "GGUF value type {}", static_cast<uint32_t>(type));
}

GgufValue GgufValue::u32(uint32_t v) { return {GgufType::kU32, GgufType::kU32, uint64_t{v}}; }
GgufValue GgufValue::i32(int32_t v) { return {GgufType::kI32, GgufType::kU32, int64_t{v}}; }
GgufValue GgufValue::u64(uint64_t v) { return {GgufType::kU64, GgufType::kU32, v}; }
GgufValue GgufValue::f32(float v) { return {GgufType::kF32, GgufType::kU32, double{v}}; }
GgufValue GgufValue::boolean(bool v) { return {GgufType::kBool, GgufType::kU32, v}; }
GgufValue GgufValue::string(std::string v) { return {GgufType::kString, GgufType::kU32, std::move(v)}; }
GgufValue GgufValue::strings(std::vector<std::string> v) { return array(GgufType::kString, std::move(v)); }
GgufValue GgufValue::i32s(std::vector<int64_t> v) { return array(GgufType::kI32, std::move(v)); }
GgufValue GgufValue::f32s(std::vector<double> v) { return array(GgufType::kF32, std::move(v)); }

const GgufValue* GgufMetadata::find(std::string_view key) const {
  auto it = index_.find(key);
  return it == index_.end() ? nullptr : &entries_[it->second].second;
}

void GgufMetadata::set(std::string key, GgufValue value) {
  auto [it, is_new] = index_.emplace(key, entries_.size());
  if (is_new) {
    entries_.emplace_back(std::move(key), std::move(value));
  } else {
    entries_[it->second].second = std::move(value);
  }
}

Result<const GgufValue*> GgufMetadata::require(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return error("key {} is missing", quote_name(key));
  return value;
}

Result<int64_t> GgufMetadata::integer(std::string_view key) const {
  const GgufValue* value = TRY(require(key));
  if (auto* v = std::get_if<int64_t>(&value->value)) return *v;
  auto* v = std::get_if<uint64_t>(&value->value);
  if (v == nullptr) return wrong_type(key, "an integer", *value);
  if (!fits(*v)) return error("key {}: expected at most 2^63-1, got {}", quote_name(key), *v);
  return static_cast<int64_t>(*v);
}

Result<double> GgufMetadata::number(std::string_view key) const {
  const GgufValue* value = TRY(require(key));
  if (auto* v = std::get_if<double>(&value->value)) return *v;
  if (auto* v = std::get_if<int64_t>(&value->value)) return static_cast<double>(*v);
  if (auto* v = std::get_if<uint64_t>(&value->value)) return static_cast<double>(*v);
  return wrong_type(key, "a number", *value);
}

Result<bool> GgufMetadata::boolean(std::string_view key) const {
  const GgufValue* value = TRY(require(key));
  if (auto* v = std::get_if<bool>(&value->value)) return *v;
  return wrong_type(key, "bool", *value);
}

Result<std::string> GgufMetadata::string(std::string_view key) const {
  const GgufValue* value = TRY(require(key));
  if (auto* v = std::get_if<std::string>(&value->value)) return *v;
  return wrong_type(key, "string", *value);
}

Result<std::vector<std::string>> GgufMetadata::strings(std::string_view key) const {
  const GgufValue* value = TRY(require(key));
  if (auto* v = std::get_if<std::vector<std::string>>(&value->value)) return *v;
  return wrong_type(key, "array of string", *value);
}

Result<std::vector<int64_t>> GgufMetadata::integers(std::string_view key) const {
  const GgufValue* value = TRY(require(key));
  if (auto* v = std::get_if<std::vector<int64_t>>(&value->value)) return *v;
  auto* v = std::get_if<std::vector<uint64_t>>(&value->value);
  if (v == nullptr || value->element_type == GgufType::kBool) return wrong_type(key, "array of integers", *value);
  std::vector<int64_t> out;
  out.reserve(v->size());
  for (uint64_t element : *v) {
    if (!fits(element)) return error("key {}: expected at most 2^63-1, got {}", quote_name(key), element);
    out.push_back(static_cast<int64_t>(element));
  }
  return out;
}

Result<std::vector<double>> GgufMetadata::numbers(std::string_view key) const {
  const GgufValue* value = TRY(require(key));
  if (auto* v = std::get_if<GgufValue::Numbers>(&value->value)) return *v;
  if (auto* v = std::get_if<std::vector<int64_t>>(&value->value)) return std::vector<double>(v->begin(), v->end());
  auto* v = std::get_if<std::vector<uint64_t>>(&value->value);
  if (v == nullptr || value->element_type == GgufType::kBool) return wrong_type(key, "array of numbers", *value);
  return std::vector<double>(v->begin(), v->end());
}

}  // namespace minke
