#include "tasks/compare/units.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include "base/utf8.h"
#include "tasks/compare/clean.h"

namespace minke::compare {
namespace {

using Name = std::pair<std::string_view, std::string_view>;

constexpr std::array kUnits = {Name{"%", "%"},
                               Name{"percent", "%"},
                               Name{"퍼센트", "%"},
                               Name{"\x07", "degree"},
                               Name{"degree", "degree"},
                               Name{"degrees", "degree"},
                               Name{"deg", "degree"},
                               Name{"도", "degree"},
                               Name{"radian", "radian"},
                               Name{"radians", "radian"},
                               Name{"rad", "radian"},
                               Name{"dollar", "dollar"},
                               Name{"dollars", "dollar"},
                               Name{"usd", "dollar"},
                               Name{"달러", "dollar"},
                               Name{"cent", "cent"},
                               Name{"cents", "cent"},
                               Name{"센트", "cent"},
                               Name{"won", "won"},
                               Name{"원", "won"},
                               Name{"euro", "euro"},
                               Name{"euros", "euro"},
                               Name{"mm", "mm"},
                               Name{"밀리미터", "mm"},
                               Name{"cm", "cm"},
                               Name{"centimeter", "cm"},
                               Name{"centimeters", "cm"},
                               Name{"센티미터", "cm"},
                               Name{"m", "m"},
                               Name{"meter", "m"},
                               Name{"meters", "m"},
                               Name{"metre", "m"},
                               Name{"metres", "m"},
                               Name{"미터", "m"},
                               Name{"km", "km"},
                               Name{"kilometer", "km"},
                               Name{"kilometers", "km"},
                               Name{"킬로미터", "km"},
                               Name{"inch", "inch"},
                               Name{"inches", "inch"},
                               Name{"foot", "foot"},
                               Name{"feet", "foot"},
                               Name{"ft", "foot"},
                               Name{"yard", "yard"},
                               Name{"yards", "yard"},
                               Name{"mile", "mile"},
                               Name{"miles", "mile"},
                               Name{"g", "g"},
                               Name{"gram", "g"},
                               Name{"grams", "g"},
                               Name{"그램", "g"},
                               Name{"kg", "kg"},
                               Name{"kilogram", "kg"},
                               Name{"kilograms", "kg"},
                               Name{"킬로그램", "kg"},
                               Name{"ton", "ton"},
                               Name{"tons", "ton"},
                               Name{"톤", "ton"},
                               Name{"pound", "pound"},
                               Name{"pounds", "pound"},
                               Name{"lbs", "pound"},
                               Name{"lb", "pound"},
                               Name{"ounce", "ounce"},
                               Name{"ounces", "ounce"},
                               Name{"oz", "ounce"},
                               Name{"L", "liter"},
                               Name{"l", "liter"},
                               Name{"liter", "liter"},
                               Name{"liters", "liter"},
                               Name{"litre", "liter"},
                               Name{"litres", "liter"},
                               Name{"리터", "liter"},
                               Name{"ml", "ml"},
                               Name{"mL", "ml"},
                               Name{"gallon", "gallon"},
                               Name{"gallons", "gallon"},
                               Name{"cup", "cup"},
                               Name{"cups", "cup"},
                               Name{"s", "second"},
                               Name{"sec", "second"},
                               Name{"second", "second"},
                               Name{"seconds", "second"},
                               Name{"초", "second"},
                               Name{"min", "minute"},
                               Name{"mins", "minute"},
                               Name{"minute", "minute"},
                               Name{"minutes", "minute"},
                               Name{"분", "minute"},
                               Name{"h", "hour"},
                               Name{"hr", "hour"},
                               Name{"hrs", "hour"},
                               Name{"hour", "hour"},
                               Name{"hours", "hour"},
                               Name{"시간", "hour"},
                               Name{"day", "day"},
                               Name{"days", "day"},
                               Name{"일", "day"},
                               Name{"week", "week"},
                               Name{"weeks", "week"},
                               Name{"주", "week"},
                               Name{"month", "month"},
                               Name{"months", "month"},
                               Name{"개월", "month"},
                               Name{"year", "year"},
                               Name{"years", "year"},
                               Name{"년", "year"},
                               Name{"mph", "mile/hour"},
                               Name{"unit", "unit"},
                               Name{"units", "unit"},
                               Name{"people", "person"},
                               Name{"person", "person"},
                               Name{"persons", "person"},
                               Name{"명", "person"},
                               Name{"사람", "person"},
                               Name{"개", "개"},
                               Name{"마리", "마리"},
                               Name{"권", "권"},
                               Name{"살", "year"},
                               Name{"세", "year"},
                               Name{"점", "점"},
                               Name{"번", "번"},
                               Name{"가지", "가지"},
                               Name{"대", "대"},
                               Name{"장", "장"},
                               Name{"송이", "송이"},
                               Name{"그루", "그루"},
                               Name{"병", "병"},
                               Name{"잔", "잔"},
                               Name{"조각", "조각"},
                               Name{"상자", "상자"},
                               Name{"쪽", "쪽"},
                               Name{"페이지", "쪽"},
                               Name{"자루", "자루"},
                               Name{"켤레", "켤레"}};

constexpr std::array kScales = {std::pair<std::string_view, const char*>{"hundred", "100"},
                                std::pair<std::string_view, const char*>{"thousand", "1000"},
                                std::pair<std::string_view, const char*>{"million", "1000000"},
                                std::pair<std::string_view, const char*>{"billion", "1000000000"},
                                std::pair<std::string_view, const char*>{"trillion", "1000000000000"},
                                std::pair<std::string_view, const char*>{"백", "100"},
                                std::pair<std::string_view, const char*>{"천", "1000"},
                                std::pair<std::string_view, const char*>{"만", "10000"},
                                std::pair<std::string_view, const char*>{"억", "100000000"},
                                std::pair<std::string_view, const char*>{"조", "1000000000000"}};

constexpr size_t kMaxUnitBytes = 60;

bool is_word_byte(char c) { return is_ascii_letter(c) || static_cast<unsigned char>(c) >= 0x80; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::optional<std::string> known_unit(std::string_view word) {
  for (const std::string& spelling : {std::string(word), lower(word)}) {
    auto found = std::find_if(kUnits.begin(), kUnits.end(), [&](const Name& row) { return row.first == spelling; });
    if (found != kUnits.end()) return std::string(found->second);
  }
  return std::nullopt;
}

// unit := power ('/' | 'per' | '*')...    power := ['square' | 'cubic'] word ['^' digit | 'squared' | 'cubed']
class UnitParser {
 public:
  explicit UnitParser(std::string_view text) : text_(text) {}

  std::optional<std::string> run() {
    auto unit = power();
    if (unit && (take("/") || take("per "))) {
      auto below = power();
      unit = below ? std::optional(*unit + "/" + *below) : std::nullopt;
    }
    skip();
    return unit && at_ == text_.size() ? unit : std::nullopt;
  }

 private:
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == kTextOpen || text_[at_] == kTextClose)) ++at_;
  }
  bool take(std::string_view what) {
    skip();
    if (!text_.substr(at_).starts_with(what)) return false;
    at_ += what.size();
    return true;
  }

