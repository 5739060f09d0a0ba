// minke plan: what training, serving and running models costs, with the working.
#include "cli/plan/plan.h"

#include <CLI/CLI.hpp>

#include "cli/language.h"

namespace minke::cli {

void add_plan(CLI::App& app, Job& job) {
  CLI::App* command = app.add_subcommand(
      "plan", tr("what training, serving or running a model costs", "모델의 학습, 서비스, 실행에 드는 비용을 계산합니다"));
  command->require_subcommand(1);
  add_plan_train(*command, job);
  add_plan_rl(*command, job);
  add_plan_serve(*command, job);
  add_plan_run(*command, job);
  add_plan_compare(*command, job);
  add_plan_validate(*command, job);
  add_plan_tables(*command, job);
  add_plan_ask(*command, job);
  command->footer(tr(
      "Every figure is a range: low and high take every uncertain input at its favourable or unfavourable end at once.\n"
      "Devices, prices and factors are rows with a source and a date: minke plan tables shows them, --tables FILE adds yours.\n"
      "Examples: minke plan train --model deepseek-v3 --tokens 14.8T --on 2048xH800\n"
      "          minke plan serve --model deepseek-r1 --on 96xH100 --in 2000 --out 600\n"
      "          minke plan validate",
      "모든 값은 범위로 보여 줍니다. 최소와 최대는 불확실한 입력을 한꺼번에 유리한 쪽 또는 불리한 쪽으로 잡은 값입니다.\n"
      "장치, 가격, 계수에는 출처와 날짜가 있습니다: minke plan tables로 보고, --tables FILE로 더할 수 있습니다.\n"
      "예: minke plan train --model deepseek-v3 --tokens 14.8T --on 2048xH800\n"
      "    minke plan serve --model deepseek-r1 --on 96xH100 --in 2000 --out 600\n"
      "    minke plan validate"));
  for (CLI::App* below : command->get_subcommands(nullptr)) below->group(tr("Commands", "명령"));
}

}  // namespace minke::cli
