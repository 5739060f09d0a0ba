#include "format/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "base/checked.h"
#include "base/json.h"
#include "base/utf8.h"
#include "format/content.h"
#include "format/quote.h"

namespace minke {
namespace {

constexpr size_t kLengthBytes = sizeof(uint64_t);
constexpr size_t kMaxDims = 64;  // more than any framework makes

// Dtypes of the format that the dtype table does not have.
struct ForeignDType {
  std::string_view name;
  uint64_t bits;
};
constexpr ForeignDType kForeignDTypes[] = {
    {"F4", 4}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"C64", 64},
};

std::optional<uint64_t> dtype_bits(std::string_view name) {
  if (auto dtype = dtype_from_safetensors(name)) return uint64_t{dtype_info(*dtype).block_bytes} * 8;
  for (const ForeignDType& foreign : kForeignDTypes) {
    if (foreign.name == name) return foreign.bits;
  }
  return std::nullopt;
}

// Takes the header from the JSON parser event by event. A document tree would take many times the memory of a hostile
// header; this takes nothing for what the format has no place for, because it stops there.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a bool"); }
  bool number_integer(number_integer_t value) override { return unexpected(fmt::format("{}", value)); }
  bool number_float(number_float_t, const string_t& text) override { return unexpected(text); }
  bool binary(binary_t&) override { return unexpected("binary"); }
  bool number_unsigned(number_unsigned_t value) override;
  bool string(string_t& value) override;
  bool key(string_t& name) override;
  bool start_object(size_t) override;
  bool start_array(size_t) override;
  bool end_object() override;
  bool end_array() override;
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& e) override;

  SafetensorsHeader header;
  std::string message;

 private:
  enum class State { kBefore, kTop, kTopValue, kMetadata, kTensor, kDType, kShapeBegin, kShape, kOffsetsBegin, kOffsets };

  bool fail(std::string text) {
    message = std::move(text);
    return false;
  }
  // "tensor "x": data_offsets: expected two unsigned integers, got null"
  bool unexpected(std::string_view got);
  bool top_key(string_t& name);
  bool tensor_key(const string_t& field);
  bool finish_tensor();

  State state_ = State::kBefore;
  std::string name_;  // of the tensor, or of the metadata key
  bool in_metadata_ = false;
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
  SafetensorsEntry entry_;
  std::vector<uint64_t> offsets_;
  std::unordered_set<std::string> top_names_, metadata_names_;
};

bool HeaderReader::unexpected(std::string_view got) {
  std::string_view expected = "nothing more";
  std::string_view field;
  switch (state_) {
    case State::kBefore:
      return fail(fmt::format("expected an object, got {}", got));
    case State::kTop:
      break;
    case State::kTopValue:
      expected = "an object";
      break;
    case State::kMetadata:
      return fail(fmt::format("__metadata__ {}: expected a string, got {}", quote_name(name_), got));
    case State::kTensor:
      break;
    case State::kDType:
      field = "dtype: ", expected = "a string";
      break;
    case State::kShapeBegin:
      field = "shape: ", expected = "an array";
      break;
    case State::kShape:
      field = "shape: ", expected = "unsigned integers";
      break;
    case State::kOffsetsBegin:
      field = "data_offsets: ", expected = "an array";
      break;
    case State::kOffsets:
      field = "data_offsets: ", expected = "two unsigned integers";
      break;
  }
  return fail(fmt::format("tensor {}: {}expected {}, got {}", quote_name(name_), field, expected, got));
}

bool HeaderReader::number_unsigned(number_unsigned_t value) {
  if (state_ == State::kShape) {
    if (value > static_cast<uint64_t>(INT64_MAX)) return unexpected(fmt::format("{}", value));
    if (entry_.shape.size() == kMaxDims)
      return fail(fmt::format("tensor {}: more than {} dimensions", quote_name(name_), kMaxDims));
    entry_.shape.push_back(static_cast<int64_t>(value));
    return true;
  }
  if (state_ != State::kOffsets || offsets_.size() == 2) return unexpected(fmt::format("{}", value));
  offsets_.push_back(value);
  return true;
}