  std::optional<std::string> power() {
    int degree = take("square ") || take("sq ") || take("제곱") ? 2 : take("cubic ") || take("세제곱") ? 3 : 1;
    skip();
    size_t begin = at_;
    if (at_ < text_.size() && (text_[at_] == '%' || text_[at_] == kDegree)) {
      ++at_;
    } else {
      while (at_ < text_.size() && is_word_byte(text_[at_])) ++at_;
    }
    auto unit = known_unit(text_.substr(begin, at_ - begin));
    if (!unit) return std::nullopt;
    if (degree == 1)
      degree = take("^2") || take("^{2}") || take("squared") ? 2 : take("^3") || take("^{3}") || take("cubed") ? 3 : 1;
    return degree == 1 ? *unit : *unit + "^" + std::to_string(degree);
  }

  std::string_view text_;
  size_t at_ = 0;
};

// A unit may begin here: at a word's first byte, a text mark, % or a degree sign.
bool may_begin(std::string_view text, size_t at) {
  char c = text[at];
  if (c == kTextOpen || c == '%' || c == kDegree) return true;
  if (static_cast<unsigned char>(c) >= 0xc0) return true;  // Korean joins its units to what stands before
  return is_ascii_letter(c) && (at == 0 || (!is_word_byte(text[at - 1]) && text[at - 1] != '\\'));
}

bool is_short_variable(std::string_view text, size_t at, ShortUnits short_units) {
  if (!is_ascii_letter(text[at]) || (at + 1 < text.size() && is_word_byte(text[at + 1]))) return false;
  bool spaced = at > 0 && text[at - 1] == ' ';
  return short_units == ShortUnits::kInTextOnly || !spaced;
}

}  // namespace

Measured split_unit(std::string_view cleaned, ShortUnits short_units) {
  Measured out{.number = trimmed(cleaned)};
  if (out.number.starts_with(kDollar)) {
    out.number = trimmed(out.number.substr(1));
    out.unit = "dollar";
  } else if (out.number.starts_with("won ")) {
    out.number = trimmed(out.number.substr(4));
    out.unit = "won";
  }
  const size_t first = out.number.size() > kMaxUnitBytes ? out.number.size() - kMaxUnitBytes : 1;
  for (size_t at = first; at < out.number.size() && out.unit.empty(); ++at) {
    if (!may_begin(out.number, at) || is_short_variable(out.number, at, short_units)) continue;
    auto unit = UnitParser(out.number.substr(at)).run();
    if (!unit) continue;
    out.unit = *unit;
    out.number = trimmed(out.number.substr(0, at));
  }
  for (const auto& [word, value] : kScales) {
    if (!out.number.ends_with(word)) continue;
    std::string_view rest = trimmed(out.number.substr(0, out.number.size() - word.size()));
    if (rest.empty() || rest.back() < '0' || rest.back() > '9') break;
    out.number = rest;
    out.scale = mpz_class(value);
    break;
  }
  return out;
}

}  // namespace minke::compare
