// minke tokenizer train FILES: a byte-level BPE tokenizer from texts.
#include "tokenizer/tokenizer.h"

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
#include "data/documents.h"
#include "tokenizer/files/pre_table.h"
#include "tokenizer/text/chunks.h"
#include "tokenizer/train/trainer.h"

namespace minke::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxTemplateBytes = size_t{1} << 20;
constexpr size_t kChunkBytes = size_t{1} << 20;  // counted between two looks at the clock and Ctrl-C

struct TrainFlags {
  std::vector<std::string> files;
  std::string output, chat_template;
  std::string bos, eos, pad;
  TokenizerTrainingOptions options;
  bool force = false, json = false;
};

// The texts of a row: "text", "prompt" and "completion", the contents of its messages.
void add_texts(std::vector<std::string>& out, const Json& json) {
  for (const char* key : {"text", "prompt", "completion", "content"}) {
    if (json.contains(key) && json[key].is_string()) out.push_back(json[key].get<std::string>());
  }
  for (const char* key : {"messages", "prompt"}) {
    if (!json.contains(key) || !json[key].is_array()) continue;
    for (const Json& message : json[key]) {
      if (message.is_object()) add_texts(out, message);
    }
  }
}

Status add_row(TokenizerTrainer& trainer, const Document& document) {
  const Json row = TRY(parse_json(document.text, "row"));
  std::vector<std::string> texts;
  if (row.is_object()) add_texts(texts, row);
  if (texts.empty()) return error("expected an object with \"text\", with \"messages\", or with \"prompt\" and \"completion\"");
  for (const std::string& text : texts) TRY(trainer.add(text));
  return {};
}

// False when Ctrl-C ended it.
Result<bool> read_files(TokenizerTrainer& trainer, const std::vector<std::string>& files, uint64_t& n_bytes) {
  std::atomic<bool>& interrupted = interrupt_flag();
  for (const std::string& path : files) {
    ProgressBar bar(fs::path(path).filename().string(), ProgressBar::Unit::kBytes);
    DocumentReader reader = TRY(DocumentReader::open(path, ""));
    Document document;
    while (TRY(reader.next(document))) {
      const uint64_t n_before = reader.n_read() - document.text.size();
      for (size_t begin = 0; begin < document.text.size();) {
        const size_t end = document.is_row ? document.text.size() : next_chunk_end(document.text, begin, kChunkBytes);
        const std::string_view part = document.text.substr(begin, end - begin);
        TRY_IN(document.where, document.is_row ? add_row(trainer, document) : trainer.add(part));
        begin = end;
        bar.update(n_before + end, reader.n_bytes());
        if (interrupted) return false;
      }
    }
    n_bytes += reader.n_bytes();
  }
  return true;
}

Status complete_options(TrainFlags& flags) {
  TokenizerTrainingOptions& options = flags.options;
  std::vector<std::string> named;
  auto name = [&](const std::string& text, std::optional<std::string>& role) {
    if (text.empty()) return;
    role = text;
    if (std::find(named.begin(), named.end(), text) == named.end()) named.push_back(text);
  };
  name(flags.bos, options.bos);
  name(flags.eos, options.eos);
  name(flags.pad, options.pad);
  std::erase_if(named, [&](const std::string& text) {
    return std::find(options.special.begin(), options.special.end(), text) != options.special.end();
  });
  options.special.insert(options.special.begin(), named.begin(), named.end());
  if (!flags.chat_template.empty()) options.chat_template = TRY(read_file(flags.chat_template, kMaxTemplateBytes));
  return {};
}

Status write_tokenizer(const Tokenizer& tokenizer, const std::string& folder) {
  const Tokenizer::HfFiles files = TRY(tokenizer.to_tokenizer_json());
  std::error_code code;
  fs::create_directories(folder, code);
  if (code) return error("{}: cannot create the folder: {}", folder, code.message());
  TRY(write_file((fs::path(folder) / "tokenizer.json").string(), files.tokenizer_json));
  return write_file((fs::path(folder) / "tokenizer_config.json").string(), files.tokenizer_config_json);
}

Result<int> run_train(TrainFlags flags) {
  const std::string target = (fs::path(flags.output) / "tokenizer.json").string();
  if (fs::exists(target) && !flags.force) return error("{}: exists already; --force replaces it", target);
  TRY(complete_options(flags));
  std::atomic<bool>& interrupted = interrupt_flag();
  TokenizerTrainer trainer = TRY(TokenizerTrainer::create(flags.options));
  const auto start = std::chrono::steady_clock::now();
  uint64_t n_bytes = 0;
  const bool whole = TRY(read_files(trainer, flags.files, n_bytes));
  if (!whole) return kInterruptedExit;
  Result<TokenizerSpec> spec = TokenizerSpec{};
  {
    ProgressBar bar(tr("merging", "합치는 중"), ProgressBar::Unit::kItems);
    spec = trainer.finish([&](int64_t n, int64_t total) {
      bar.update(static_cast<uint64_t>(n), static_cast<uint64_t>(total));
      return !interrupted;
    });
  }
  if (interrupted) return kInterruptedExit;
  if (!spec) return tl::unexpected<Error>(spec.error());
  const Tokenizer tokenizer = TRY(Tokenizer::from_spec(std::move(*spec), flags.output));
  TRY(write_tokenizer(tokenizer, flags.output));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (flags.json) {
    Json out = {
        {"output", flags.output}, {"vocab_size", tokenizer.vocab_size()}, {"merges", tokenizer.spec().merges.size()},
        {"bytes", n_bytes},       {"pieces", trainer.n_pieces()},         {"different_pieces", trainer.n_different_pieces()},
        {"seconds", seconds}};
    fmt::print("{}\n", dump_json(out));
    return 0;
  }
  fmt::print("{}  {} {}, {} {} {} ({})\n", flags.output, tokenizer.vocab_size(), tr("tokens", "토큰"), bytes_text(n_bytes),
             tr("of text with different pieces:", "의 글, 서로 다른 조각:"), trainer.n_different_pieces(),
             seconds_text(seconds));
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
