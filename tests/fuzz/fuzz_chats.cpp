// Bytes as an export of chats, in JSON and in Markdown. What is accepted must come back the same from both formats.
#include <cstdlib>

#include "store/text_fold.h"
#include "store/transfer/archive.h"

namespace {

using namespace minke::store;

void require(bool condition) {
  if (!condition) std::abort();
}

// JSON as the judge of sameness: it has every field.
void check(const minke::Result<Archive>& read) {
  if (!read) {
    require(!read.error().message.empty());
    return;
  }
  require(check_archive(*read).has_value());
  const std::string json = write_archive_json(*read);
  const auto from_json = read_archive_json(json, "json");
  require(from_json.has_value() && write_archive_json(*from_json) == json);
  const auto from_markdown = read_archive_markdown(write_archive_markdown(*read), "markdown");
  require(from_markdown.has_value() && write_archive_json(*from_markdown) == json);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(read_archive_json(text, "fuzz"));
  check(read_archive_markdown(text, "fuzz"));
  const std::string folded = fold_text(text);
  (void)snippet_around(text, std::string_view(folded).substr(folded.size() / 2, 8));
  return 0;
}
