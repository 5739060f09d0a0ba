// minke tokenizer train FILES: a byte-level BPE tokenizer from texts.
#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/terminal.h"
#include "cli/training/tokenizer_bars.h"
#include "data/train_tokenizer.h"
#include "tokenizer/files/pre_table.h"

namespace minke::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxTemplateBytes = size_t{1} << 20;

struct TrainFlags {
  std::vector<std::string> files;
  std::string output, chat_template;
  std::string bos, eos, pad;
  TokenizerTrainingOptions options;
  bool force = false, json = false;
};

Result<int> run_train(TrainFlags flags) {
  const std::string target = (fs::path(flags.output) / "tokenizer.json").string();
  if (fs::exists(target) && !flags.force) return error("{}: exists already; --force replaces it", target);
  for (auto [text, role] :
       {std::pair(&flags.bos, &flags.options.bos), {&flags.eos, &flags.options.eos}, {&flags.pad, &flags.options.pad}}) {
    if (!text->empty()) *role = *text;
  }
  if (!flags.chat_template.empty()) flags.options.chat_template = TRY(read_file(flags.chat_template, kMaxTemplateBytes));
  const auto start = std::chrono::steady_clock::now();
  std::optional<TrainedTokenizer> trained;
  {
    TokenizerBars bars;
    trained = TRY(train_tokenizer(flags.options, flags.files, [&](TokenizerPhase phase, uint64_t done, uint64_t total) {
      bars.update(phase, done, total);
      return !interrupt_flag().load();
    }));
  }
  if (!trained) return kInterruptedExit;
  TRY(write_tokenizer(trained->tokenizer, flags.output));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const Tokenizer& tokenizer = trained->tokenizer;
  if (flags.json) {
    Json out = {
        {"output", flags.output},    {"vocab_size", tokenizer.vocab_size()}, {"merges", tokenizer.spec().merges.size()},
        {"bytes", trained->n_bytes}, {"pieces", trained->n_pieces},          {"different_pieces", trained->n_different_pieces},
        {"seconds", seconds}};
    fmt::print("{}\n", dump_json(out));
    return 0;
  }
  fmt::print("{}  {} {}, {} {} {} ({})\n", flags.output, tokenizer.vocab_size(), tr("tokens", "토큰"),
             bytes_text(trained->n_bytes), tr("of text with different pieces:", "의 글, 서로 다른 조각:"),
             trained->n_different_pieces, seconds_text(seconds));
  return 0;
}

const char* train_footer() {
  return tr(
      "Ids: special tokens from 0 (bos, eos, pad, then --special as given), the 256 bytes, learned tokens by how early they "
      "were\n"
      "merged. The same texts give the same files. *.jsonl rows give their \"text\", \"prompt\", \"completion\" and messages.\n"
      "Example: minke tokenizer train corpus.txt --vocab-size 8192 --bos '<|bos|>' --eos '<|eos|>' -o ./my-tokenizer",
      "번호: 특수 토큰이 0부터 (bos, eos, pad, 그다음 --special 순서), 바이트 256개, 배운 토큰은 합쳐진 순서입니다. 같은 글은\n"
      "같은 파일을 만듭니다. *.jsonl 행에서는 \"text\", \"prompt\", \"completion\"과 메시지를 읽습니다.\n"
      "예: minke tokenizer train corpus.txt --vocab-size 8192 --bos '<|bos|>' --eos '<|eos|>' -o ./my-tokenizer");
}

void add_tokenizer_train(CLI::App& group, Job& job) {
  auto flags = std::make_shared<TrainFlags>();
  CLI::App* command = group.add_subcommand("train", tr("make a tokenizer from texts", "글에서 토크나이저를 만듭니다"));
  command->add_option("FILE", flags->files, tr("text files, or .jsonl rows", "글 파일 또는 .jsonl 행"))
      ->required()
      ->type_name("");
  command->add_option("-o,--out", flags->output, tr("folder for tokenizer.json", "tokenizer.json을 둘 폴더"))
      ->required()
      ->type_name("DIR");
  command
      ->add_option("--vocab-size", flags->options.vocab_size,
                   tr("tokens in all, special ones and bytes included", "특수 토큰과 바이트를 합친 토큰 수"))
      ->required()
      ->type_name("N");
  for (auto [name, value] : {std::pair("--bos", &flags->bos), {"--eos", &flags->eos}, {"--pad", &flags->pad}}) {
    command->add_option(name, *value, tr("special token with this role", "이 역할을 하는 특수 토큰"))->type_name("TEXT");
  }
  command
      ->add_option("--special", flags->options.special,
                   tr("another special token; may be repeated", "다른 특수 토큰 (여러 번 가능)"))
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("TEXT");
  command
      ->add_option("--pre", flags->options.pre,
                   fmt::format(fmt::runtime(tr("how text is cut into pieces (default: deepseek-v3): {}",
                                               "글을 조각으로 자르는 방법 (기본값: deepseek-v3): {}")),
                               pre_tokenizer_names()))
      ->type_name("NAME");
  command->add_option("--chat-template", flags->chat_template, tr("Jinja file to put in", "함께 넣을 Jinja 파일"))
      ->type_name("FILE");
  command->add_flag("--force", flags->force, tr("replace an existing tokenizer.json", "이미 있는 tokenizer.json을 바꿉니다"));
  command->add_flag("--json", flags->json, tr("print JSON", "JSON으로 출력합니다"));
  command->footer(train_footer());
  command->callback([flags, &job] { job = [flags] { return run_train(*flags); }; });
}

}  // namespace

void add_tokenizer(CLI::App& app, Job& job) {
  CLI::App* group = app.add_subcommand("tokenizer", tr("train a tokenizer", "토크나이저를 학습합니다"));
  group->require_subcommand(1);
  group->footer(train_footer());
  add_tokenizer_train(*group, job);
}

}  // namespace minke::cli
