#include "base/json.h"

#include <nlohmann/json.hpp>
#include <unordered_set>
#include <vector>

#include "base/file.h"
#include "base/utf8.h"

namespace minke {
namespace {

constexpr size_t kMaxDetail = 200;

// Builds an ordered_json in linear time: ordered_map's own insertion searches the whole object for each key, which is
// quadratic in the 128,000 entries of a vocabulary. Duplicates are found with one hash set per open object.
class Builder : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(JsonLimits limits) : limits_(limits) {}

  bool null() override { return put(Json(nullptr)); }
  bool boolean(bool value) override { return put(Json(value)); }
  bool number_integer(number_integer_t value) override { return put(Json(value)); }
  bool number_unsigned(number_unsigned_t value) override { return put(Json(value)); }
  bool number_float(number_float_t value, const string_t&) override { return put(Json(value)); }
  bool string(string_t& value) override { return put(Json(std::move(value))); }
  bool binary(binary_t&) override { return fail("binary value"); }
  bool key(string_t& name) override {
    if (!open_.back().keys.insert(name).second) return fail(fmt::format("duplicate key \"{}\"", name));
    open_.back().key = std::move(name);
    return true;
  }
  bool start_object(size_t) override { return start(Json::object()); }
  bool start_array(size_t) override { return start(Json::array()); }
  bool end_object() override { return end(); }
  bool end_array() override { return end(); }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& e) override {
    offset = position;
    std::string text = e.what();
    // nlohmann's text is "[json.exception...] parse error at line L, column C: detail"; the detail is what helps.
    size_t colon = text.find(": ");
    if (colon != std::string::npos) text.erase(0, colon + 2);
    if (text.size() > kMaxDetail)
      text = utf8_lossy(text.substr(0, kMaxDetail)) + "...";  // it repeats the offending token whole
    return fail(std::move(text));
  }

  Json root;
  std::string message;
  size_t offset = 0;

 private:
  struct Open {
    Json value;
    std::string key;
    std::unordered_set<std::string> keys;
  };

  bool fail(std::string text) {
    if (message.empty()) message = std::move(text);
    return false;
  }
  bool start(Json container) {
    if (open_.size() >= limits_.max_depth) return fail(fmt::format("nested deeper than {} levels", limits_.max_depth));
    open_.push_back({std::move(container), {}, {}});
    return true;
  }
  bool end() {
    Json done = std::move(open_.back().value);
    open_.pop_back();
    return put(std::move(done));
  }
  bool put(Json value) {
    if (open_.empty()) {
      root = std::move(value);
      return true;
    }
    Open& top = open_.back();
    if (top.value.is_array()) {
      top.value.push_back(std::move(value));
    } else {
      auto& map = top.value.get_ref<Json::object_t&>();
      static_cast<Json::object_t::Container&>(map).emplace_back(std::move(top.key), std::move(value));
    }
    return true;
  }

  JsonLimits limits_;
  std::vector<Open> open_;
};

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view where, JsonLimits limits) {
  // nlohmann's lexer takes a NUL for the end of the text and skips a byte order mark; neither is JSON (RFC 8259, section 8.1).
  if (size_t nul = text.find('\0'); nul != std::string_view::npos)
    return error("{}: not valid JSON at byte {}: NUL byte", where, nul);
  if (text.starts_with("\xEF\xBB\xBF")) return error("{}: not valid JSON at byte 0: byte order mark", where);
  Builder builder(limits);
  bool ok = false;
  try {
    ok = Json::sax_parse(text.begin(), text.end(), &builder);
  } catch (const std::exception& e) {
    return error("{}: not valid JSON: {}", where, e.what());
  }
  if (!ok) return error("{}: not valid JSON at byte {}: {}", where, builder.offset, builder.message);
  return std::move(builder.root);
}

Result<Json> read_json_file(const std::string& path, size_t max_bytes) {
  std::string text = TRY(read_file(path, max_bytes));
  return parse_json(text, path);
}

std::string dump_json(const Json& value, int indent) { return value.dump(indent, ' ', false, Json::error_handler_t::replace); }

}  // namespace minke
