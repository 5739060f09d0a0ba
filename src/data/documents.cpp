#include "data/documents.h"

#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace minke {
namespace {

constexpr std::string_view kLineBreaks = "\r\n";
constexpr std::string_view kBlankText = " \t\r\n\v\f";

Status check_utf8(std::string_view text, size_t begin) {
  if (utf8_valid(text)) return {};
  size_t pos = 0;
  for (Utf8Step step{}; pos < text.size(); pos += step.n_bytes) {
    step = utf8_decode(text, pos);
    if (!step.valid) break;
  }
  return error("byte {}: not valid UTF-8 (0x{:02X})", begin + pos, static_cast<unsigned char>(text[pos]));
}

}  // namespace

Result<DocumentReader> DocumentReader::open(const std::string& path, const std::string& separator) {
  DocumentReader reader;
  reader.file_ = TRY(MappedFile::open(path));
  reader.path_ = path;
  reader.separator_ = separator;
  auto bytes = reader.file_->bytes();
  reader.text_ = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  reader.rows_ = path.ends_with(".jsonl") || path.ends_with(".ndjson");
  if (reader.text_.empty()) return error("{}: the file is empty", path);
  return reader;
}

Result<bool> DocumentReader::next(Document& document) {
  const bool found = TRY(rows_ ? next_row(document) : next_text(document));
  if (!found && n_documents_ == 0) return error("{}: there is no {} in the file", path_, rows_ ? "row" : "text");
  n_documents_++;
  return found;
}

Result<bool> DocumentReader::next_row(Document& document) {
  while (position_ < text_.size()) {
    const size_t begin = position_, end = std::min(text_.find('\n', begin), text_.size());
    position_ = std::min(end + 1, text_.size());
    line_++;
    document.text = text_.substr(begin, end - begin);
    if (document.text.find_first_not_of(kBlankText) == std::string_view::npos) continue;
    document.where = fmt::format("{}: line {}", path_, line_);
    document.is_row = true;
    TRY_IN(document.where, check_utf8(document.text, begin));
    return true;
  }
  return false;
}

Result<bool> DocumentReader::next_text(Document& document) {
  while (position_ < text_.size()) {
    size_t begin = position_, end = text_.size();
    position_ = end;
    if (!separator_.empty()) {
      end = std::min(text_.find(separator_, begin), text_.size());
      position_ = std::min(end + separator_.size(), text_.size());
    }
    std::string_view text = text_.substr(begin, end - begin);
    if (text.find_first_not_of(kBlankText) == std::string_view::npos) continue;
    if (!separator_.empty()) {
      const size_t first = text.find_first_not_of(kLineBreaks);
      begin += first;
      text = text.substr(first, text.find_last_not_of(kLineBreaks) + 1 - first);
    }
    document.text = text;
    document.where = fmt::format("{}: byte {}", path_, begin);
    document.is_row = false;
    TRY_IN(path_, check_utf8(text, begin));
    return true;
  }
  return false;
}

Result<std::string> unescape_separator(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    constexpr std::string_view kNames = "ntr\\", kValues = "\n\t\r\\";
    const size_t which = i + 1 < text.size() ? kNames.find(text[i + 1]) : std::string_view::npos;
    if (which == std::string_view::npos) return error("\"{}\": after a backslash expected n, t, r or a backslash", text);
    out += kValues[which];
    i++;
  }
  return out;
}

}  // namespace minke
