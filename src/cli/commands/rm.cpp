// minke rm: removes a model, one revision or one quantisation of it from the hub's cache, after asking.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/command.h"
#include "cli/language.h"
#include "cli/model_argument.h"
#include "cli/terminal.h"
#include "hub/cached.h"
#include "hub/options.h"
#include "hub/reference.h"

namespace minke::cli {
namespace {

struct RmFlags {
  std::string model, revision;
  bool yes = false, json = false;
};

Result<hub::CachedModel> find_model_in_cache(const hub::ModelReference& reference, const hub::HubOptions& options) {
  std::vector<hub::CachedModel> models = TRY(hub::list_cached(options));
  auto found = std::find_if(models.begin(), models.end(), [&](const auto& model) { return model.repo == reference.repo; });
  if (found == models.end()) {
    return error("{}: not in the cache {}; `minke ls` shows what is there", reference.repo, options.cache_dir);
  }
  return std::move(*found);
}

// The question goes to stderr, so that stdout stays the command's result.
bool user_agrees(const hub::ModelReference& reference, const hub::CachedModel& model) {
  bool is_whole = reference.revision.empty() && reference.quant.empty() && reference.file.empty();
  std::string what = hub::to_text(reference);
  if (is_whole) what += fmt::format(" ({})", bytes_text(model.size_bytes));
  fmt::print(stderr, "{}", fmt::format(fmt::runtime(tr("Remove {}? [y/N] ", "{}: 지울까요? [y/N] ")), what));
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes" || answer == "예";
}

Result<int> run_rm(const RmFlags& flags) {
  hub::ModelReference reference = TRY(hub_reference(flags.model, flags.revision));
  hub::HubOptions options = TRY(hub::from_environment());
  hub::CachedModel model = TRY(find_model_in_cache(reference, options));
  if (!flags.yes) {
    if (::isatty(STDIN_FILENO) == 0)
      return error("{}: nobody is here to be asked; --yes removes it without asking", flags.model);
    if (!user_agrees(reference, model)) {
      fmt::print(stderr, "minke: {}\n", tr("nothing was removed", "아무것도 지우지 않았습니다"));
      return 1;
    }
  }
  hub::Removed removed = TRY(hub::remove_cached(reference, options));
  if (flags.json) {
    fmt::print("{}\n", dump_json(Json{
                           {"n_files", removed.n_files}, {"n_blobs", removed.n_blobs}, {"freed_bytes", removed.freed_bytes}}));
  } else {
    fmt::print("{} {}\n", tr("freed", "확보한 공간:"), bytes_text(removed.freed_bytes));
  }
  return 0;
}

}  // namespace

void add_rm(CLI::App& app, Job& job) {
  auto flags = std::make_shared<RmFlags>();
  CLI::App* command = app.add_subcommand("rm", tr("remove a model from the cache", "캐시에서 모델을 지웁니다"));
  command
      ->add_option("MODEL", flags->model,
                   tr("org/name; org/name:QUANT or org/name@revision for a part of it",
                      "org/name. 일부만 지우려면 org/name:QUANT 또는 org/name@revision"))
      ->required()
      ->type_name("");
  command
      ->add_option("--revision", flags->revision,
                   tr("remove only this branch, tag or commit", "이 브랜치, 태그 또는 커밋만 지웁니다"))
      ->type_name("REV");
  command->add_flag("-y,--yes", flags->yes, tr("do not ask", "묻지 않습니다"));
  command->add_flag("--json", flags->json, tr("print JSON", "JSON으로 출력합니다"));
  command->footer(tr("Files that another revision uses stay. Example: minke rm unsloth/DeepSeek-R1-GGUF:Q4_K_M",
                     "다른 리비전이 쓰는 파일은 남습니다. 예: minke rm unsloth/DeepSeek-R1-GGUF:Q4_K_M"));
  command->callback([flags, &job] { job = [flags] { return run_rm(*flags); }; });
}

}  // namespace minke::cli
