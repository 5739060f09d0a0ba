// Validation rows: a query, its inputs, what was published, how near the planner must come.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "plan/tables/tables.h"
#include "plan/working.h"

namespace minke::plan {

struct ValidationCheck {
  std::string output, unit;
  double published = 0, computed = 0, tolerance = 0;  // relative; 0: the same to rounding
  double error() const;                               // relative, signed
  bool passes() const;
};

struct ValidationRow {
  std::string id, title, query;
  bool is_gate = true;  // a row that is no gate is shown and never fails
  Source source;
  std::vector<ValidationCheck> checks;
  Working working;
  bool passes() const;
};

// The rows of a TOML file, computed. An error names the line or the row.
Result<std::vector<ValidationRow>> run_validation(std::string_view text, const std::string& where, const Tables& tables);
Result<std::vector<ValidationRow>> run_validation_file(const std::string& path, const Tables& tables);
Result<std::vector<ValidationRow>> run_builtin_validation(const Tables& tables);

// Factors that exactly one row uses: they say nothing that the row did not say itself.
std::vector<std::string> factors_of_one_row(const std::vector<ValidationRow>& rows);

}  // namespace minke::plan
