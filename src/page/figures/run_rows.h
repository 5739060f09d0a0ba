// Rows of a run's log.jsonl, which may be long and be growing: looked for by bisection, because steps rise from line to line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/json.h"

namespace minke::page {

// The rows of later steps, as the text of a JSON list. A line that is not whole yet, or no row, is left out. A missing file has
// no rows.
Result<std::string> rows_after(const std::string& path, int64_t step);

// The last row; none when there is none.
std::optional<Json> last_row(const std::string& path);

}  // namespace minke::page
