#include "constrain/guard/language_lock.h"

#include <utf8proc.h>

#include <algorithm>

#include "format/quote.h"

namespace minke::constrain {
namespace {

enum Script : unsigned {
  kLatin = 1u << 0,
  kGreek = 1u << 1,
  kCyrillic = 1u << 2,
  kHangul = 1u << 3,
  kHan = 1u << 4,
  kKana = 1u << 5,
  kArabic = 1u << 6,
  kHebrew = 1u << 7,
  kDevanagari = 1u << 8,
  kBengali = 1u << 9,
  kThai = 1u << 10,
  kBopomofo = 1u << 11,
};

struct ScriptRange {
  unsigned script;
  char32_t first, last;
};

constexpr ScriptRange kScripts[] = {
    {kLatin, 'A', 0x24F},          {kLatin, 0x250, 0x2AF},      {kLatin, 0x1D00, 0x1D25},    {kLatin, 0x1D2C, 0x1D5C},
    {kLatin, 0x1D62, 0x1D65},      {kLatin, 0x1D6B, 0x1DBF},    {kLatin, 0x1E00, 0x1EFF},    {kLatin, 0x2071, 0x209C},
    {kLatin, 0x2C60, 0x2C7F},      {kLatin, 0xA722, 0xA7FF},    {kLatin, 0xAB30, 0xAB64},    {kLatin, 0xFB00, 0xFB06},
    {kLatin, 0xFF21, 0xFF5A},      {kGreek, 0x370, 0x3FF},      {kGreek, 0x1F00, 0x1FFF},    {kCyrillic, 0x400, 0x52F},
    {kCyrillic, 0x1C80, 0x1C8F},   {kCyrillic, 0x2DE0, 0x2DFF}, {kCyrillic, 0xA640, 0xA69F}, {kHangul, 0x1100, 0x11FF},
    {kHangul, 0x3131, 0x318E},     {kHangul, 0xA960, 0xA97F},   {kHangul, 0xAC00, 0xD7A3},   {kHangul, 0xD7B0, 0xD7FF},
    {kHangul, 0xFFA0, 0xFFDC},     {kHan, 0x3005, 0x3007},      {kHan, 0x3021, 0x303B},      {kHan, 0x3400, 0x4DBF},
    {kHan, 0x4E00, 0x9FFF},        {kHan, 0xF900, 0xFAFF},      {kHan, 0x20000, 0x323AF},    {kKana, 0x3031, 0x3035},
    {kKana, 0x3041, 0x30FF},       {kKana, 0x31F0, 0x31FF},     {kKana, 0xFF66, 0xFF9F},     {kKana, 0x1B000, 0x1B16F},
    {kArabic, 0x600, 0x6FF},       {kArabic, 0x750, 0x77F},     {kArabic, 0x870, 0x8FF},     {kArabic, 0xFB50, 0xFDFF},
    {kArabic, 0xFE70, 0xFEFF},     {kHebrew, 0x590, 0x5FF},     {kHebrew, 0xFB1D, 0xFB4F},   {kDevanagari, 0x900, 0x97F},
    {kDevanagari, 0xA8E0, 0xA8FF}, {kBengali, 0x980, 0x9FF},    {kThai, 0xE00, 0xE7F},       {kBopomofo, 0x3105, 0x312F},
    {kBopomofo, 0x31A0, 0x31BF},
};

// Letters that belong to no script: modifiers, letter-like symbols (ℝ, ℓ), mathematical alphabets.
constexpr CodePointRange kCommonLetters[] = {{0x2B0, 0x2FF}, {0x2100, 0x214F}, {0x1D400, 0x1D7FF}, {0x1EE00, 0x1EEFF}};

struct Language {
  std::string_view code;
  unsigned scripts;
};
constexpr Language kLanguages[] = {
    {"ar", kArabic}, {"bg", kCyrillic},        {"bn", kBengali}, {"cs", kLatin},  {"da", kLatin}, {"de", kLatin},
    {"el", kGreek},  {"en", kLatin},           {"es", kLatin},   {"fa", kArabic}, {"fi", kLatin}, {"fr", kLatin},
    {"he", kHebrew}, {"hi", kDevanagari},      {"hu", kLatin},   {"id", kLatin},  {"it", kLatin}, {"ja", kHan | kKana},
    {"ko", kHangul}, {"ms", kLatin},           {"nl", kLatin},   {"no", kLatin},  {"pl", kLatin}, {"pt", kLatin},
    {"ro", kLatin},  {"ru", kCyrillic},        {"sv", kLatin},   {"th", kThai},   {"tr", kLatin}, {"uk", kCyrillic},
    {"vi", kLatin},  {"zh", kHan | kBopomofo},
};

bool is_letter(char32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string language_codes() {
  std::string codes;
  for (const Language& language : kLanguages) codes += (codes.empty() ? "" : ", ") + std::string(language.code);
  return codes;
}

Result<CodePointSet> language_characters(std::string_view languages) {
  unsigned scripts = kLatin | kGreek;
  for (size_t begin = 0; begin <= languages.size();) {
    size_t end = std::min(languages.find(',', begin), languages.size());
    std::string_view code = languages.substr(begin, end - begin);
    bool is_known = false;
    for (const Language& language : kLanguages) {
      if (language.code != code) continue;
      scripts |= language.scripts;
      is_known = true;
    }
    if (!is_known) return error("language {} is not known; known are {}", quote_name(code), language_codes());
    begin = end + 1;
  }
  CodePointSet ours;
  for (const ScriptRange& range : kScripts) {
    if (range.script & scripts) ours.add(range.first, range.last);
  }
  for (CodePointRange range : kCommonLetters) ours.add(range.first, range.last);
  CodePointSet allowed;
  char32_t begin = 0;  // of the run of allowed code points that is open
  for (char32_t c = 0; c <= kMaxCodePoint + 1; c++) {
    bool is_in = c <= kMaxCodePoint && (!is_letter(c) || ours.contains(c));
    if (is_in) continue;
    if (begin < c) allowed.add(begin, c - 1);
    begin = c + 1;
  }
  return allowed;
}

Result<RuleId> language_text(Expressions& expressions, std::string_view languages) {
  CodePointSet characters = TRY(language_characters(languages));
  RuleId root = expressions.declare("text in " + std::string(languages));
  expressions.define(root, expressions.repeat(expressions.chars(std::move(characters)), 0, kUnbounded));
  return root;
}

Result<std::shared_ptr<const Grammar>> compile_language_lock(std::string_view languages) {
  Expressions expressions;
  RuleId root = TRY(language_text(expressions, languages));
  return Grammar::compile(expressions, root);
}

}  // namespace minke::constrain
