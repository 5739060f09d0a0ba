// minke perplexity MODEL TEXT: how well a model predicts a text.
#include "engine/perplexity.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/model_argument.h"
#include "cli/terminal.h"
#include "cli/text_tokens.h"

namespace minke::cli {
namespace {

struct PerplexityFlags {
  std::string model, text;
  int64_t window = 512, stride = 0;
  int n_threads = 0;
  bool json = false;
};

Result<int> run_perplexity(const PerplexityFlags& flags) {
  std::atomic<bool>& interrupted = interrupt_flag();
  std::string path = TRY(resolve_model(flags.model));
  TextTokens text = TRY(read_text_tokens(flags.text, path));
  Machine machine = TRY(make_machine(flags.n_threads));
  std::unique_ptr<Model> model = TRY(Model::load(path, {.pack = &machine.context, .mtp = false}));
  PerplexityOptions options;
  options.window = flags.window;
  options.stride = flags.stride > 0 ? flags.stride : std::max<int64_t>(flags.window / 2, 1);
  options.bos = text.bos.value_or(-1);
  Perplexity result;
  {
    ProgressBar bar(tr("reading", "읽는 중"), ProgressBar::Unit::kItems);
    options.progress = [&](int64_t done, int64_t total) {
      bar.update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
      return !interrupted.load();
    };
    result = TRY(measure_perplexity(*model, text.tokens, options, machine.context));
  }
  if (result.stopped) return kInterruptedExit;
  if (flags.json) {
    Json out = {{"perplexity", result.perplexity()}, {"perplexity_error", result.perplexity_error()},
                {"nll", result.mean_nll()},          {"nll_error", result.nll_error()},
                {"tokens", result.nll.size()},       {"chunk", options.window},
                {"stride", options.stride}};
    fmt::print("{}\n", dump_json(out));
  } else {
    fmt::print("{} {:.4f} ± {:.4f}, {} {:.5f} ± {:.5f}, {} {}\n", tr("perplexity", "퍼플렉서티"), result.perplexity(),
               result.perplexity_error(), tr("nll", "음의 로그우도"), result.mean_nll(), result.nll_error(), result.nll.size(),
               tr("tokens", "토큰"));
  }
  return 0;
}

}  // namespace

void add_perplexity(CLI::App& app, Job& job) {
  auto flags = std::make_shared<PerplexityFlags>();
  CLI::App* command = app.add_subcommand(
      "perplexity", tr("measure how well a model predicts a text", "모델이 글을 얼마나 잘 예측하는지 잽니다"));
  command->add_option("MODEL", flags->model, tr("model: folder, .gguf file, org/name", "모델: 폴더, .gguf 파일, org/name"))
      ->required()
      ->type_name("");
  command->add_option("TEXT", flags->text, tr("text file, UTF-8", "글 파일, UTF-8"))->required()->type_name("");
  command->add_option("--chunk", flags->window, tr("tokens of a window (default: 512)", "창 하나의 토큰 수 (기본값: 512)"))
      ->check(CLI::Range(int64_t{2}, int64_t{1} << 30))
      ->type_name("N");
  command
      ->add_option("--stride", flags->stride,
                   tr("tokens that a window advances by (default: half of it)", "창이 나아가는 토큰 수 (기본값: 창의 절반)"))
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 30))
      ->type_name("N");
  add_threads_flag(*command, flags->n_threads);
  command->add_flag("--json", flags->json, tr("print JSON", "JSON으로 출력합니다"));
  command->footer(
      tr("The text is read in overlapping windows; every token counts once, where its window shows it the most context.\n"
         "The error is the standard error of the mean, as if tokens were independent. Compare figures of one text, tokenizer\n"
         "and window only.\n"
         "Example: minke perplexity model.gguf wiki.txt --chunk 512",
         "글을 겹치는 창으로 나누어 읽고, 토큰마다 가장 긴 문맥을 보여 주는 창에서 한 번만 셉니다. 오차는 토큰들이 서로\n"
         "독립이라고 본 평균의 표준 오차입니다. 같은 글, 같은 토크나이저, 같은 창에서 잰 값끼리만 견주세요.\n"
         "예: minke perplexity model.gguf wiki.txt --chunk 512"));
  command->callback([flags, &job] { job = [flags] { return run_perplexity(*flags); }; });
}

}  // namespace minke::cli
