// Rows in, rows out: the shape of every command that compares minke with another implementation. A bad row gives an error
// row and the next one is read.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "base/json.h"

namespace minke::cli {

// Hands every line of `path` ("-" or "": stdin) that is not blank to on_line, with its number from 1. False when Ctrl-C ended
// it.
Result<bool> for_each_line(const std::string& path,
                           const std::function<Status(const std::string& line, size_t number)>& on_line);

// Reads `path` as above; each line is a JSON object handed to `row`, whose result is printed to stdout as one line. An error
// becomes {"error": message}, and every row with an "error" gets the "line" it came from. Output is flushed per row.
// The exit code is 0 even with error rows (they are data), and an error only when the input cannot be read or stdout breaks.
Result<int> run_jsonl(const std::string& path, const std::function<Result<Json>(const Json& row)>& row);

}  // namespace minke::cli
