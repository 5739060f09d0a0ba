// Documents out of files: plain text, whole or cut at a separator, and rows of JSON. Files are mapped and read from front to
// back. Whatever is not right is an error that names the file and the byte or line.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace minke {

struct Document {
  std::string where;      // "corpus.txt: byte 120" or "rows.jsonl: line 3", for messages
  std::string_view text;  // of a text file, or the line; UTF-8, lives as long as the reader
  bool is_row = false;    // text is a line of JSON
};

class DocumentReader {
 public:
  // *.jsonl and *.ndjson have a JSON object per line; every other file is text. separator: cuts text files into documents,
  // which lose the line breaks around them; those without a visible character are left out. "": a file is one document.
  static Result<DocumentReader> open(const std::string& path, const std::string& separator);

  // False at the end. A file without any document is an error.
  Result<bool> next(Document& document);

  uint64_t n_read() const { return position_; }
  uint64_t n_bytes() const { return text_.size(); }

 private:
  DocumentReader() = default;
  Result<bool> next_row(Document& document);
  Result<bool> next_text(Document& document);

  std::shared_ptr<const MappedFile> file_;
  std::string path_, separator_;
  std::string_view text_;
  bool rows_ = false;
  size_t position_ = 0;
  int64_t line_ = 0;
  int64_t n_documents_ = 0;
};

// "\n", "\t", "\\" and "\r" in a separator as it is typed on a command line.
Result<std::string> unescape_separator(std::string_view text);

}  // namespace minke
