#include "format/content.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "format/safetensors.h"

namespace minke {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// A plausible header length and the start of a JSON object behind it.
bool looks_like_safetensors(std::string_view head) {
  uint64_t header_bytes = 0;
  if (head.size() <= sizeof(header_bytes)) return false;
  std::memcpy(&header_bytes, head.data(), sizeof(header_bytes));
  return header_bytes <= kMaxSafetensorsHeader && (head[8] == '{' || is_space(head[8]));
}

bool starts_with_no_case(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() && std::equal(lower.begin(), lower.end(), text.begin(), [](char a, char b) {
           return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
         });
}

// The protocol opcode with versions 2 to 5, then any opcode: those are printable or above 0x7F.
bool is_pickle(std::string_view head) {
  return head.size() >= 3 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5 && static_cast<unsigned char>(head[2]) >= '(';
}

bool is_text(std::string_view head) {
  return std::all_of(head.begin(), head.end(), [](char c) { return is_space(c) || static_cast<unsigned char>(c) >= 0x20; });
}

}  // namespace

Content sniff_content(std::span<const std::byte> bytes) {
  if (bytes.empty()) return Content::kEmpty;
  std::string_view head(reinterpret_cast<const char*>(bytes.data()), std::min<size_t>(bytes.size(), 512));
  // First, because the length of a header may begin with any of the magic bytes below (a header of 0x280 bytes with those
  // of a pickle).
  if (looks_like_safetensors(head)) return Content::kSafetensors;
  if (head.starts_with("GGUF")) return Content::kGguf;
  if (head.starts_with("version https://git-lfs")) return Content::kLfsPointer;
  if (head.starts_with("PK\x03\x04")) return Content::kZip;
  if (head.starts_with("\x1f\x8b")) return Content::kGzip;
  if (is_pickle(head)) return Content::kPickle;
  std::string_view text = head;
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  if (!is_text(text)) return Content::kUnknown;
  if (starts_with_no_case(text, "<!doctype") || starts_with_no_case(text, "<html") || text.starts_with("<?xml"))
    return Content::kHtml;
  if (text.starts_with("{") || text.starts_with("[")) return Content::kJson;
  return text.size() >= 16 ? Content::kText : Content::kUnknown;
}

std::string explain_content(Content content) {
  switch (content) {
    case Content::kEmpty:
      return "the file is empty";
    case Content::kSafetensors:
      return "this is a safetensors file; give it a name that ends in .safetensors";
    case Content::kGguf:
      return "this is a GGUF file; give it a name that ends in .gguf";
    case Content::kLfsPointer:
      return "this is a Git LFS pointer, the weights themselves were not downloaded; run `git lfs pull` in that repository, "
             "or `minke pull`";
    case Content::kPickle:
    case Content::kZip:
      return std::string(kPickleReason);
    case Content::kGzip:
      return "this is a gzip file; decompress it first";
    case Content::kHtml:
      return "this is a web page, probably an error page saved by a download; download the file again";
    case Content::kJson:
      return "this is JSON text, not weights; a failed download leaves such a file";
    case Content::kText:
      return "this is text, not weights; a failed download leaves such a file";
    case Content::kUnknown:
      return "";
  }
  return "";
}

bool has_pickle_name(std::string_view path) {
  for (std::string_view suffix : {".bin", ".pt", ".pth", ".ckpt", ".pkl"}) {
    if (path.ends_with(suffix)) return true;
  }
  return false;
}

}  // namespace minke
