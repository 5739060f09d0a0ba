#include "tokenizer/text/normalizer.h"

#include <utf8proc.h>

#include <algorithm>

#include "base/check.h"
#include "base/utf8.h"
#include "tokenizer/text/unicode.h"

namespace minke {
namespace {

using Kind = NormalizerStep::Kind;

// Characters that are in every normal form they could be asked for and never combine with a neighbour: enough of them that
// ordinary English, Korean, Japanese, Chinese and code is not decomposed and composed again. NFC only.
bool surely_nfc(char32_t c) {
  return c < 0x300 || (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x3041 && c <= 0x3098) || (c >= 0x30A1 && c <= 0x30FA) || (c >= 0x400 && c <= 0x482) ||
         (c >= 0x2010 && c <= 0x2027) || (c >= 0x3001 && c <= 0x3029) || (c >= 0xFF01 && c <= 0xFF9D) ||
         (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x2190 && c <= 0x21AD);
}

bool needs_no_work(std::string_view text, Kind form) {
  for (size_t pos = 0; pos < text.size();) {
    Utf8Step step = utf8_decode(text, pos);
    if (form == Kind::kNfc ? !surely_nfc(step.code_point) : step.code_point >= 0x80) return false;
    pos += step.n_bytes;
  }
  return true;
}

// Decomposed code points in canonical order. utf8proc_map sorts combining marks by exchanging neighbours, which is quadratic
// in a long run of them; a stable sort of each run is the same order.
std::vector<utf8proc_int32_t> decompose(std::string_view text, bool compat) {
  auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (compat ? UTF8PROC_COMPAT : 0));
  std::vector<utf8proc_int32_t> out;
  out.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) {
    Utf8Step step = utf8_decode(text, pos);
    pos += step.n_bytes;
    utf8proc_int32_t buffer[32];  // the longest decomposition has 18 code points
    int boundclass = 0;
    utf8proc_ssize_t n =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(step.code_point), buffer, 32, options, &boundclass);
    CHECK(n >= 0 && n <= 32, "decomposition of U+{:X}: {}", static_cast<uint32_t>(step.code_point), n);
    out.insert(out.end(), buffer, buffer + n);
  }
  auto combining_class = [](utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; };
  for (size_t i = 0; i < out.size();) {
    if (combining_class(out[i]) == 0) {
      i++;
      continue;
    }
    size_t end = i;
    while (end < out.size() && combining_class(out[end]) != 0) end++;
    std::stable_sort(out.begin() + static_cast<ptrdiff_t>(i), out.begin() + static_cast<ptrdiff_t>(end),
                     [&](auto a, auto b) { return combining_class(a) < combining_class(b); });
    i = end;
  }
  return out;
}

std::string lower_case(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) {
    Utf8Step step = utf8_decode(text, pos);
    pos += step.n_bytes;
    utf8_append(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(step.code_point))));
    // The one character whose lower case is two code points.
    if (step.code_point == 0x130) out.replace(out.size() - 1, 1, "i\u0307");
  }
  return out;
}

std::string_view strip(std::string_view text, bool left, bool right) {
  while (left && !text.empty()) {
    Utf8Step step = utf8_decode(text, 0);
    if (!is_white_space(step.code_point)) break;
    text.remove_prefix(step.n_bytes);
  }
  while (right && !text.empty()) {
    size_t start = text.size() - 1;
    while (start > 0 && (static_cast<uint8_t>(text[start]) & 0xC0) == 0x80) start--;
    if (!is_white_space(utf8_decode(text, start).code_point)) break;
    text = text.substr(0, start);
  }
  return text;
}

Status replace(std::string& text, const Pattern& pattern, std::string_view content, PatternScratch& scratch) {
  std::string out;
  size_t from = 0;
  for (size_t search = 0; search <= text.size() && !text.empty();) {
    Span match{};
    Pattern::Found found = pattern.find(scratch, text, search, match);
    if (found == Pattern::Found::kError) return error("{}", pattern.error_text(scratch));
    if (found == Pattern::Found::kNo) break;
    out.append(text, from, match.begin - from);
    out += content;
    from = match.end;
    search = match.end;
    if (match.begin == match.end) {  // an empty match: go on behind the next character
      if (match.end >= text.size()) break;
      search += utf8_decode(text, match.end).n_bytes;
    }
  }
  if (from == 0 && out.empty()) return {};
  out.append(text, from);
  text = std::move(out);
  return {};
}

}  // namespace

std::string unicode_normalize(std::string_view text, Kind form) {
  if (needs_no_work(text, form)) return std::string(text);
  bool compat = form == Kind::kNfkc || form == Kind::kNfkd;
  std::vector<utf8proc_int32_t> points = decompose(text, compat);
  auto n = static_cast<utf8proc_ssize_t>(points.size());
  if (form == Kind::kNfc || form == Kind::kNfkc) {
    n = utf8proc_normalize_utf32(points.data(), n, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    CHECK(n >= 0, "composition: {}", n);
  }
  std::string out;
  out.reserve(text.size());
  for (utf8proc_ssize_t i = 0; i < n; i++) utf8_append(out, static_cast<char32_t>(points[static_cast<size_t>(i)]));
  return out;
}

Result<Normalizer> Normalizer::compile(const std::vector<NormalizerStep>& steps) {
  Normalizer normalizer;
  for (const NormalizerStep& spec : steps) {
    Step step{spec, nullptr};
    if (spec.kind == Kind::kReplace) {
      Pattern pattern = TRY(Pattern::compile(spec.pattern));
      step.pattern = std::make_shared<const Pattern>(std::move(pattern));
    }
    normalizer.steps_.push_back(std::move(step));
  }
  return normalizer;
}

Status Normalizer::apply(std::string& text, PatternScratch& scratch) const {
  for (const Step& step : steps_) {
    switch (step.spec.kind) {
      case Kind::kNfc:
      case Kind::kNfd:
      case Kind::kNfkc:
      case Kind::kNfkd:
        text = unicode_normalize(text, step.spec.kind);
        break;
      case Kind::kLowercase:
        text = lower_case(text);
        break;
      case Kind::kStrip:
        text = std::string(strip(text, step.spec.left, step.spec.right));
        break;
      case Kind::kPrepend:
        if (!text.empty()) text.insert(0, step.spec.content);
        break;
      case Kind::kReplace:
        TRY(replace(text, *step.pattern, step.spec.content, scratch));
        break;
    }
  }
  return {};
}

}  // namespace minke
