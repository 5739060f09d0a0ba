#include "cli/pipeline/model_card.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/terminal.h"
#include "cli/training/figures_text.h"
#include "model/weights.h"

namespace minke::cli {
namespace {

constexpr double kSurely = 0.001;     // p below which a difference between two models is told
constexpr double kCannotBelow = 0.5;  // share of right answers

std::string percent(double share) { return fmt::format("{:.1f}", 100 * share); }

std::string with_interval(const EvalSummary& s) {
  return fmt::format("{} ({} - {})", percent(s.accuracy), percent(s.interval.low), percent(s.interval.high));
}

bool speaks_korean(const Card& card) {
  return std::ranges::any_of(card.evals.models[card.row].groups,
                             [](const EvaluatedGroup& group) { return group.summary.group.ends_with(" ko"); });
}

std::string head_of(const Card& card) {
  const ParameterCount n = count_parameters(card.config);
  std::string text = fmt::format("---\nlanguage: [{}]\nlicense: mit\nlibrary_name: minke\n---\n\n# {}\n\n",
                                 speaks_korean(card) ? "en, ko" : "en", card.title);
  text += fmt::format("{} parameters, of which {} work on a token", count_text(n.total()), count_text(n.active));
  if (card.config.moe.n_routed_experts > 0) {
    text += fmt::format(": a mixture of {} experts a layer ({} chosen, {} shared)", card.config.moe.n_routed_experts,
                        card.config.moe.n_experts_per_token, card.config.moe.n_shared_experts);
  }
  if (card.config.attention == AttentionKind::kMla) text += ", latent attention";
  if (n.mtp > 0) text += fmt::format(", and a module that predicts one token more ({} parameters besides)", count_text(n.mtp));
  text += fmt::format(
      ". Architecture `{}`, {} layers, width {}, vocabulary {}; {} of weights. It was made from random numbers by the stages "
      "below and nothing else: no other model, no text that was not made by a program of this repository.\n\n",
      card.config.architecture, card.config.n_layers, card.config.hidden_size, card.config.vocab_size,
      bytes_text(card.n_bytes));
  return text;
}

// In the double quotes of a shell.
std::string in_quotes(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\' || c == '$' || c == '`') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string questions_of(const Card& card) {
  if (card.questions.empty()) return "";
  std::string text = "## Ask it\n\n```\n";
  for (const std::string& question : card.questions) text += fmt::format("./minke run {} {}\n", card.name, in_quotes(question));
  return text + "```\n\n";
}

std::string cost_row(const std::string& name, const std::string& kind, const std::string& outcome, const ledger::Sum& cost) {
  return fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", name, kind, outcome,
                     cost.tokens > 0 ? count_text(cost.tokens) : "", cost.flops > 0 ? flops_text(cost.flops) : "",
                     seconds_text(cost.wall_s), energy_text(cost));
}

void add(ledger::Sum& sum, const ledger::Sum& more) {
  sum.tokens += more.tokens;
  sum.flops += more.flops;
  sum.wall_s += more.wall_s;
  sum.cpu_s += more.cpu_s;
  sum.energy_j += more.energy_j;
  sum.estimated_energy_j += more.estimated_energy_j;
  for (const auto& [currency, amount] : more.money) sum.money[currency] += amount;
  sum.n_unpriced += more.n_unpriced;
}

std::string stages_of(const Card& card) {
  std::string text =
      "## How it was made, and what that cost\n\n| stage | kind | outcome | tokens | operations | time | energy |\n"
      "|---|---|---|---|---|---|---|\n";
  ledger::Sum total;
  for (const CardStage& stage : card.stages) {
    text += cost_row(stage.name, stage.kind, stage.outcome, stage.cost);
    add(total, stage.cost);
  }
  text += cost_row("**all**", "", "", total);
  text += fmt::format(
      "\nOn {}, as the ledger has it: runs that were interrupted count whole. `~` marks energy that is estimated from the "
      "processor's time, not measured.",
      card.cpu);
  if (!total.money.empty()) text += fmt::format(" At the price that was set: {}.", money_text(total));
  return text + fmt::format(" Made by minke {}.\n\n", card.commit);
}

std::string evals_of(const Card& card) {
  const std::vector<EvaluatedModel>& models = card.evals.models;
  std::string text = fmt::format(
      "## What it can do\n\nShare of right answers in %, greedy, on problems that no stage has seen (eval split, seed {}); of "
      "the last model with the 95 % interval (Wilson).{}\n\n| task | problems |",
      card.evals.seed, speaks_korean(card) ? " ko: question, thought and answer are Korean." : "");
  std::string line = "|---|---|";
  for (const EvaluatedModel& model : models) {
    text += fmt::format(" {} |", model.name);
    line += "---|";
  }
  text += " tokens |\n" + line + "---|\n";
  for (const EvaluatedGroup& group : models[card.row].groups) {
    text += fmt::format("| {} | {} |", group.summary.group, group.summary.n_problems);
    for (size_t i = 0; i < models.size(); i++) {
      const EvaluatedGroup* of = models[i].find(group.summary.group);
      text += fmt::format(" {} |", of == nullptr   ? ""
                                   : i == card.row ? with_interval(of->summary)
                                                   : percent(of->summary.accuracy));
    }
    text += fmt::format(" {:.0f} |\n", group.summary.tokens);
  }
  return text + "\n";
}

// Differences between neighbours on the way to the card's model that chance does not explain.
std::string changes_of(const Card& card) {
  const std::vector<EvaluatedModel>& models = card.evals.models;
  std::string text;
  for (size_t i = 1; i <= card.row; i++) {
    for (const EvaluatedGroup& after : models[i].groups) {
      const EvaluatedGroup* before = models[i - 1].find(after.summary.group);
      if (before == nullptr || before->right.size() != after.right.size()) continue;
      const PairedComparison paired = compare_paired(*before, after);
      if (paired.p >= kSurely) continue;
      text += fmt::format("| {} to {} | {} | {} | {} | {:+.1f} | {:.1g} |\n", models[i - 1].name, models[i].name,
                          after.summary.group, percent(before->summary.accuracy), percent(after.summary.accuracy),
                          100 * (after.summary.accuracy - before->summary.accuracy), paired.p);
    }
  }
  if (text.empty()) return "";
  return "## What each step changed\n\nThe same problems before and after, where chance does not explain the difference "
         "(McNemar's exact test, p below 0.001).\n\n| step | task | before | after | points | p "
         "|\n|---|---|---|---|---|---|\n" +
         text + "\n";
}

std::string limits_of(const Card& card) {
  std::string weak;
  for (const EvaluatedGroup& group : card.evals.models[card.row].groups) {
    if (group.summary.accuracy >= kCannotBelow) continue;
    weak += fmt::format("{}{} ({} %)", weak.empty() ? "" : ", ", group.summary.group, percent(group.summary.accuracy));
  }
  std::string text = "## What it cannot do\n\n";
  if (!weak.empty()) text += fmt::format("It answers fewer than half right of: {}.\n\n", weak);
  for (const std::string& note : card.notes) text += note + "\n\n";
  return text;
}

std::string curves_of(const Card& card) {
  std::string text;
  for (const CardStage& stage : card.stages) {
    if (!stage.curves.empty()) text += fmt::format("![{}]({})\n\n", stage.name, stage.curves);
  }
  return text.empty() ? "" : "## Curves\n\n" + text;
}

}  // namespace

