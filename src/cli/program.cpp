#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/terminal.h"

namespace minke::cli {
namespace {

constexpr const char* kVersion = "0.1.0";

constexpr Command kCommands[] = {
    {"run", "Use a model", add_run},
    {"chat", "Use a model", add_chat},
    {"pull", "Keep models", add_pull},
    {"ls", "Keep models", add_ls},
    {"show", "Keep models", add_show},
    {"rm", "Keep models", add_rm},
    {"convert", "Keep models", add_convert},
    {"check", "Look inside", add_check},
    {"tokenize", "Look inside", add_tokenize},
    {"template", "Look inside", add_template},
    {"logits", "Look inside", add_logits},
    {"doctor", "Look inside", add_doctor},
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

}  // namespace

std::span<const Command> commands() { return kCommands; }

int run_program(int argc, char** argv) {
  apply_language_flag(argc, argv);
  CLI::App app(tr("minke: run DeepSeek's models and their relatives on your own machine",
                  "minke: DeepSeek 모델과 그 친척들을 내 컴퓨터에서 실행합니다"),
               "minke");
  app.set_version_flag("--version", std::string("minke ") + kVersion);
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
    app.get_subcommand(std::string(command.name))->group(std::string(command.group));
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
