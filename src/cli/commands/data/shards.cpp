// minke shards make INPUT... and minke shards show FILE: training data as tokens, and a look at it.
#include <CLI/CLI.hpp>
#include <algorithm>
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
#include "data/documents.h"
#include "data/make_shard.h"
#include "data/shard.h"

namespace minke::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxTemplateBytes = size_t{1} << 20;

struct MakeFlags {
  MakeShardOptions options;
  std::string tokenizer, separator, chat_template;
  bool force = false, json = false;
};

struct ShowFlags {
  std::string path, tokenizer;
  int64_t first = 0, n_rows = 3, n_tokens = 200;
  bool json = false;
};

Json info_json(const std::string& path, const ShardInfo& info) {
  return {{"file", path},
          {"documents", info.n_documents},
          {"tokens", info.n_tokens},
          {"loss_tokens", info.n_loss_tokens},
          {"vocab_size", info.vocab_size},
          {"token_bytes", info.token_bytes},
          {"has_mask", info.has_mask},
          {"tokenizer_digest", info.tokenizer_digest},
          {"digest", info.digest}};
}

void print_info(const std::string& path, const ShardInfo& info) {
  fmt::print("{}  {} {}, {} {}", path, info.n_documents, tr("documents", "문서"), info.n_tokens, tr("tokens", "토큰"));
  if (info.has_mask) fmt::print(", {} {}", info.n_loss_tokens, tr("of them in the loss", "개를 학습"));
  fmt::print("\n");
}

Result<int> run_make(MakeFlags flags) {
  if (fs::exists(flags.options.output) && !flags.force)
    return error("{}: exists already; --force replaces it", flags.options.output);
  flags.options.separator = TRY_IN("--separator", unescape_separator(flags.separator));
  if (!flags.chat_template.empty()) flags.options.chat_template = TRY(read_file(flags.chat_template, kMaxTemplateBytes));
  const std::string path = TRY(resolve_model(flags.tokenizer));
  const Tokenizer tokenizer = TRY(load_tokenizer_for(path));
  std::atomic<bool>& interrupted = interrupt_flag();
  std::optional<ShardInfo> info;
  {
    ProgressBar bar(tr("reading", "읽는 중"), ProgressBar::Unit::kBytes);
    info = TRY(make_shard(tokenizer, flags.options, [&](uint64_t done, uint64_t total) {
      bar.update(done, total);
      return !interrupted;
    }));
  }
  if (!info) return kInterruptedExit;
  if (flags.json) {
    fmt::print("{}\n", dump_json(info_json(flags.options.output, *info)));
  } else {
    print_info(flags.options.output, *info);
  }
  return 0;
}

// Quartiles of the documents' lengths.
Json length_json(const Shard& shard) {
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < shard.info().n_documents; i++) lengths.push_back(shard.document_end(i) - shard.document_begin(i));
  std::sort(lengths.begin(), lengths.end());
  auto at = [&](double share) { return lengths[static_cast<size_t>(share * static_cast<double>(lengths.size() - 1))]; };
  return {{"min", at(0)}, {"q1", at(0.25)}, {"median", at(0.5)}, {"q3", at(0.75)}, {"max", at(1)}};
}

// A stretch of tokens with the same mask, as text.
struct Stretch {
  std::string text;
  bool counts;
  int64_t n_tokens;
};

std::vector<Stretch> stretches(const Shard& shard, const Tokenizer& tokenizer, int64_t begin, int64_t end) {
  std::vector<Stretch> out;
  for (int64_t i = begin; i < end;) {
    const bool counts = shard.counts(i);
    std::vector<TokenId> ids;
    for (; i < end && shard.counts(i) == counts; i++) ids.push_back(shard.token(i));
    StreamDecoder decoder(tokenizer);
    std::string text;
    for (TokenId id : ids) text += decoder.push(id);
    out.push_back({text + decoder.flush(), counts, static_cast<int64_t>(ids.size())});
  }
  return out;
}

void print_document(const Shard& shard, const Tokenizer& tokenizer, int64_t document, int64_t n_tokens) {
  const int64_t begin = shard.document_begin(document), end = shard.document_end(document);
  const Style style = style_of(1);
  fmt::print("{}{} {}: {} {}{}\n", style.bold, tr("document", "문서"), document, end - begin, tr("tokens", "토큰"),
             style.reset);
  for (const Stretch& part : stretches(shard, tokenizer, begin, std::min(end, begin + n_tokens))) {
    if (shard.info().has_mask) fmt::print("{}[{} {}]{}", style.dim, part.counts ? "+" : "-", part.n_tokens, style.reset);
    fmt::print("{}{}{}", part.counts ? "" : style.dim, part.text, part.counts ? "" : style.reset);
  }
  fmt::print("{}\n", end - begin > n_tokens ? " ..." : "");
}

Json document_json(const Shard& shard, const Tokenizer& tokenizer, int64_t document) {
  const int64_t begin = shard.document_begin(document), end = shard.document_end(document);
  Json parts = Json::array();
  for (const Stretch& part : stretches(shard, tokenizer, begin, end))
    parts.push_back({{"text", part.text}, {"mask", part.counts ? 1 : 0}, {"tokens", part.n_tokens}});
  return {{"document", document}, {"tokens", end - begin}, {"parts", parts}};
}

