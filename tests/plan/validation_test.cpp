// The published numbers: every gate row within its tolerance, and no factor that serves one row only.
#include "plan/query/validation.h"

#include <gtest/gtest.h>

#include <set>

namespace minke::plan {
namespace {

std::vector<ValidationRow> builtin_rows() {
  auto rows = run_builtin_validation(Tables::builtin());
  EXPECT_TRUE(rows.has_value()) << (rows ? "" : rows.error().message);
  return rows ? *rows : std::vector<ValidationRow>{};
}

TEST(Validation, EveryGateRowIsWithinItsTolerance) {
  for (const ValidationRow& row : builtin_rows()) {
    for (const ValidationCheck& check : row.checks) {
      EXPECT_TRUE(check.passes() || !row.is_gate)
          << row.id << " " << row.title << ": " << check.output << " published " << check.published << " computed "
          << check.computed << " error " << check.error() << " tolerance " << check.tolerance;
    }
  }
}

// The rows of the research that the planner was asked to reproduce, by number.
TEST(Validation, AllFifteenRowsAreThereAndGate) {
  std::set<std::string> numbers;
  for (const ValidationRow& row : builtin_rows()) {
    if (row.id.starts_with("D") && row.is_gate) {
      std::string number = row.id.substr(1);
      while (!number.empty() && std::isalpha(static_cast<unsigned char>(number.back()))) number.pop_back();
      numbers.insert(number);
    }
  }
  EXPECT_EQ(numbers.size(), 15u);
}

TEST(Validation, NoFactorServesOneRowOnly) { EXPECT_EQ(factors_of_one_row(builtin_rows()), std::vector<std::string>{}); }

}  // namespace
}  // namespace minke::plan
