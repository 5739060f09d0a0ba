// minke tokenize: text to token ids and back, one text or rows of JSON.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "cli/language.h"
#include "cli/model_argument.h"
#include "tokenizer/tokenizer.h"

namespace minke::cli {
namespace {

constexpr size_t kMaxTextBytes = size_t{1} << 30;

struct TokenizeFlags {
  std::string tokenizer;
  std::vector<std::string> text;  // at most one; a vector tells "" from not given
  std::string file;
  std::string rows;
  bool has_rows = false;
  bool add_special = false, no_special = false, no_parse_special = false;
  bool decode = false, pieces = false, json = false;
};

struct TextOptions {
  EncodeOptions encode;
  DecodeOptions decode;
};

TextOptions text_options(const TokenizeFlags& flags) {
  TextOptions options;
  options.encode.add_special = flags.add_special;
  options.encode.parse_special = !flags.no_special && !flags.no_parse_special;
  options.decode.skip_special = flags.no_special;
  return options;
}

Status read_switch(bool& value, const Json& row, const char* key) {
  auto found = row.find(key);
  if (found == row.end()) return {};
  if (!found->is_boolean()) return error("{}: expected true or false, got {}", key, dump_json(*found));
  value = found->get<bool>();
  return {};
}

Result<std::vector<TokenId>> read_ids(const Json& ids) {
  if (!ids.is_array()) return error("ids: expected a list of integers, got {}", ids.type_name());
  std::vector<TokenId> out;
  out.reserve(ids.size());
  for (const Json& id : ids) {
    bool fits = id.is_number_unsigned() && id.get<uint64_t>() <= static_cast<uint64_t>(INT32_MAX);
    if (!fits) return error("ids[{}]: expected a token id, an integer from 0, got {}", out.size(), dump_json(id));
    out.push_back(static_cast<TokenId>(id.get<uint64_t>()));
  }
  return out;
}

// "1, 2 3" as people write ids.
Result<std::vector<TokenId>> parse_ids(std::string_view text) {
  std::vector<TokenId> out;
  const char* end = text.data() + text.size();
  for (const char* at = text.data(); at != end;) {
    if (*at == ',' || *at == ' ' || *at == '\n' || *at == '\t' || *at == '\r' || *at == '[' || *at == ']') {
      at++;
      continue;
    }
    TokenId id = 0;
    auto [next, code] = std::from_chars(at, end, id);
    if (code != std::errc() || id < 0) {
      return error("--decode: expected token ids such as 1,2,3; cannot read \"{}\"",
                   std::string_view(at, std::min<size_t>(12, static_cast<size_t>(end - at))));
    }
    out.push_back(id);
    at = next;
  }
  return out;
}

// The bytes that a token adds, as a person can read them: control bytes and parts of characters as \xNN.
std::string piece_text(std::string_view bytes) {
  std::string out;
  for (size_t pos = 0; pos < bytes.size();) {
    Utf8Step step = utf8_decode(bytes, pos);
    bool is_plain = step.valid && step.code_point >= 0x20 && step.code_point != 0x7F;
    for (char byte : bytes.substr(pos, step.n_bytes)) {
      out += is_plain ? std::string(1, byte) : fmt::format("\\x{:02X}", static_cast<unsigned char>(byte));
    }
    pos += step.n_bytes;
  }
  return out;
}

Json pieces_of(const Tokenizer& tokenizer, std::span<const TokenId> ids) {
  Json pieces = Json::array();
  for (TokenId id : ids) pieces.push_back(tokenizer.token_text(id));
  return pieces;
}

Result<Json> run_row(const Tokenizer& tokenizer, const Json& row, TextOptions options, bool pieces) {
  bool has_text = row.contains("text"), has_ids = row.contains("ids");
  if (has_text == has_ids) return error("expected a row with either \"text\" or \"ids\"{}", has_text ? ", got both" : "");
  TRY(read_switch(options.encode.add_special, row, "add_special"));
  TRY(read_switch(options.encode.parse_special, row, "parse_special"));
  TRY(read_switch(options.decode.skip_special, row, "skip_special"));
  std::vector<TokenId> ids;
  Json out;
  if (has_text) {
    if (!row["text"].is_string()) return error("text: expected a string, got {}", row["text"].type_name());
    ids = TRY(tokenizer.encode(row["text"].get_ref<const std::string&>(), options.encode));
    out["ids"] = ids;
  } else {
    ids = TRY(read_ids(row["ids"]));
    out["text"] = TRY(tokenizer.decode(ids, options.decode));
  }
  if (pieces) out["pieces"] = pieces_of(tokenizer, ids);
  return out;
}

Result<std::string> read_input(const TokenizeFlags& flags) {
  if (!flags.text.empty()) return flags.text.front();
  if (!flags.file.empty()) return read_file(flags.file, kMaxTextBytes);
  if (::isatty(STDIN_FILENO) != 0)
    return error("nothing to tokenize: give TEXT, --file FILE or --jsonl FILE, or pipe a text in");
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

void print_pieces(const Tokenizer& tokenizer, std::span<const TokenId> ids) {
  for (TokenId id : ids)
    fmt::print("{:>8}  {}{}\n", id, piece_text(tokenizer.token_bytes(id)), tokenizer.is_special(id) ? "  (special)" : "");
}

Result<int> run_once(const Tokenizer& tokenizer, const TokenizeFlags& flags) {
  TextOptions options = text_options(flags);
  std::string input = TRY(read_input(flags));
  std::vector<TokenId> ids;
  if (flags.decode) {
    ids = TRY(parse_ids(input));
  } else {
    ids = TRY(tokenizer.encode(input, options.encode));
  }
  std::string text = flags.decode ? TRY(tokenizer.decode(ids, options.decode)) : std::string();
  if (flags.json) {
    Json out;
    if (flags.decode) {
      out["text"] = text;
    } else {
      out["ids"] = ids;
    }
    if (flags.pieces) out["pieces"] = pieces_of(tokenizer, ids);
    fmt::print("{}\n", dump_json(out));
  } else if (flags.pieces) {
    print_pieces(tokenizer, ids);
  } else {
    fmt::print("{}\n", flags.decode ? text : fmt::format("{}", fmt::join(ids, " ")));
  }
  return 0;
}

Result<int> run_tokenize(const TokenizeFlags& flags) {
  std::string path = TRY(resolve_model(flags.tokenizer));
  Tokenizer tokenizer = TRY(load_tokenizer_for(path));
  if (!flags.has_rows) return run_once(tokenizer, flags);
  TextOptions options = text_options(flags);
  return run_jsonl(flags.rows, [&](const Json& row) { return run_row(tokenizer, row, options, flags.pieces); });
}

const char* tokenize_footer() {
  return tr(
      "Without flags: special tokens written in the text become their ids, no BOS or EOS is added, and decoding keeps special\n"
      "tokens. Rows are {\"text\": ...} -> {\"ids\": [...]} or {\"ids\": [...]} -> {\"text\": ...}; \"add_special\", "
      "\"parse_special\"\n"
      "and \"skip_special\" in a row beat the flags; a bad row gives {\"error\": ..., \"line\": n}.\n"
      "Examples: minke tokenize -m ./DeepSeek-V2-Lite \"Hello world\"\n"
      "          minke tokenize -m tokenizer.json --jsonl rows.jsonl",
      "옵션이 없으면: 글 속의 특수 토큰은 그 토큰의 번호가 되고, BOS와 EOS는 붙이지 않으며, 되돌릴 때 특수 토큰도 보여 "
      "줍니다.\n"
      "행은 {\"text\": ...} -> {\"ids\": [...]} 또는 {\"ids\": [...]} -> {\"text\": ...} 꼴이고, 행에 적은 \"add_special\",\n"
      "\"parse_special\", \"skip_special\"이 옵션보다 우선합니다. 잘못된 행은 {\"error\": ..., \"line\": n}이 됩니다.\n"
      "예: minke tokenize -m ./DeepSeek-V2-Lite \"안녕하세요\"\n"
      "    minke tokenize -m tokenizer.json --jsonl rows.jsonl");
}

void add_special_flags(CLI::App& command, TokenizeFlags& flags) {
  auto* add_special =
      command.add_flag("--add-special", flags.add_special,
                       tr("add BOS and EOS as the tokenizer's configuration says", "토크나이저 설정대로 BOS와 EOS를 붙입니다"));
  auto* no_special = command.add_flag("--no-special", flags.no_special,
                                      tr("special tokens in the text are plain characters; decoding leaves them out",
                                         "글 속의 특수 토큰을 보통 글자로 다루고, 되돌릴 때는 뺍니다"));
  add_special->excludes(no_special);
  command.add_flag("--no-parse-special", flags.no_parse_special,
                   tr("special tokens in the text are plain characters", "글 속의 특수 토큰을 보통 글자로 다룹니다"));
}

}  // namespace

void add_tokenize(CLI::App& app, Job& job) {
  auto flags = std::make_shared<TokenizeFlags>();
  CLI::App* command =
      app.add_subcommand("tokenize", tr("turn text into token ids and back", "글을 토큰 번호로, 토큰 번호를 글로 바꿉니다"));
  auto* text = command->add_option(
      "TEXT", flags->text,
      tr("the text; with --decode the ids (default: stdin)", "글. --decode와 함께 쓰면 토큰 번호 (기본값: 표준 입력)"));
  text->expected(0, 1)->type_name("");
  command
      ->add_option("-m,--tokenizer,--model", flags->tokenizer,
                   tr("model or its tokenizer: folder, tokenizer.json, .gguf file, org/name",
                      "모델 또는 토크나이저: 폴더, tokenizer.json, .gguf 파일, org/name"))
      ->required()
      ->type_name("MODEL");
  auto* file = command->add_option("-f,--file", flags->file, tr("read the text from a file", "글을 파일에서 읽습니다"))
                   ->type_name("FILE");
  auto* rows = command
                   ->add_option("--jsonl", flags->rows,
                                tr("JSON rows from a file, or from stdin", "파일(없으면 표준 입력)에서 JSON 행을 읽습니다"))
                   ->expected(0, 1)
                   ->type_name("[FILE]");
  add_special_flags(*command, *flags);
  auto* decode = command->add_flag("-d,--decode", flags->decode, tr("ids to text", "토큰 번호를 글로 바꿉니다"));
  command->add_flag("--pieces", flags->pieces, tr("show each token", "토큰을 하나씩 보여 줍니다"));
  command->add_flag("--json", flags->json, tr("print JSON", "JSON으로 출력합니다"));
  text->excludes(file)->excludes(rows);
  file->excludes(rows);
  decode->excludes(rows);
  command->footer(tokenize_footer());
  command->callback([flags, rows, &job] {
    flags->has_rows = rows->count() > 0;
    job = [flags] { return run_tokenize(*flags); };
  });
}

}  // namespace minke::cli
