#include "cli/training/figures_text.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "cli/language.h"

namespace minke::cli {
namespace {

std::string three_digits(double value) {
  return fmt::format("{:.{}f}", value, std::abs(value) < 10 ? 2 : std::abs(value) < 100 ? 1 : 0);
}

}  // namespace

std::string energy_text(double joules, bool estimated) {
  std::string mark = estimated ? "~" : "";
  if (joules < 3600) return mark + three_digits(joules) + " J";
  if (joules < 3.6e6) return mark + three_digits(joules / 3600) + " Wh";
  return mark + three_digits(joules / 3.6e6) + " kWh";
}

std::string energy_text(const ledger::Sum& sum) { return energy_text(sum.energy_j, sum.estimated_energy_j > 0); }

std::string flops_text(double flops) {
  constexpr std::array<const char*, 7> kUnits = {"FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP"};
  size_t unit = 0;
  for (; flops >= 1000 && unit + 1 < kUnits.size(); unit++) flops /= 1000;
  return three_digits(flops) + " " + kUnits[unit];
}

std::string money_text(double amount, const std::string& currency) {
  if (amount == 0) return "0 " + currency;
  int digits = amount < 0.01 ? 6 : amount < 1 ? 4 : amount < 1000 ? 2 : 0;
  return fmt::format("{:.{}f} {}", amount, digits, currency);
}

std::string money_text(const ledger::Run& run) {
  auto money = ledger::money_of(run.facts.rates, run.figures);
  return money ? money_text(*money, run.facts.rates.currency) : "-";
}

std::string money_text(const ledger::Sum& sum) {
  std::string text;
  for (const auto& [currency, amount] : sum.money) text += (text.empty() ? "" : " + ") + money_text(amount, currency);
  return text.empty() ? "-" : text;
}

const char* state_text(ledger::RunState state) {
  switch (state) {
    case ledger::RunState::kRunning:
      return tr("running", "실행 중");
    case ledger::RunState::kFinished:
      return tr("finished", "완료");
    case ledger::RunState::kInterrupted:
      return tr("interrupted", "중단됨");
    case ledger::RunState::kFailed:
      return tr("failed", "실패");
    case ledger::RunState::kKilled:
      return tr("killed", "강제 종료");
  }
  return "";
}

std::string held_out_text(const StepRecord& record) {
  const double loss = record.validation_loss.value_or(0);
  if (!figure_of(record, "accuracy")) return fmt::format("{} {:.4f}", tr("validation loss", "검증 손실"), loss);
  return fmt::format(fmt::runtime(tr("{:.1f} % of held-out problems solved", "따로 둔 문제의 정답률 {:.1f} %")),
                     100 * (1 - loss));
}

}  // namespace minke::cli
