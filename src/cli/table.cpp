#include "cli/table.h"

#include <utf8proc.h>

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "base/utf8.h"

namespace minke::cli {
namespace {

constexpr int kLeastWidth = 8;
constexpr std::string_view kGap = "  ";

std::string padded(std::string text, int width, bool right) {
  std::string space(static_cast<size_t>(std::max(0, width - display_width(text))), ' ');
  return right ? space + text : text + space;
}

std::string without_trailing_space(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::vector<int> natural_widths(const std::vector<Column>& columns, const std::vector<std::vector<std::string>>& rows) {
  std::vector<int> widths;
  for (size_t i = 0; i < columns.size(); i++) {
    int width = display_width(columns[i].title);
    for (const auto& row : rows) width = std::max(width, display_width(row[i]));
    widths.push_back(width);
  }
  return widths;
}

int line_width(const std::vector<int>& widths) {
  return std::accumulate(widths.begin(), widths.end(), static_cast<int>(kGap.size() * (widths.size() - 1)));
}

// The widest of those that may shrink gives a column, until all fits or none is left.
bool shrink_to_fit(std::vector<int>& widths, const std::vector<Column>& columns, int width) {
  for (int excess = line_width(widths) - width; excess > 0; excess--) {
    int* widest = nullptr;
    for (size_t i = 0; i < columns.size(); i++) {
      bool shrinks = columns[i].shrinks && widths[i] > kLeastWidth;
      if (shrinks && (widest == nullptr || widths[i] > *widest)) widest = &widths[i];
    }
    if (widest == nullptr) return false;
    --*widest;
  }
  return true;
}

// False when none may go.
bool drop_column(std::vector<Column>& columns, std::vector<std::vector<std::string>>& rows) {
  auto last =
      std::max_element(columns.begin(), columns.end(), [](const Column& a, const Column& b) { return a.drop < b.drop; });
  if (last->drop == 0) return false;
  auto index = last - columns.begin();
  columns.erase(last);
  for (auto& row : rows) row.erase(row.begin() + index);
  return true;
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    Utf8Step step = utf8_decode(text, i);
    bool is_control = step.code_point < 0x20 || (step.code_point >= 0x7f && step.code_point < 0xa0);
    utf8_append(out, is_control ? U' ' : step.code_point);
    i += step.n_bytes;
  }
  return out;
}

int display_width(std::string_view text) {
  int width = 0;
  for (size_t i = 0; i < text.size();) {
    Utf8Step step = utf8_decode(text, i);
    width += utf8proc_charwidth(static_cast<utf8proc_int32_t>(step.code_point));
    i += step.n_bytes;
  }
  return width;
}

std::string cut_to_width(std::string_view text, int width) {
  if (display_width(text) <= width) return std::string(text);
  int used = 0;
  size_t i = 0;
  while (i < text.size()) {
    Utf8Step step = utf8_decode(text, i);
    used += utf8proc_charwidth(static_cast<utf8proc_int32_t>(step.code_point));
    if (used > width - 1) break;
    i += step.n_bytes;
  }
  return std::string(text.substr(0, i)) + (width > 0 ? "…" : "");
}

std::string table_text(std::vector<Column> columns, std::vector<std::vector<std::string>> rows, int width) {
  for (auto& row : rows) {
    CHECK(row.size() == columns.size(), "{} cells for {} columns", row.size(), columns.size());
    for (std::string& cell : row) cell = one_line(cell);
  }
  std::vector<int> widths = natural_widths(columns, rows);
  while (width > 0 && !shrink_to_fit(widths, columns, width) && drop_column(columns, rows)) {
    widths = natural_widths(columns, rows);
  }
  std::vector<std::string> titles;
  for (const Column& column : columns) titles.push_back(column.title);
  rows.insert(rows.begin(), std::move(titles));
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < columns.size(); i++) {
      if (i > 0) line += kGap;
      line += padded(cut_to_width(row[i], widths[i]), widths[i], columns[i].right);
    }
    text += without_trailing_space(std::move(line)) + "\n";
  }
  return text;
}

}  // namespace minke::cli