bool HeaderReader::string(string_t& value) {
  if (state_ == State::kMetadata) {
    header.metadata.emplace_back(std::move(name_), std::move(value));
    return true;
  }
  if (state_ != State::kDType) return unexpected("a string");
  if (!dtype_bits(value)) return fail(fmt::format("tensor {}: unknown dtype {}", quote_name(name_), quote_name(value)));
  entry_.dtype = std::move(value);
  has_dtype_ = true;
  state_ = State::kTensor;
  return true;
}

bool HeaderReader::key(string_t& name) {
  if (state_ == State::kTop) return top_key(name);
  if (state_ == State::kTensor) return tensor_key(name);
  if (!metadata_names_.insert(name).second) return fail(fmt::format("__metadata__ {}: appears twice", quote_name(name)));
  name_ = std::move(name);
  return true;
}

bool HeaderReader::top_key(string_t& name) {
  if (!top_names_.insert(name).second) return fail(fmt::format("tensor {}: appears twice", quote_name(name)));
  in_metadata_ = name == "__metadata__";
  name_ = std::move(name);
  state_ = State::kTopValue;
  return true;
}

bool HeaderReader::tensor_key(const string_t& field) {
  bool is_new = false;
  if (field == "dtype") {
    is_new = !has_dtype_;
    state_ = State::kDType;
  } else if (field == "shape") {
    is_new = !has_shape_;
    state_ = State::kShapeBegin;
  } else if (field == "data_offsets") {
    is_new = !has_offsets_;
    state_ = State::kOffsetsBegin;
  } else {
    return fail(fmt::format("tensor {}: unknown field {}", quote_name(name_), quote_name(field)));
  }
  return is_new || fail(fmt::format("tensor {}: {} appears twice", quote_name(name_), field));
}

bool HeaderReader::start_object(size_t) {
  if (state_ == State::kBefore) {
    state_ = State::kTop;
    return true;
  }
  if (state_ != State::kTopValue) return unexpected("an object");
  state_ = in_metadata_ ? State::kMetadata : State::kTensor;
  has_dtype_ = has_shape_ = has_offsets_ = false;
  entry_ = {};
  offsets_.clear();
  return true;
}

bool HeaderReader::start_array(size_t) {
  if (state_ == State::kShapeBegin) {
    state_ = State::kShape;
  } else if (state_ == State::kOffsetsBegin) {
    state_ = State::kOffsets;
  } else {
    return unexpected("an array");
  }
  return true;
}

bool HeaderReader::end_array() {
  if (state_ == State::kShape) {
    has_shape_ = true;
  } else {
    if (offsets_.size() != 2) return unexpected(fmt::format("{}", offsets_.size()));
    has_offsets_ = true;
  }
  state_ = State::kTensor;
  return true;
}

bool HeaderReader::end_object() {
  if (state_ == State::kTensor && !finish_tensor()) return false;
  state_ = State::kTop;
  return true;
}

bool HeaderReader::finish_tensor() {
  std::string_view missing = !has_dtype_ ? "dtype" : !has_shape_ ? "shape" : !has_offsets_ ? "data_offsets" : "";
  if (!missing.empty()) return fail(fmt::format("tensor {}: {} is missing", quote_name(name_), missing));
  entry_.name = std::move(name_);
  entry_.begin = offsets_[0];
  entry_.end = offsets_[1];
  header.entries.push_back(std::move(entry_));
  return true;
}

bool HeaderReader::parse_error(size_t position, const std::string&, const nlohmann::detail::exception& e) {
  // The parser's text is "[json.exception...] parse error at line L, column C: detail" and repeats the offending token, of
  // any length.
  std::string_view text = e.what();
  size_t colon = text.find(": ");
  if (colon != std::string_view::npos) text.remove_prefix(colon + 2);
  return fail(fmt::format("not valid JSON at byte {}: {}", kLengthBytes + position, utf8_lossy(text.substr(0, 160))));
}

Result<SafetensorsHeader> parse_header(std::string_view text, std::string_view where) {
  // The parser takes a NUL for the end of the text and skips a byte order mark; neither is JSON.
  size_t nul = text.find('\0');
  if (nul != std::string_view::npos) return error("{}: header: NUL at byte {}", where, kLengthBytes + nul);
  if (text.starts_with("\xEF")) return error("{}: header: not valid JSON at byte {}: expected {{", where, kLengthBytes);
  HeaderReader reader;
  if (!Json::sax_parse(text.begin(), text.end(), &reader)) return error("{}: header: {}", where, reader.message);
  return std::move(reader.header);
}