Result<int> run_show(const ShowFlags& flags) {
  const Shard shard = TRY(Shard::open(flags.path));
  const ShardInfo& info = shard.info();
  std::optional<Tokenizer> tokenizer;
  if (!flags.tokenizer.empty()) {
    const std::string path = TRY(resolve_model(flags.tokenizer));
    tokenizer = TRY(load_tokenizer_for(path));
    if (vocabulary_digest(*tokenizer) != info.tokenizer_digest)
      return error("{}: byte 48: made with another tokenizer than {}", flags.path, flags.tokenizer);
  }
  const int64_t last = tokenizer ? std::min(info.n_documents, flags.first + flags.n_rows) : flags.first;
  if (flags.json) {
    Json out = info_json(flags.path, info);
    out["lengths"] = length_json(shard);
    if (tokenizer) out["rows"] = Json::array();
    for (int64_t i = flags.first; i < last; i++) out["rows"].push_back(document_json(shard, *tokenizer, i));
    fmt::print("{}\n", dump_json(out));
    return 0;
  }
  print_info(flags.path, info);
  const Json lengths = length_json(shard);
  fmt::print("  {} {}, {} {}, {} {}\n", tr("shortest", "가장 짧은 문서"), lengths["min"].get<int64_t>(), tr("median", "중앙값"),
             lengths["median"].get<int64_t>(), tr("longest", "가장 긴 문서"), lengths["max"].get<int64_t>());
  fmt::print("  {} {}, {:.12}\n", tr("vocabulary", "어휘"), info.vocab_size, info.tokenizer_digest);
  for (int64_t i = flags.first; i < last; i++) print_document(shard, *tokenizer, i, flags.n_tokens);
  return 0;
}

const char* shards_footer() {
  return tr(
      "A text file is one document, or several with --separator ('\\n\\n' is a blank line). *.jsonl rows: {\"text\"}, "
      "{\"messages\"}\n"
      "(by the chat template; only the assistant's turns count in the loss) or {\"prompt\", \"completion\"}.\n"
      "Examples: minke shards make corpus/*.txt --tokenizer ./my-tokenizer -o corpus.shard\n"
      "          minke shards show corpus.shard --tokenizer ./my-tokenizer",
      "글 파일 하나가 문서 하나이고, --separator를 주면 나뉩니다 ('\\n\\n'은 빈 줄). *.jsonl 행: {\"text\"}, {\"messages\"}\n"
      "(채팅 템플릿으로 만들고 어시스턴트의 차례만 학습) 또는 {\"prompt\", \"completion\"}.\n"
      "예: minke shards make corpus/*.txt --tokenizer ./my-tokenizer -o corpus.shard\n"
      "    minke shards show corpus.shard --tokenizer ./my-tokenizer");
}

void add_make(CLI::App& group, Job& job) {
  auto flags = std::make_shared<MakeFlags>();
  CLI::App* command =
      group.add_subcommand("make", tr("turn texts and conversations into a shard", "글과 대화를 샤드로 만듭니다"));
  command->add_option("INPUT", flags->options.inputs, tr("text files, or .jsonl rows", "글 파일 또는 .jsonl 행"))
      ->required()
      ->type_name("");
  command
      ->add_option("-m,--tokenizer", flags->tokenizer,
                   tr("model or its tokenizer: folder, tokenizer.json, .gguf file, org/name",
                      "모델 또는 토크나이저: 폴더, tokenizer.json, .gguf 파일, org/name"))
      ->required()
      ->type_name("MODEL");
  command->add_option("-o,--out", flags->options.output, tr("new file", "새 파일"))->required()->type_name("FILE");
  command
      ->add_option("--separator", flags->separator,
                   tr("what stands between the documents of a text file", "글 파일 안에서 문서 사이에 있는 글"))
      ->type_name("TEXT");
  command
      ->add_option("--chat-template", flags->chat_template,
                   tr("Jinja file in place of the tokenizer's template", "토크나이저의 템플릿 대신 쓸 Jinja 파일"))
      ->type_name("FILE");
  command->add_flag("--force", flags->force, tr("replace an existing output", "이미 있는 출력을 바꿉니다"));
  command->add_flag("--json", flags->json, tr("print JSON", "JSON으로 출력합니다"));
  command->footer(shards_footer());
  command->callback([flags, &job] { job = [flags] { return run_make(*flags); }; });
}

void add_show_shard(CLI::App& group, Job& job) {
  auto flags = std::make_shared<ShowFlags>();
  CLI::App* command =
      group.add_subcommand("show", tr("check a shard and show what is in it", "샤드를 검사하고 내용을 보여 줍니다"));
  command->add_option("FILE", flags->path, tr("shard", "샤드"))->required()->type_name("");
  command
      ->add_option("-m,--tokenizer", flags->tokenizer,
                   tr("show documents as text: [+ n] are tokens in the loss, [- n] are not",
                      "문서를 글로 보여 줍니다: [+ n]은 학습하는 토큰, [- n]은 아닌 토큰"))
      ->type_name("MODEL");
  command->add_option("--first", flags->first, tr("first document to show (default: 0)", "보여 줄 첫 문서 (기본값: 0)"))
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  command->add_option("-n,--n-documents", flags->n_rows, tr("so many (default: 3)", "개수 (기본값: 3)"))
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  command
      ->add_option("--n-tokens", flags->n_tokens,
                   tr("of each document, as text (default: 200)", "문서마다 보여 줄 토큰 수 (기본값: 200)"))
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  command->add_flag("--json", flags->json, tr("print JSON", "JSON으로 출력합니다"));
  command->footer(shards_footer());
  command->callback([flags, &job] { job = [flags] { return run_show(*flags); }; });
}

}  // namespace

void add_shards(CLI::App& app, Job& job) {
  CLI::App* group = app.add_subcommand("shards", tr("make and show training data", "학습 데이터를 만들고 봅니다"));
  group->require_subcommand(1);
  group->footer(shards_footer());
  add_make(*group, job);
  add_show_shard(*group, job);
}

}  // namespace minke::cli
