#include "chat/spelled_tokens.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace minke {
namespace {

constexpr char32_t kFirstNoncharacter = 0xFDD0, kLastNoncharacter = 0xFDEF;

AddedTokenFinder finder_of(const Tokenizer& tokenizer, const std::vector<std::string>& trusted) {
  std::vector<const AddedToken*> tokens;
  std::vector<std::string> contents;
  for (const AddedToken& token : tokenizer.spec().added) {
    if (!is_markup(token) || std::find(trusted.begin(), trusted.end(), token.content) != trusted.end()) continue;
    tokens.push_back(&token);
    contents.push_back(token.content);
  }
  return AddedTokenFinder(tokens, contents);
}

bool contains(const Json& value, std::string_view text) {
  if (value.is_string()) return value.get_ref<const std::string&>().find(text) != std::string::npos;
  for (auto item = value.begin(); value.is_structured() && item != value.end(); ++item) {
    if (value.is_object() && item.key().find(text) != std::string::npos) return true;
    if (contains(*item, text)) return true;
  }
  return false;
}

}  // namespace

SpelledTokens::SpelledTokens(const Tokenizer& tokenizer, const std::vector<std::string>& trusted)
    : finder_(finder_of(tokenizer, trusted)) {}

Result<std::string> SpelledTokens::choose_mark(const Json& value) {
  for (char32_t c = kFirstNoncharacter; c <= kLastNoncharacter; c++) {
    std::string mark;
    utf8_append(mark, c);
    if (!contains(value, mark)) return mark;
  }
  return error("the texts have all of the noncharacters U+FDD0 to U+FDEF: leave one out");
}

// Behind the first character of every spelling, those that begin inside of another included.
std::string SpelledTokens::marked(std::string_view text, std::string_view mark) const {
  std::string out;
  out.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) {
    const bool is_spelled = finder_.length_at(text, pos) > 0;
    const size_t n = utf8_decode(text, pos).n_bytes;
    out += text.substr(pos, n);
    if (is_spelled) out += mark;
    pos += n;
  }
  return out;
}

Json SpelledTokens::marked(const Json& value, std::string_view mark) const {
  if (value.is_string()) return marked(std::string_view(value.get_ref<const std::string&>()), mark);
  if (!value.is_structured()) return value;
  Json out = value.is_array() ? Json::array() : Json::object();
  for (auto item = value.begin(); item != value.end(); ++item) {
    if (value.is_array()) {
      out.push_back(marked(*item, mark));
    } else {
      out[marked(std::string_view(item.key()), mark)] = marked(*item, mark);
    }
  }
  return out;
}

BrokenText SpelledTokens::without_marks(std::string_view text, std::string_view mark) {
  BrokenText out;
  out.text.reserve(text.size());
  for (size_t pos = 0;;) {
    const size_t next = text.find(mark, pos);
    out.text += text.substr(pos, next == text.npos ? text.npos : next - pos);
    if (next == text.npos) return out;
    out.breaks.push_back(out.text.size());
    pos = next + mark.size();
  }
}

}  // namespace minke
