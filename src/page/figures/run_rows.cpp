#include "page/figures/run_rows.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

namespace minke::page {
namespace {

constexpr std::streamoff kScannedBytes = 64 << 10;  // below this, reading on is faster than another seek
constexpr std::streamoff kLastBytes[] = {64 << 10, 16 << 20};  // rows with samples are long, others short
constexpr std::streamoff kMaxReplyBytes = std::streamoff{256} << 20;

std::optional<Json> row_of(const std::string& line) {
  auto row = parse_json(line, "row");
  if (!row || !row->is_object()) return std::nullopt;
  const auto step = row->find("step");
  if (step == row->end() || !step->is_number_integer()) return std::nullopt;
  return std::move(*row);
}

std::optional<int64_t> step_of(const std::string& line) {
  const auto row = row_of(line);
  return row ? std::optional(row->find("step")->get<int64_t>()) : std::nullopt;
}

std::streamoff size_of(std::ifstream& file) {
  file.seekg(0, std::ios::end);
  return file.tellg();
}

// An offset at or before the first row of a later step.
std::streamoff start_of_later(std::ifstream& file, int64_t step) {
  std::streamoff low = 0, high = size_of(file);
  std::string line;
  while (high - low > kScannedBytes) {
    file.clear();
    file.seekg(low + (high - low) / 2);
    std::getline(file, line);  // the rest of a line that began before
    const std::streamoff start = file.tellg();
    if (!file || start >= high || !std::getline(file, line)) break;
    const auto found = step_of(line);
    if (!found) break;
    (*found > step ? high : low) = start;
  }
  return low;
}

// Whole lines from the offset on; false ends it.
template <typename Visit>
void each_line(std::ifstream& file, std::streamoff from, Visit&& visit) {
  file.clear();
  file.seekg(from);
  std::string line;
  while (std::getline(file, line) && !file.eof() && visit(line)) {
  }
}

}  // namespace

Result<std::string> rows_after(const std::string& path, int64_t step) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::string("[]");
  const std::streamoff from = start_of_later(file, step);
  const std::streamoff n_bytes = size_of(file) - from;
  if (n_bytes > kMaxReplyBytes)
    return error("{}: {} bytes of rows after step {}, expected at most {}: ask for later ones", path, n_bytes, step,
                 kMaxReplyBytes);
  std::string text = "[";
  each_line(file, from, [&](const std::string& line) {
    const auto found = step_of(line);
    if (!found || *found <= step) return true;
    if (text.size() > 1) text += ',';
    text += line;
    return true;
  });
  return text + "]";
}

std::optional<Json> last_row(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  const std::streamoff n_bytes = size_of(file);
  for (const std::streamoff n_last : kLastBytes) {
    std::string text;
    each_line(file, std::max<std::streamoff>(0, n_bytes - n_last), [&](const std::string& line) {
      text = line;  // the first may be the end of a line; then another one follows it
      return true;
    });
    if (auto row = row_of(text)) return row;
  }
  return std::nullopt;
}

}  // namespace minke::page
