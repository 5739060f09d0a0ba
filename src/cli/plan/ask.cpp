// minke plan ask: a question as JSON, answered with JSON, as the page asks it.
#include <CLI/CLI.hpp>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/language.h"
#include "cli/plan/plan.h"
#include "plan/request/request.h"

namespace minke::cli {
namespace {

struct AskFlags {
  PlanFlags common;
  std::string question;
};

Result<int> run_ask(const AskFlags& flags) {
  plan::Tables tables = TRY(load_tables(flags.common));
  std::string text = flags.question;
  if (text == "-") text.assign(std::istreambuf_iterator<char>(std::cin), {});
  Json question = TRY(parse_json(text, "the question", {.max_depth = 8}));
  if (question.is_object() && !question.contains("language")) {
    question["language"] = plan_language() == plan::Language::kKorean ? "ko" : "en";
  }
  print_json(TRY(plan::answer_request(question, tables)));
  return 0;
}

}  // namespace

void add_plan_ask(CLI::App& plan, Job& job) {
  auto flags = std::make_shared<AskFlags>();
  CLI::App* command =
      plan.add_subcommand("ask", tr("a question as JSON, as the page asks it", "JSON 질문: 페이지가 묻는 방식"));
  command->add_option("QUESTION", flags->question, tr("a JSON object, or - for standard input", "JSON 객체, 표준 입력은 -"))
      ->required()
      ->type_name("");
  command
      ->add_option("--tables", flags->common.tables,
                   tr("TOML file with your own devices, prices, factors or models; may be repeated",
                      "직접 만든 장치, 가격, 계수, 모델의 TOML 파일; 여러 번 쓸 수 있음"))
      ->allow_extra_args(false)
      ->type_name("FILE");
  command->footer(
      tr("The kinds choices, train, rl, serve, run and compare take the keys that docs/plan.md lists.\n"
         "Example: minke plan ask '{\"kind\": \"run\", \"model\": \"deepseek-v3\", \"device\": \"M3-Ultra\", \"bits\": 4.5}'",
         "choices, train, rl, serve, run, compare가 있고, 키는 docs/plan.md에 있습니다.\n"
         "예: minke plan ask '{\"kind\": \"run\", \"model\": \"deepseek-v3\", \"device\": \"M3-Ultra\", \"bits\": 4.5}'"));
  command->callback([flags, &job] { job = [flags] { return run_ask(*flags); }; });
}

}  // namespace minke::cli
