#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/program_version.h"
#include "cli/terminal.h"

namespace minke::cli {
namespace {

constexpr Command kCommands[] = {
    {"run", "use", add_run},
    {"chat", "use", add_chat},
    {"up", "use", add_up},
    {"serve", "use", add_serve},
    {"pull", "keep", add_pull},
    {"ls", "keep", add_ls},
    {"show", "keep", add_show},
    {"rm", "keep", add_rm},
    {"convert", "keep", add_convert},
    {"quantize", "keep", add_quantize},
    {"imatrix", "keep", add_imatrix},
    {"data", "data", add_data},
    {"tasks", "train", add_tasks},
    {"tokenizer", "train", add_tokenizer},
    {"shards", "train", add_shards},
    {"recipe", "train", add_recipe},
    {"train", "train", add_train},
    {"check", "look", add_check},
    {"tokenize", "look", add_tokenize},
    {"template", "look", add_template},
    {"logits", "look", add_logits},
    {"perplexity", "look", add_perplexity},
    {"eval", "look", add_eval},
    {"bench", "look", add_bench},
    {"doctor", "look", add_doctor},
    {"grads", "look", add_grads},
    {"ledger", "look", add_ledger},
    {"plan", "look", add_plan},
};

// --lang must be known before any help text is made.
void apply_language_flag(int argc, char** argv) {
  for (int i = 1; i + 1 < argc; i++) {
    if (std::string_view(argv[i]) == "--lang") ::setenv("MINKE_LANG", argv[i + 1], 1);
  }
  for (int i = 1; i < argc; i++) {
    std::string_view argument = argv[i];
    if (argument.starts_with("--lang=")) ::setenv("MINKE_LANG", argv[i] + 7, 1);
  }
}

const char* group_title(std::string_view group) {
  if (group == "use") return tr("Use a model", "모델 쓰기");
  if (group == "keep") return tr("Keep models", "모델 관리");
  if (group == "data") return tr("Your chats", "내 대화");
  if (group == "train") return tr("Train a model", "모델 학습");
  return tr("Look inside", "들여다보기");
}

// CLI11's own words; subcommands take all of it over from their parent.
void translate_help(CLI::App& app) {
  app.option_defaults()->group(tr("Options", "옵션"));
  app.set_help_flag("-h,--help", tr("print this help and exit", "이 도움말을 보이고 끝냅니다"));
  if (language() != Language::kKorean) return;
  for (auto [key, text] : {std::pair("Usage", "사용법"), std::pair("OPTIONS", "옵션"), std::pair("SUBCOMMAND", "명령"),
                           std::pair("Positionals", "인자"), std::pair("REQUIRED", "필수"),
                           std::pair("Excludes", "함께 쓸 수 없음"), std::pair("Needs", "함께 필요")}) {
    app.get_formatter()->label(key, text);
  }
}

// The help flag of a command and of the commands under it; CLI11 puts it into a group of its own.
void translate_help_flags(CLI::App& command) {
  if (command.get_help_ptr() != nullptr) command.get_help_ptr()->group(tr("Options", "옵션"));
  for (CLI::App* below : command.get_subcommands(nullptr)) translate_help_flags(*below);
}

}  // namespace

std::span<const Command> commands() { return kCommands; }

int run_program(int argc, char** argv) {
  apply_language_flag(argc, argv);
  CLI::App app(tr("minke: run DeepSeek's models and their relatives on your own machine",
                  "minke: DeepSeek 모델과 그 친척들을 내 컴퓨터에서 실행합니다"),
               "minke");
  translate_help(app);
  app.set_version_flag("--version", std::string("minke ") + kProgramVersion,
                       tr("print the version and exit", "버전을 보이고 끝냅니다"));
  std::string ignored_language;
  app.add_option("--lang", ignored_language, tr("language of messages: en or ko", "메시지 언어: en 또는 ko"))
      ->check(CLI::IsMember({"en", "ko"}));
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(tr("minke COMMAND --help shows a command's flags and an example.",
                "minke COMMAND --help 로 각 명령의 옵션과 예를 볼 수 있습니다."));
  Job job;
  for (const Command& command : kCommands) {
    command.add(app, job);
    CLI::App* subcommand = app.get_subcommand(std::string(command.name));
    subcommand->group(group_title(command.group));
    // CLI11 makes a subcommand's help flag before it takes over the option defaults.
    translate_help_flags(*subcommand);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    int code = app.exit(e);
    return code == 0 ? 0 : 2;
  }
  Result<int> result = job();
  if (!result) {
    fmt::print(stderr, "minke: {}\n", result.error().message);
    return 1;
  }
  return *result;
}

}  // namespace minke::cli