std::string stage_outcome(const Json& done) {
  const auto number = [&](const char* key) {
    return done.contains(key) && done[key].is_number() ? done[key].get<double>() : 0;
  };
  const auto count = [&](const char* key) { return count_text(static_cast<int64_t>(number(key))); };
  if (done.contains("vocab_size")) return fmt::format("{:.0f} tokens", number("vocab_size"));
  if (done.contains("kept")) {
    return fmt::format("{} answers kept of {}, {} right", count("kept"), count("answers"), count("right"));
  }
  if (done.contains("documents")) return fmt::format("{} documents, {} tokens", count("documents"), count("tokens"));
  if (done.contains("step")) {
    const bool learns_from_answers = done.contains("figures") && done["figures"].contains("accuracy");
    std::string text = fmt::format("{:.0f} steps", number("step"));
    if (!learns_from_answers) text += fmt::format(", loss {:.3f}", number("cross_entropy"));
    if (!done.contains("validation_loss")) return text;
    if (!learns_from_answers) return text + fmt::format(", held out {:.3f}", number("validation_loss"));
    return text + fmt::format(", {} % of held-out problems solved", percent(1 - number("validation_loss")));
  }
  if (done.contains("weights_sha256")) return fmt::format("{} of weights", bytes_text(static_cast<uint64_t>(number("bytes"))));
  if (done.contains("problems")) return fmt::format("{} problems", count("problems"));
  return "";
}

std::string card_markdown(const Card& card) {
  std::string text = head_of(card);
  text += questions_of(card) + evals_of(card) + changes_of(card) + limits_of(card) + stages_of(card) + curves_of(card);
  return text + fmt::format("SHA-256 of model.safetensors: `{}`\n", card.weights_digest);
}

}  // namespace minke::cli
