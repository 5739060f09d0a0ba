// What Python's str does, over UTF-8: positions count code points, white space and case are those of Unicode.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace minke::jinja {

// Text in this folder is valid UTF-8 throughout: it is checked where it enters.
size_t count_chars(std::string_view text);

// The byte offset of a character; text.size() when there are fewer.
size_t byte_offset(std::string_view text, size_t char_index);

std::vector<char32_t> code_points(std::string_view text);
// Each character as its own piece of the text.
std::vector<std::string_view> characters(std::string_view text);

bool is_space(char32_t c);
bool is_printable(char32_t c);
bool is_alpha(char32_t c);
bool is_decimal(char32_t c);
bool is_digit(char32_t c);
bool is_alnum(char32_t c);
bool is_upper(char32_t c);
bool is_lower(char32_t c);
bool is_title(char32_t c);

enum class Side { kLeft, kRight, kBoth };
// Without a set of characters, white space is stripped.
std::string_view strip(std::string_view text, Side side, std::optional<std::string_view> characters_to_strip = std::nullopt);

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string to_title(std::string_view text);     // str.title(): the first letter of each word
std::string capitalized(std::string_view text);  // first letter in title case, the rest lower
std::string swapped_case(std::string_view text);
std::string case_folded(std::string_view text);

// str.splitlines(): \n, \r\n, \r and the other line ends of Unicode; no empty last line.
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);

// str.split() without a separator (runs of white space) and with one; max_splits < 0 is no limit.
std::vector<std::string_view> split_space(std::string_view text, int64_t max_splits);
std::vector<std::string_view> split_space_from_right(std::string_view text, int64_t max_splits);
std::vector<std::string_view> split(std::string_view text, std::string_view separator, int64_t max_splits);
std::vector<std::string_view> split_from_right(std::string_view text, std::string_view separator, int64_t max_splits);

// The first occurrence, in linear time whatever the texts (std::string_view::find is quadratic); npos without one.
size_t find_text(std::string_view text, std::string_view part);

// Non-overlapping occurrences; the empty string occurs before every character and at the end.
size_t count_occurrences(std::string_view text, std::string_view part);
std::string replaced(std::string_view text, std::string_view from, std::string_view to, int64_t max_count);

}  // namespace minke::jinja
