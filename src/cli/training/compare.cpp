// minke recipe compare FILE: the two stages of a recipe, each with several seeds, and what each spends to the same loss.
#include "cli/training/compare.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/model_argument.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "cli/training/figures_text.h"
#include "cli/training/stage_run.h"
#include "kernels/probe.h"
#include "train/report/comparison.h"
#include "train/report/run_log.h"

namespace minke::cli {
namespace {

struct CompareFlags {
  std::string recipe, out;
  int n_seeds = 3, n_threads = 0;
  bool json = false;
};

std::string mean_text(const Mean& mean, const char* format) {
  if (mean.error == 0) return fmt::format(fmt::runtime(format), mean.value);
  return fmt::format(fmt::runtime(std::string(format) + " ± " + format), mean.value, mean.error);
}

Mean scaled(const Mean& mean, double factor) { return {mean.value * factor, mean.error * factor}; }

std::string comparison_text(const Comparison& comparison) {
  std::vector<Column> columns = {{.title = tr("variant", "방식")},
                                 {.title = tr("lowest validation loss", "최저 검증 손실"), .right = true},
                                 {.title = tr("tokens (M)", "토큰 (백만)"), .right = true},
                                 {.title = "TFLOP", .right = true},
                                 {.title = tr("minutes", "분"), .right = true}};
  std::vector<std::vector<std::string>> rows;
  for (const ComparedVariant& v : comparison.variants) {
    rows.push_back({v.name, mean_text(v.final_loss, "{:.4f}"), mean_text(scaled(v.tokens, 1e-6), "{:.2f}"),
                    mean_text(scaled(v.flops, 1e-12), "{:.1f}"), mean_text(scaled(v.seconds, 1 / 60.0), "{:.1f}")});
  }
  rows.push_back({fmt::format("{} / {}", comparison.variants[0].name, comparison.variants[1].name), "",
                  mean_text(comparison.tokens_ratio, "{:.2f}"), mean_text(comparison.flops_ratio, "{:.2f}"),
                  mean_text(comparison.seconds_ratio, "{:.2f}")});
  return table_text(columns, rows, 0);
}

void print_comparison(const Comparison& comparison, int n_seeds) {
  fmt::print("{}: {:.4f}\n\n{}\n", tr("spent until the validation loss of", "다음 검증 손실까지 쓴 양"), comparison.target,
             comparison_text(comparison));
  fmt::print("{}\n",
             fmt::format(fmt::runtime(tr("{} seeds; ± is the standard error of the mean. Time at a rate per hour is money: the "
                                         "last ratio is also that of the cost.",
                                         "시드 {}개, ±는 평균의 표준 오차입니다. 시간당 요금에서는 시간이 곧 비용이므로 마지막 "
                                         "비율은 비용의 비율이기도 합니다.")),
                         n_seeds));
}

Status write_report(const std::string& folder, const Json& json, const VariantRuns& first, const VariantRuns& second) {
  TRY(write_file(folder + "/comparison.json", dump_json(json, 2) + "\n"));
  TRY(write_file(folder + "/comparison.svg", comparison_svg(first, second)));
  return {};
}

Result<int> run_compare(const CompareFlags& flags) {
  const std::vector<recipe::Recipe> recipes = TRY(recipe::read_recipes(flags.recipe));
  if (recipes.size() != 2) return error("{}: {} stages; expected the two that are compared", flags.recipe, recipes.size());
  for (const recipe::Recipe& stage : recipes) {
    // Validation losses of other kinds are shares of right answers, or there are none.
    if (stage.kind != recipe::RecipeKind::kPretrain && stage.kind != recipe::RecipeKind::kSft) {
      return error("{}: stage {} is of the kind {}; compared are stages of the kinds pretrain and sft", flags.recipe, stage.name,
                   recipe::recipe_kind_name(stage.kind));
    }
  }
  const Machine machine = TRY(make_machine(flags.n_threads));
  const RunSetup setup = {1e9 * measure_fma_gflops(machine.context), IfDamaged::kRefuse};
  std::array<VariantRuns, 2> variants = {{{recipes[0].name, {}}, {recipes[1].name, {}}}};
  // Seed by seed, so that the two runs of a seed meet the machine in the same mood.
  for (int i = 0; i < flags.n_seeds; i++) {
    for (size_t v = 0; v < 2; v++) {
      const recipe::Recipe run = recipe::with_seed(recipes[v], recipes[v].seed + static_cast<uint64_t>(i));
      if (TRY(run_stage(run, recipes, setup, machine)).end == RunEnd::kStopped) return kInterruptedExit;
      variants[v].runs.push_back(TRY(read_log(run.out + "/log.jsonl")));
    }
  }
  const Comparison comparison = TRY(compare_runs(variants[0], variants[1]));
  Json json = comparison_json(comparison);
  json["n_seeds"] = flags.n_seeds;
  if (!flags.out.empty()) TRY(write_report(flags.out, json, variants[0], variants[1]));
  if (flags.json) {
    fmt::print("{}\n", dump_json(json));
  } else {
    print_comparison(comparison, flags.n_seeds);
  }
  return 0;
}

}  // namespace

void add_compare(CLI::App& recipe_command, Job& job) {
  auto flags = std::make_shared<CompareFlags>();
  CLI::App* command =
      recipe_command.add_subcommand("compare", tr("train two stages with several seeds and compare what they spend",
                                                  "두 단계를 여러 시드로 학습해 드는 양을 비교합니다"));
  command->add_option("FILE", flags->recipe, tr("recipe with two stages", "단계가 둘인 레시피"))->required()->type_name("");
  command->add_option("--seeds", flags->n_seeds, tr("runs of each stage", "단계마다의 실행 수"))
      ->check(CLI::Range(1, 100))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--out", flags->out,
                   tr("folder for comparison.json and comparison.svg", "comparison.json과 comparison.svg를 둘 폴더"))
      ->type_name("DIR");
  add_threads_flag(*command, flags->n_threads);
  command->add_flag("--json", flags->json, tr("print JSON", "JSON으로 출력합니다"));
  command->footer(tr(
      "Trains both stages with seed, seed + 1, ... of random weights and of the data's order, each run in a folder seed-N "
      "under\n"
      "the stage's own and with its row in the ledger. Says how many tokens, operations and minutes each stage spends until\n"
      "the validation loss that all runs reach. What is finished is not trained again; what was stopped goes on.\n"
      "Example: minke recipe compare recipes/efficiency.toml --seeds 3",
      "두 단계를 seed, seed + 1, ...(무작위 가중치와 데이터 순서)로 학습합니다. 실행마다 단계 폴더 아래 seed-N 폴더에 저장되고 "
      "원장에\n"
      "남습니다. 모든 실행이 도달한 검증 손실까지 각 단계가 쓴 토큰, 연산, 시간을 보여 줍니다. 끝난 실행은 다시 하지 않고,\n"
      "멈춘 실행은 이어 갑니다.\n"
      "예: minke recipe compare recipes/efficiency.toml --seeds 3"));
  command->callback([flags, &job] { job = [flags] { return run_compare(*flags); }; });
}

}  // namespace minke::cli
