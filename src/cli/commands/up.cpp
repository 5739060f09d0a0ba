// minke up [MODEL]: the page with a model to talk to, the one that comes with minke when no other is named.
#include <CLI/CLI.hpp>
#include <filesystem>

#include "cli/command.h"
#include "cli/language.h"
#include "cli/model_argument.h"
#include "cli/service.h"

namespace minke::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBundled = "models/nano";

struct UpFlags {
  ServiceFlags service;
  std::string model;
  CLI::Option* port = nullptr;
};

// Below the working folder, or above the program: a build folder lies in the repository.
Result<std::string> find_bundled() {
  std::error_code code;
  if (fs::exists(fs::path(kBundled) / "config.json", code)) return kBundled;
  const fs::path program = fs::read_symlink("/proc/self/exe", code);
  for (fs::path folder = program.parent_path(); !folder.empty(); folder = folder.parent_path()) {
    if (fs::exists(folder / kBundled / "config.json", code)) return (folder / kBundled).string();
    if (folder == folder.root_path()) break;
  }
  return error("{}", tr("models/nano is neither here nor above the program: name a model, `minke up MODEL`",
                        "models/nano를 찾을 수 없습니다. 모델을 지정하세요: `minke up MODEL`"));
}

Result<int> up(const UpFlags& flags) {
  const std::string name = flags.model.empty() ? TRY(find_bundled()) : flags.model;
  const ServiceModel model{name, TRY(resolve_model(name)), flags.model.empty()};
  return run_service(flags.service, {model}, flags.port->count() == 0);
}

}  // namespace

void add_up(CLI::App& app, Job& job) {
  auto flags = std::make_shared<UpFlags>();
  CLI::App* command = app.add_subcommand("up", tr("open the chat page on this machine", "이 컴퓨터에서 채팅 페이지를 엽니다"));
  command->add_option("MODEL", flags->model,
                      tr("a folder, a file, or org/name[:QUANT] from the cache (default: models/nano, which comes with minke)",
                         "폴더, 파일, 또는 캐시의 org/name[:QUANT] (기본: minke에 들어 있는 models/nano)"));
  add_service_flags(*command, flags->service);
  flags->port = command->get_option("--port");
  command->footer(tr("Example: minke up", "예: minke up"));
  command->callback([flags, &job] { job = [flags] { return up(*flags); }; });
}

}  // namespace minke::cli
