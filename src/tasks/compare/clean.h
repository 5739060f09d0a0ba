// One spelling for what LaTeX, Unicode and plain text write in many ways: spacing and sizing commands go, symbols become one
// byte each, text becomes marked. What cannot be read is left for the parser to refuse.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace minke::compare {

// Bytes that no input may hold, so they are free to stand for symbols.
constexpr char kSetOpen = '\x01';   // \{
constexpr char kSetClose = '\x02';  // \}
constexpr char kPlusMinus = '\x03';
constexpr char kMinusPlus = '\x04';
constexpr char kCupSign = '\x05';
constexpr char kInfinitySign = '\x06';
constexpr char kDegree = '\x07';
constexpr char kDollar = '\x08';  // the money
constexpr char kLessEqual = '\x0e';
constexpr char kGreaterEqual = '\x0f';
constexpr char kElement = '\x10';  // \in
constexpr char kTextOpen = '\x11';
constexpr char kTextClose = '\x12';
constexpr char kPi = '\x13';

// None for control bytes and for braces of \text{ that are not closed.
std::optional<std::string> clean(std::string_view text);

// Lower-case words of a cleaned text, single spaces, no text marks, quotes or closing punctuation.
std::string words_of(std::string_view cleaned);

std::string_view trimmed(std::string_view text);

}  // namespace minke::compare
