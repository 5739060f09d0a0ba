// Text in columns: widths as a terminal shows them (Korean is two columns wide), cut to fit when asked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace minke::cli {

// Columns that a terminal gives to UTF-8 text; control characters and invalid bytes count 0 and 1.
int display_width(std::string_view text);
// At most `width` columns, the last one "…" when something was cut.
std::string cut_to_width(std::string_view text, int width);

// Control characters as spaces: line breaks and escape sequences in a name would break a table, or the terminal.
std::string one_line(std::string_view text);

struct Column {
  std::string title;
  bool right = false;    // aligned, for numbers
  bool shrinks = false;  // may be cut, down to 8 columns, when the table is too wide
  int drop = 0;          // left out when that was not enough, the highest number first; 0: never
};

// Lines, each with its line break. Rows have a cell for every column. width: columns of the terminal, 0: no limit.
std::string table_text(std::vector<Column> columns, std::vector<std::vector<std::string>> rows, int width);

}  // namespace minke::cli
