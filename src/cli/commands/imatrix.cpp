// minke imatrix MODEL TEXT -o FILE: how much each input column of each matrix matters, for minke quantize --imatrix.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/model_argument.h"
#include "cli/terminal.h"
#include "cli/text_tokens.h"
#include "quantize/collect.h"

namespace minke::cli {
namespace {

namespace fs = std::filesystem;

struct ImatrixFlags {
  std::string model, text, output;
  int64_t chunk = 512, n_chunks = 0;
  int n_threads = 0;
  bool force = false, json = false;
};

struct Collection {
  Importance importance;
  bool stopped = false;
};

// Runs every chunk through an empty cache. A last chunk that is not full counts only when it is the only one.
Result<Collection> collect(Model& model, const TextTokens& text, const ImatrixFlags& flags, const Context& context) {
  std::atomic<bool>& interrupted = interrupt_flag();
  ImportanceCollector collector = TRY(ImportanceCollector::create(model, context));
  ActivationSink sink = collector.sink();
  const int64_t n = static_cast<int64_t>(text.tokens.size()), n_bos = text.bos ? 1 : 0, room = flags.chunk - n_bos;
  int64_t n_chunks = std::max<int64_t>(n / room, 1);
  if (flags.n_chunks > 0) n_chunks = std::min(n_chunks, flags.n_chunks);
  KvCache cache(model.config(), (flags.chunk + kPageSize - 1) / kPageSize * kPageSize);
  ProgressBar bar(tr("reading", "읽는 중"), ProgressBar::Unit::kItems);
  Collection result;
  std::vector<float> no_logits;
  for (int64_t i = 0; i < n_chunks; i++) {
    if (interrupted) {
      result.stopped = true;
      return result;
    }
    const int64_t begin = i * room, end = std::min(n, begin + room);
    Batch batch;
    batch.tokens.resize(static_cast<size_t>(n_bos + end - begin), text.bos.value_or(0));
    std::copy(text.tokens.begin() + begin, text.tokens.begin() + end, batch.tokens.begin() + n_bos);
    SequenceCache sequence;
    batch.sequences.push_back({&sequence, static_cast<int64_t>(batch.tokens.size()), MlaForm::kNaive});
    TRY(model.forward(no_logits, batch, cache, context, &sink));
    cache.truncate(sequence, 0);
    bar.update(static_cast<uint64_t>(i + 1), static_cast<uint64_t>(n_chunks));
  }
  result.importance = std::move(collector.importance());
  result.importance.datasets = {fs::path(flags.text).filename().string()};
  result.importance.chunk_size = flags.chunk;
  result.importance.n_chunks = n_chunks;
  return result;
}

// Experts that no token chose: their columns will weigh alike.
int64_t count_idle(const Importance& importance) {
  int64_t n = 0;
  for (const auto& [name, sums] : importance.tensors) n += std::count(sums.counts.begin(), sums.counts.end(), 0);
  return n;
}

Result<int> run_imatrix(const ImatrixFlags& flags) {
  if (fs::exists(flags.output) && !flags.force) return error("{}: exists already; --force replaces it", flags.output);
  std::string path = TRY(resolve_model(flags.model));
  TextTokens text = TRY(read_text_tokens(flags.text, path));
  Machine machine = TRY(make_machine(flags.n_threads));
  std::unique_ptr<Model> model = TRY(Model::load(path));
  if (flags.chunk > model->config().max_seq_len) {
    return error("--chunk {}: longer than the model's context of {}", flags.chunk, model->config().max_seq_len);
  }
  Collection collection = TRY(collect(*model, text, flags, machine.context));
  if (collection.stopped) return kInterruptedExit;
  const Importance& importance = collection.importance;
  TRY(write_importance(flags.output, importance));
  const int64_t n_idle = count_idle(importance);
  if (flags.json) {
    Json out = {{"output", flags.output},
                {"tensors", importance.tensors.size()},
                {"chunks", importance.n_chunks},
                {"chunk", flags.chunk},
                {"matrices_without_input", n_idle}};
    fmt::print("{}\n", dump_json(out));
    return 0;
  }
  if (n_idle > 0) {
    fmt::print(
        "{}: {} {}\n", tr("note", "참고"), n_idle,
        tr("matrices of experts got no token; more or other text reaches them", "개의 전문가 행렬은 토큰을 받지 못했습니다"));
  }
  fmt::print("{}  {} {}, {} x {} {}\n", flags.output, importance.tensors.size(), tr("tensors", "텐서"), importance.n_chunks,
             flags.chunk, tr("tokens", "토큰"));
  return 0;
}

}  // namespace

void add_imatrix(CLI::App& app, Job& job) {
  auto flags = std::make_shared<ImatrixFlags>();
  CLI::App* command = app.add_subcommand(
      "imatrix", tr("measure which weights matter, for quantize", "quantize를 위해 어느 가중치가 중요한지 잽니다"));
  command->add_option("MODEL", flags->model, tr("model: folder, .gguf file, org/name", "모델: 폴더, .gguf 파일, org/name"))
      ->required()
      ->type_name("");
  command->add_option("TEXT", flags->text, tr("text file like what the model will read", "모델이 읽을 것과 비슷한 글 파일"))
      ->required()
      ->type_name("");
  command->add_option("-o,--output", flags->output, tr("new file", "새 파일"))->required()->type_name("FILE");
  command->add_option("--chunk", flags->chunk, tr("tokens read at a time (default: 512)", "한 번에 읽는 토큰 수 (기본값: 512)"))
      ->check(CLI::Range(int64_t{2}, int64_t{1} << 30))
      ->type_name("N");
  command->add_option("--n-chunks", flags->n_chunks, tr("at most so many (default: all)", "최대 개수 (기본값: 모두)"))
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 30))
      ->type_name("N");
  add_threads_flag(*command, flags->n_threads);
  command->add_flag("--force", flags->force, tr("replace an existing output", "이미 있는 출력을 바꿉니다"));
  command->add_flag("--json", flags->json, tr("print JSON", "JSON으로 출력합니다"));
  command->footer(
      tr("Runs the text through the model and keeps the mean square of every input column of every matrix, per expert. The\n"
         "file is llama.cpp's imatrix GGUF; either program reads the other's.\n"
         "Example: minke imatrix ./DeepSeek-V2-Lite text.txt -o v2-lite.imatrix.gguf",
         "글을 모델에 넣어 행렬마다, 전문가마다 입력 열의 제곱 평균을 모읍니다. 파일은 llama.cpp의 imatrix GGUF이며 서로\n"
         "읽을 수 있습니다.\n"
         "예: minke imatrix ./DeepSeek-V2-Lite text.txt -o v2-lite.imatrix.gguf"));
  command->callback([flags, &job] { job = [flags] { return run_imatrix(*flags); }; });
}

}  // namespace minke::cli
