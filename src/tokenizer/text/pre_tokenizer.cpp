#include "tokenizer/text/pre_tokenizer.h"

#include <algorithm>

#include "base/utf8.h"

namespace minke {


const char* const kGpt2Pattern = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

namespace {

// The classes that the Rust library's own pre-tokenizers use, in PCRE2's language.
constexpr const char* kNumeric = "\\p{N}";
constexpr const char* kPunctuation = "[!-/:-@\\[-`{-~\\p{P}]";
constexpr const char* kWordOrSymbols =
    "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200C}\\x{200D}]+|"
    "[^\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200C}\\x{200D}\\p{White_Space}]+";
constexpr const char* kWhiteSpace = "\\p{White_Space}";

std::shared_ptr<const Pattern> own_pattern(const char* pcre2) {
  return std::make_shared<const Pattern>(Pattern::compile_pcre2(pcre2));
}

// A part of a piece: a match of the pattern or what lies between two matches.
struct Part {
  Span span;
  bool match;
};

// Turns parts into pieces as the behavior says.
void arrange(const std::vector<Part>& parts, SplitBehavior behavior, std::vector<Span>& out) {
  bool previous = false;
  switch (behavior) {
    case SplitBehavior::kIsolated:
      for (const Part& part : parts) out.push_back(part.span);
      return;
    case SplitBehavior::kRemoved:
      for (const Part& part : parts) {
        if (!part.match) out.push_back(part.span);
      }
      return;
    case SplitBehavior::kContiguous:
      for (size_t i = 0; i < parts.size(); i++) {
        if (i > 0 && parts[i].match == previous) {
          out.back().end = parts[i].span.end;
        } else {
          out.push_back(parts[i].span);
        }
        previous = parts[i].match;
      }
      return;
    case SplitBehavior::kMergedWithPrevious:
      for (size_t i = 0; i < parts.size(); i++) {
        if (i > 0 && parts[i].match && !previous) {
          out.back().end = parts[i].span.end;
        } else {
          out.push_back(parts[i].span);
        }
        previous = parts[i].match;
      }
      return;
    case SplitBehavior::kMergedWithNext: {
      size_t first = out.size();
      for (size_t i = parts.size(); i-- > 0;) {
        if (i + 1 < parts.size() && parts[i].match && !previous) {
          out.back().begin = parts[i].span.begin;
        } else {
          out.push_back(parts[i].span);
        }
        previous = parts[i].match;
      }
      std::reverse(out.begin() + static_cast<ptrdiff_t>(first), out.end());
      return;
    }
  }
}

}  // namespace

Result<PreTokenizer::Step> PreTokenizer::compile_step(const PreTokenizerStep& spec) {
  Step step{spec, nullptr, spec.behavior, spec.invert};
  auto compiled = [&](const TextPattern& source) -> Status {
    Pattern pattern = TRY(Pattern::compile(source));
    step.pattern = std::make_shared<const Pattern>(std::move(pattern));
    return {};
  };
  switch (spec.kind) {
    case PreTokenizerStep::Kind::kSplit:
      TRY(compiled(spec.pattern));
      break;
    case PreTokenizerStep::Kind::kByteLevel:
      if (spec.use_regex) TRY(compiled({true, kGpt2Pattern}));
      step.behavior = SplitBehavior::kIsolated;
      break;
    case PreTokenizerStep::Kind::kMetaspace:
      if (spec.split) TRY(compiled({false, spec.replacement}));
      step.behavior = SplitBehavior::kMergedWithNext;
      break;
    case PreTokenizerStep::Kind::kDigits:
      step.pattern = own_pattern(kNumeric);
      step.behavior = spec.individual_digits ? SplitBehavior::kIsolated : SplitBehavior::kContiguous;
      break;
    case PreTokenizerStep::Kind::kPunctuation:
      step.pattern = own_pattern(kPunctuation);
      break;
    case PreTokenizerStep::Kind::kWhitespace:
      step.pattern = own_pattern(kWordOrSymbols);
      step.behavior = SplitBehavior::kRemoved;
      step.invert = true;
      break;
    case PreTokenizerStep::Kind::kWhitespaceSplit:
      step.pattern = own_pattern(kWhiteSpace);
      step.behavior = SplitBehavior::kRemoved;
      break;
  }
  return step;
}

Result<PreTokenizer> PreTokenizer::compile(const std::vector<PreTokenizerStep>& steps) {
  PreTokenizer pre_tokenizer;
  for (const PreTokenizerStep& spec : steps) {
    Step step = TRY(compile_step(spec));
    pre_tokenizer.steps_.push_back(std::move(step));
  }
  return pre_tokenizer;
}

Status PreTokenizer::apply(Pieces& pieces, bool at_start, PatternScratch& scratch) const {
  std::vector<Span> next;
  for (const Step& step : steps_) {
    rewrite(step.spec, pieces, at_start);
    if (step.pattern == nullptr) continue;
    next.clear();
    next.reserve(pieces.spans.size() * 2);
    for (Span piece : pieces.spans) TRY(split(step, pieces.text, piece, next, scratch));
    std::swap(pieces.spans, next);
  }
  return {};
}

Status PreTokenizer::split(const Step& step, std::string_view text, Span piece, std::vector<Span>& out,
                           PatternScratch& scratch) {
  // The pattern sees the piece alone: its ends are the ends of the text for look-around and anchors.
  std::string_view subject = text.substr(piece.begin, piece.end - piece.begin);
  bool isolated = step.behavior == SplitBehavior::kIsolated;
  std::vector<Part> parts;
  auto add = [&](size_t begin, size_t end, bool match) {
    if (isolated) {
      if (begin < end) out.push_back({piece.begin + begin, piece.begin + end});
    } else {
      parts.push_back({{piece.begin + begin, piece.begin + end}, match != step.invert});
    }
  };
  size_t done = 0;
  bool matched_before = false;
  for (size_t search = 0; search < subject.size();) {
    Span match{};
    Pattern::Found found = step.pattern->find(scratch, subject, search, match);
    if (found == Pattern::Found::kError) return error("{}", step.pattern->error_text(scratch));
    if (found == Pattern::Found::kNo) break;
    if (match.begin == match.end && matched_before && match.end == done) {  // empty, right behind the last match
      search += utf8_decode(subject, search).n_bytes;
      continue;
    }
    if (done < match.begin) add(done, match.begin, false);
    add(match.begin, match.end, true);
    done = search = match.end;
    matched_before = true;
  }
  if (done < subject.size()) add(done, subject.size(), false);
  if (!isolated) {
    auto first = static_cast<ptrdiff_t>(out.size());
    arrange(parts, step.behavior, out);
    out.erase(std::remove_if(out.begin() + first, out.end(), [](Span span) { return span.begin == span.end; }), out.end());
  }
  return {};
}

void PreTokenizer::rewrite(const PreTokenizerStep& spec, Pieces& pieces, bool at_start) {
  bool byte_level = spec.kind == PreTokenizerStep::Kind::kByteLevel && spec.add_prefix_space;
  if (!byte_level && spec.kind != PreTokenizerStep::Kind::kMetaspace) return;
  std::string_view mark = byte_level ? std::string_view(" ") : std::string_view(spec.replacement);
  Pieces out;
  out.text.reserve(pieces.text.size() + 8);
  for (size_t i = 0; i < pieces.spans.size(); i++) {
    auto [begin, end] = pieces.spans[i];
    size_t out_begin = out.text.size();
    std::string_view piece = std::string_view(pieces.text).substr(begin, end - begin);
    bool has_mark = piece.starts_with(mark) || piece.starts_with(' ');
    bool wanted =
        byte_level || spec.prepend == PrependScheme::kAlways || (spec.prepend == PrependScheme::kFirst && at_start && i == 0);
    if (wanted && !has_mark) out.text += mark;
    for (char c : piece) {
      if (c == ' ') {
        out.text += mark;
      } else {
        out.text += c;
      }
    }
    out.spans.push_back({out_begin, out.text.size()});
  }
  pieces = std::move(out);
}

}  // namespace minke
