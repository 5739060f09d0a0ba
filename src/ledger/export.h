// Runs and sums as JSON and CSV. Keys and columns are the same, and stay what they are: scripts read them.
#pragma once

#include <string>

#include "base/json.h"
#include "ledger/lineage.h"

namespace minke::ledger {

Json run_json(const Run& run);
Json sum_json(const Sum& sum);

// A heading and one line per run (RFC 4180: lines end in CR LF; text with commas, quotes or line breaks is quoted). Text that
// a spreadsheet would take for a formula gets a ' before it.
std::string runs_csv(const Runs& runs);

}  // namespace minke::ledger
