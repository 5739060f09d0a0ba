// minke check FILE...: are these model files whole and well-formed? Nothing is loaded.
#include "format/check.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/language.h"

namespace minke::cli {
namespace {

struct CheckFlags {
  std::vector<std::string> files;
  bool json = false;
};

void print_verdict(const std::string& file, const Status& status, bool json) {
  if (json) {
    Json row = {{"file", file}, {"ok", status.has_value()}};
    if (!status) row["error"] = status.error().message;
    fmt::print("{}\n", dump_json(row));
  } else if (status) {
    fmt::print("ok: {}\n", file);
  } else {
    // The message starts with the file it is about, which may be a part of what was named.
    bool names_file = status.error().message.find(file) != std::string::npos;
    std::string where = names_file ? "" : file + ": ";
    fmt::print(stderr, "minke: {}{}\n", where, status.error().message);
  }
  std::fflush(stdout);
}

Result<int> run_check(const CheckFlags& flags) {
  std::atomic<bool>& interrupted = interrupt_flag();
  bool all_good = true;
  for (const std::string& file : flags.files) {
    if (interrupted) return kInterruptedExit;
    Status status = check_model_file(file);
    print_verdict(file, status, flags.json);
    all_good = all_good && status.has_value();
  }
  return all_good ? 0 : 1;
}

}  // namespace

void add_check(CLI::App& app, Job& job) {
  auto flags = std::make_shared<CheckFlags>();
  CLI::App* command = app.add_subcommand(
      "check", tr("check model files without loading them", "모델 파일이 온전한지 불러오지 않고 확인합니다"));
  command
      ->add_option("FILE", flags->files,
                   tr("files or model folders: .safetensors, .gguf, .json", "파일 또는 모델 폴더: .safetensors, .gguf, .json"))
      ->required()
      ->type_name("");
  command->add_flag("--json", flags->json, tr("one JSON line per file", "파일마다 JSON 한 줄"));
  command->footer(
      tr("Prints \"ok: FILE\" for each good file; says what is wrong with each bad one and exits with 1.\n"
         "Example: minke check model.safetensors",
         "온전한 파일은 \"ok: 파일\"로, 문제가 있는 파일은 이유와 함께 알려 주고 1로 끝납니다.\n"
         "예: minke check model.safetensors"));
  command->callback([flags, &job] { job = [flags] { return run_check(*flags); }; });
}

}  // namespace minke::cli