// The bytes that shape and dtype demand are those of the range.
Status check_size(const SafetensorsEntry& entry) {
  if (entry.begin > entry.end) return error("data_offsets: expected begin <= end, got [{}, {}]", entry.begin, entry.end);
  auto n_elements = checked_product(entry.shape);
  if (!n_elements) return error("shape {}: more than 2^63-1 elements", shape_text(entry.shape));
  auto n_bits = checked_mul<uint64_t>(static_cast<uint64_t>(*n_elements), *dtype_bits(entry.dtype));
  if (!n_bits) return error("shape {} of {}: size overflows", shape_text(entry.shape), entry.dtype);
  if (*n_bits % 8 != 0)
    return error("shape {} of {}: {} bits do not end on a byte", shape_text(entry.shape), entry.dtype, *n_bits);
  if (entry.end - entry.begin == *n_bits / 8) return {};
  return error("shape {} of {}: expected {} bytes, got data_offsets [{}, {}] of {} bytes", shape_text(entry.shape), entry.dtype,
               *n_bits / 8, entry.begin, entry.end, entry.end - entry.begin);
}

// The tensors cover the data from 0 to its end, without holes and overlaps; afterwards offsets count from the file's start.
Status check_and_place(std::vector<SafetensorsEntry>& entries, uint64_t data_start, uint64_t data_bytes,
                       std::string_view where) {
  std::stable_sort(entries.begin(), entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  uint64_t covered = 0;
  for (const SafetensorsEntry& entry : entries) {
    std::string who = fmt::format("{}: tensor {}", where, quote_name(entry.name));
    TRY_IN(who, check_size(entry));
    if (entry.begin < covered)
      return error("{}: overlaps the tensor before it: begins at {}, expected {}", who, entry.begin, covered);
    if (entry.begin > covered) return error("{}: begins at {}, which leaves a hole behind {}", who, entry.begin, covered);
    covered = entry.end;
  }
  if (covered > data_bytes) {
    return error("{}: truncated: tensor {} ends at byte {} of the data, expected that many bytes behind the header, got {}",
                 where, quote_name(entries.back().name), covered, data_bytes);
  }
  if (covered < data_bytes)
    return error("{}: {} bytes behind the last tensor, which ends at byte {}", where, data_bytes - covered,
                 data_start + covered);
  for (SafetensorsEntry& entry : entries) {
    entry.begin += data_start;
    entry.end += data_start;
  }
  return {};
}

// Why the first eight bytes are not the length of a header.
tl::unexpected<Error> refuse_length(std::span<const std::byte> file, uint64_t header_bytes, std::string_view where) {
  Content content = sniff_content(file);
  std::string reason = content == Content::kSafetensors ? "" : explain_content(content);
  if (!reason.empty()) return error("{}: not a safetensors file: {}", where, reason);
  if (file.size() < kLengthBytes)
    return error("{}: truncated: expected at least {} bytes, got {}", where, kLengthBytes, file.size());
  if (header_bytes > kMaxSafetensorsHeader) {
    return error("{}: damaged or not a safetensors file: a header of {} bytes, expected at most {}", where, header_bytes,
                 kMaxSafetensorsHeader);
  }
  return error("{}: truncated: expected at least {} bytes for a header of {}, got {}", where, kLengthBytes + header_bytes,
               header_bytes, file.size());
}

}  // namespace

Result<SafetensorsHeader> parse_safetensors(std::span<const std::byte> file, std::string_view where) {
  uint64_t header_bytes = 0;
  if (file.size() >= kLengthBytes) std::memcpy(&header_bytes, file.data(), kLengthBytes);
  if (file.size() < kLengthBytes || header_bytes > std::min<uint64_t>(kMaxSafetensorsHeader, file.size() - kLengthBytes)) {
    return refuse_length(file, header_bytes, where);
  }
  uint64_t data_start = kLengthBytes + header_bytes;
  std::string_view text(reinterpret_cast<const char*>(file.data()) + kLengthBytes, static_cast<size_t>(header_bytes));
  SafetensorsHeader header = TRY(parse_header(text, where));
  TRY(check_and_place(header.entries, data_start, file.size() - data_start, where));
  return header;
}

}  // namespace minke
