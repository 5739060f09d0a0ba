// minke pull: a model from the hub into the cache or a folder.
#include "hub/pull.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/model_argument.h"
#include "cli/terminal.h"
#include "format/model_file.h"
#include "hub/cached.h"
#include "hub/options.h"
#include "hub/reference.h"

namespace minke::cli {
namespace {

struct PullFlags {
  std::string model, revision, local_dir;
  std::vector<std::string> include, exclude;
  bool offline = false, json = false;
};

// The hub's reports, drawn as one bar over all files.
class PullProgress : public hub::ProgressSink {
 public:
  explicit PullProgress(const std::string& name) : bar_(name, ProgressBar::Unit::kBytes) {}
  void on_progress(const hub::Progress& progress) override { bar_.update(progress.done, progress.total); }
  void on_note(const std::string& text) override { bar_.note(fmt::format("minke: {}", text)); }

 private:
  ProgressBar bar_;
};

// What can be given to run and chat; "" when what was pulled is not a whole model (--include tokenizer.json).
std::string runnable_name(const hub::ModelReference& reference, const hub::HubOptions& options) {
  if (!options.local_dir.empty()) return find_model(options.local_dir) ? options.local_dir : "";
  return hub::resolve_cached(reference, options) ? hub::to_text(reference) : "";
}

void print_result(const hub::PullResult& result, const std::string& runnable, bool json) {
  if (json) {
    Json out = {{"path", result.path},
                {"commit", result.commit},
                {"downloaded_bytes", result.downloaded_bytes},
                {"reused_bytes", result.reused_bytes},
                {"files", Json::array()}};
    for (const hub::PulledFile& file : result.files) {
      out["files"].push_back(Json{{"path", file.path}, {"bytes", file.size}, {"was_present", file.was_present}});
    }
    out["model"] = runnable.empty() ? Json() : Json(runnable);
    fmt::print("{}\n", dump_json(out));
    return;
  }
  fmt::print("{}\n", result.path);
  fmt::print(stderr, "{}: {}, {}: {}\n", tr("files", "파일"), result.files.size(), tr("downloaded", "내려받음"),
             bytes_text(result.downloaded_bytes));
  if (!runnable.empty()) fmt::print(stderr, "{}: minke chat {}\n", tr("to use it", "사용하려면"), runnable);
}

Result<int> run_pull(const PullFlags& flags) {
  hub::ModelReference reference = TRY(hub_reference(flags.model, flags.revision));
  hub::HubOptions options = TRY(hub::from_environment());
  // Asked for the flag alone, the answer must not blame HF_HUB_OFFLINE.
  if (flags.offline && !options.offline) TRY(hub::resolve_cached(reference, options));
  options.offline = options.offline || flags.offline;
  options.include = flags.include;
  options.exclude = flags.exclude;
  options.local_dir = flags.local_dir;
  std::atomic<bool>& interrupted = interrupt_flag();
  Result<hub::PullResult> result = [&] {
    PullProgress progress(reference.repo);
    return hub::pull(reference, options, progress, interrupted);
  }();
  if (!result && interrupted) {
    fmt::print(stderr, "minke: {}\n",
               tr("stopped; what has arrived is kept, the same command goes on from there",
                  "중단했습니다. 받은 부분은 남아 있으니 같은 명령으로 이어받을 수 있습니다"));
    return kInterruptedExit;
  }
  if (!result) return tl::unexpected<Error>(std::move(result.error()));
  print_result(*result, runnable_name(reference, options), flags.json);
  return 0;
}

const char* pull_footer() {
  return tr(
      "Files come from HF_ENDPOINT (https://huggingface.co) into the cache that Hugging Face's tools share (HF_HUB_CACHE,\n"
      "HF_HOME), resumable and checked by their hashes; HF_TOKEN is used for gated models. Pickle files are never taken.\n"
      "Prints the folder on stdout.\n"
      "Examples: minke pull deepseek-ai/DeepSeek-V2-Lite\n"
      "          minke pull unsloth/DeepSeek-R1-GGUF:Q4_K_M",
      "파일은 HF_ENDPOINT(https://huggingface.co)에서 Hugging Face 도구들과 함께 쓰는 캐시(HF_HUB_CACHE, HF_HOME)로 받습니다.\n"
      "끊기면 이어받고, 해시로 확인합니다. 승인이 필요한 모델에는 HF_TOKEN을 씁니다. pickle 파일은 받지 않습니다.\n"
      "표준 출력에는 폴더 경로가 나옵니다.\n"
      "예: minke pull deepseek-ai/DeepSeek-V2-Lite\n"
      "    minke pull unsloth/DeepSeek-R1-GGUF:Q4_K_M");
}

}  // namespace

void add_pull(CLI::App& app, Job& job) {
  auto flags = std::make_shared<PullFlags>();
  CLI::App* command =
      app.add_subcommand("pull", tr("download a model from the Hugging Face hub", "Hugging Face 허브에서 모델을 내려받습니다"));
  command
      ->add_option("MODEL", flags->model,
                   tr("org/name, org/name:QUANT, org/name@revision", "org/name, org/name:QUANT, org/name@revision"))
      ->required()
      ->type_name("");
  command
      ->add_option("--revision", flags->revision,
                   tr("branch, tag or commit (default: main)", "브랜치, 태그 또는 커밋 (기본값: main)"))
      ->type_name("REV");
  command
      ->add_option(
          "--include", flags->include,
          tr("take only files that match, such as '*.json'; repeatable", "'*.json'처럼 맞는 파일만 받습니다 (여러 번 가능)"))
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  command
      ->add_option("--exclude", flags->exclude,
                   tr("leave out files that match; repeatable", "맞는 파일은 뺍니다 (여러 번 가능)"))
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  command
      ->add_option("--local-dir", flags->local_dir,
                   tr("put plain files into this folder instead of the cache", "캐시 대신 이 폴더에 파일을 둡니다"))
      ->type_name("DIR");
  command->add_flag(
      "--offline", flags->offline,
      tr("no connection: only say whether the cache has it all", "접속하지 않고 캐시에 모두 있는지만 확인합니다"));
  command->add_flag("--json", flags->json, tr("print JSON", "JSON으로 출력합니다"));
  command->footer(pull_footer());
  command->callback([flags, &job] { job = [flags] { return run_pull(*flags); }; });
}

}  // namespace minke::cli
