// The ledger and the training runs as the page reads them.
#pragma once

#include <cstdint>
#include <string>

#include "page/outcome.h"

namespace minke::page {

// Each with the path of the ledger, which may not exist yet.
Outcome<std::string> ledger_text(const std::string& path);
Outcome<std::string> runs_text(const std::string& path);
Outcome<std::string> run_log_text(const std::string& path, const std::string& id, int64_t after_step);

}  // namespace minke::page
