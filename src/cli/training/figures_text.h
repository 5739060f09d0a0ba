// Figures of runs as people read them.
#pragma once

#include <optional>
#include <string>

#include "ledger/lineage.h"
#include "train/report/step_record.h"

namespace minke::cli {

std::string energy_text(double joules, bool estimated);  // "340 J", "~12.3 Wh", "1.20 kWh"; ~ marks an estimate
std::string energy_text(const ledger::Sum& sum);
std::string flops_text(double flops);  // "1.23 PFLOP"
std::string money_text(double amount, const std::string& currency);
// "-" when no rate is configured.
std::string money_text(const ledger::Run& run);
std::string money_text(const ledger::Sum& sum);
const char* state_text(ledger::RunState state);  // in the user's language
// What held-out data said of a step that asked it: a loss, or the share of problems solved where a model learns from its answers.
std::string held_out_text(const StepRecord& record);

}  // namespace minke::cli
