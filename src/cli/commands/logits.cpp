// minke logits: the numbers of a model for given tokens, to compare with another implementation.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/command.h"
#include "cli/commands/logits_run.h"
#include "cli/interrupt.h"
#include "cli/jsonl.h"
#include "cli/language.h"
#include "cli/model_argument.h"
#include "format/safetensors_writer.h"

namespace minke::cli {
namespace {

struct LogitsFlags {
  std::string model, tokens, text, rows, out, mla = "naive";
  bool has_tokens = false, has_text = false, has_rows = false;
  int n_threads = 0;
  int64_t n_batch = 1;
  LogitsOptions options;
};

// A row as it came in: its tokens, or why there are none.
struct InputRow {
  size_t line = 0;
  Result<std::vector<TokenId>> tokens;
};

Result<std::vector<TokenId>> parse_tokens(std::string_view text) {
  std::vector<TokenId> out;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at != end) {
    TokenId token = 0;
    auto [next, code] = std::from_chars(at, end, token);
    bool ends_well = code == std::errc() && (next == end || (*next == ',' && next + 1 != end));
    if (!ends_well) return error("--tokens: expected integers such as 1,2,3, got \"{}\"", text);
    out.push_back(token);
    at = next == end ? end : next + 1;
  }
  return out;
}

Result<std::vector<TokenId>> read_row(const std::string& line, size_t number) {
  Json row = TRY(parse_json(line, fmt::format("line {}", number)));
  if (!row.is_object() || !row.contains("tokens")) return error("expected a row {{\"tokens\": [...]}}");
  const Json& tokens = row["tokens"];
  if (!tokens.is_array()) return error("tokens: expected a list of integers, got {}", tokens.type_name());
  std::vector<TokenId> out;
  for (const Json& token : tokens) {
    bool fits = token.is_number_integer() &&
                (!token.is_number_unsigned() || token.get<uint64_t>() <= static_cast<uint64_t>(INT32_MAX)) &&
                token.get<int64_t>() >= INT32_MIN;
    if (!fits) return error("tokens[{}]: expected a token id, got {}", out.size(), dump_json(token));
    out.push_back(static_cast<TokenId>(token.get<int64_t>()));
  }
  return out;
}

// Shortest decimal that reads back as the same float; what JSON cannot say (NaN, infinity) is null.
void append_number(std::string& out, float value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  fmt::format_to(std::back_inserter(out), "{}", value);
}
void append_number(std::string& out, int32_t value) { fmt::format_to(std::back_inserter(out), "{}", value); }

template <typename T>
void append_matrix(std::string& out, const std::vector<T>& values, int64_t dim) {
  out += '[';
  for (size_t i = 0; i < values.size(); i++) {
    bool starts_row = i % static_cast<size_t>(dim) == 0;
    if (starts_row) out += i == 0 ? "[" : "],[";
    if (!starts_row) out += ',';
    append_number(out, values[i]);
  }
  out += values.empty() ? "]" : "]]";
}

std::string row_text(const RowLogits& row, int64_t vocab_size, bool layers) {
  std::string out = "{\"logits\":";
  append_matrix(out, row.logits, vocab_size);
  if (layers) {
    out += ",\"layers\":{";
    for (size_t i = 0; i < row.layers.size(); i++) {
      const auto& [name, activation] = row.layers[i];
      out += fmt::format("{}{}:", i == 0 ? "" : ",", dump_json(Json(name)));
      if (activation.integers.empty()) {
        append_matrix(out, activation.floats, activation.dim);
      } else {
        append_matrix(out, activation.integers, activation.dim);
      }
    }
    out += '}';
  }
  return out + "}";
}

Status print_line(const std::string& text) {
  bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fputc('\n', stdout) != EOF;
  if (!written || std::fflush(stdout) != 0) return error("cannot write to stdout");
  return {};
}

// Runs rows in batches, prints them in order, and keeps them when they go to a file.
class LogitsJob {
 public:
  LogitsJob(Model& model, const Context& context, const LogitsFlags& flags) : model_(model), context_(context), flags_(flags) {}

  // An error only when stdout or the machine fails; a bad row is printed as an error row.
  Status add(InputRow row) {
    if (row.tokens) {
      if (Status checked = check_row(*row.tokens, model_.config(), flags_.options); !checked) {
        row.tokens = tl::unexpected<Error>(checked.error());
      }
    }
    waiting_.push_back(std::move(row));
    return static_cast<int64_t>(waiting_.size()) < flags_.n_batch ? Status{} : flush();
  }

  Status flush() {
    std::vector<std::vector<TokenId>> good;
    for (const InputRow& row : waiting_) {
      if (row.tokens) good.push_back(*row.tokens);
    }
    std::vector<RowLogits> results;
    if (!good.empty()) results = TRY(run_rows(model_, std::move(good), flags_.options, context_));
    size_t next = 0;
    for (const InputRow& row : waiting_) {
      Status printed = row.tokens ? finish(results[next++]) : print_error(row);
      if (!printed) return printed;
      n_rows_++;
    }
    waiting_.clear();
    return {};
  }

  Status write_out() const {
    if (flags_.out.empty()) return {};
    std::vector<TensorSource> sources;
    for (const auto& [index, row] : kept_) add_sources(sources, row, index);
    return write_safetensors(flags_.out, sources);
  }

 private:
  Status print_error(const InputRow& row) const {
    return print_line(dump_json(Json{{"error", row.tokens.error().message}, {"line", row.line}}));
  }

  Status finish(RowLogits& row) {
    if (flags_.out.empty()) return print_line(row_text(row, model_.config().vocab_size, flags_.options.layers));
    Status printed = print_line(
        dump_json(Json{{"n_tokens", row.tokens.size()}, {"file", flags_.out}, {"tensor", fmt::format("logits.{}", n_rows_)}}));
    kept_.emplace_back(n_rows_, std::move(row));
    return printed;
  }

  template <typename T>
  static TensorSource source(std::string name, DType dtype, const std::vector<T>& values, Shape shape) {
    return tensor_source(std::move(name),
                         TensorView{dtype, std::move(shape), reinterpret_cast<const std::byte*>(values.data())});
  }

  void add_sources(std::vector<TensorSource>& sources, const RowLogits& row, size_t index) const {
    int64_t n_tokens = static_cast<int64_t>(row.tokens.size());
    sources.push_back(source(fmt::format("tokens.{}", index), DType::kI32, row.tokens, {n_tokens}));
    sources.push_back(
        source(fmt::format("logits.{}", index), DType::kF32, row.logits, {row.n_positions, model_.config().vocab_size}));
    for (const auto& [name, activation] : row.layers) {
      std::string full_name = fmt::format("{}.{}", name, index);
      Shape shape = {n_tokens, activation.dim};
      sources.push_back(activation.integers.empty() ? source(full_name, DType::kF32, activation.floats, shape)
                                                    : source(full_name, DType::kI32, activation.integers, shape));
    }
  }

  Model& model_;
  const Context& context_;
  const LogitsFlags& flags_;
  std::vector<InputRow> waiting_;
  size_t n_rows_ = 0;
  std::vector<std::pair<size_t, RowLogits>> kept_;  // for --out
};

Result<int> run_stream(LogitsJob& rows, const std::string& path) {
  bool whole = TRY(for_each_line(path, [&](const std::string& line, size_t number) {
    return rows.add({number, read_row(line, number)});
  }));
  if (!whole) return kInterruptedExit;
  TRY(rows.flush());
  TRY(rows.write_out());
  return 0;
}

// One row from the command line: what is wrong with it is the command's own failure.
Result<int> run_single(LogitsJob& rows, std::vector<TokenId> tokens, const ModelConfig& config, const LogitsFlags& flags) {
  TRY_IN(flags.has_text ? "--text" : "--tokens", check_row(tokens, config, flags.options));
  TRY(rows.add({1, std::move(tokens)}));
  TRY(rows.flush());
  TRY(rows.write_out());
  return 0;
}

Result<int> run_logits(const LogitsFlags& flags) {
  bool has_input = flags.has_tokens || flags.has_text || flags.has_rows || ::isatty(STDIN_FILENO) == 0;
  if (!has_input) return error("nothing to compute: give --tokens, --text or --jsonl, or pipe rows in");
  std::vector<TokenId> tokens;
  std::string path = TRY(resolve_model(flags.model));
  if (flags.has_tokens) tokens = TRY(parse_tokens(flags.tokens));
  if (flags.has_text) {
    Tokenizer tokenizer = TRY(load_tokenizer_for(path));
    tokens = TRY(tokenizer.encode(flags.text));
  }
  std::unique_ptr<Model> model = TRY(Model::load(path));
  Machine machine = TRY(make_machine(flags.n_threads));
  LogitsJob rows(*model, machine.context, flags);
  if (flags.has_tokens || flags.has_text) return run_single(rows, std::move(tokens), model->config(), flags);
  return run_stream(rows, flags.rows);
}

const char* logits_footer() {
  return tr(
      "Rows are {\"tokens\": [...]} -> {\"logits\": [[...] per position]}, every number the shortest decimal of its f32 (null "
      "for\n"
      "NaN). Rows with a bad token, too many tokens or none give {\"error\": ..., \"line\": n}. --text adds BOS and EOS as "
      "the\n"
      "tokenizer's configuration says. In --out row i is tokens.i and logits.i, with --layers also NAME.i.\n"
      "Example: minke logits ./DeepSeek-V2-Lite --tokens 100000,185,42 --last",
      "행은 {\"tokens\": [...]} -> {\"logits\": [[...] 위치마다]} 꼴이고, 수는 f32를 그대로 되살리는 가장 짧은 "
      "십진수입니다(NaN은 null).\n"
      "토큰이 잘못되었거나 너무 많거나 없는 행은 {\"error\": ..., \"line\": n}이 됩니다. --text는 토크나이저 설정대로 BOS와 "
      "EOS를\n"
      "붙입니다. --out 파일에서 i번째 행은 tokens.i와 logits.i이고, --layers를 쓰면 이름.i도 들어갑니다.\n"
      "예: minke logits ./DeepSeek-V2-Lite --tokens 100000,185,42 --last");
}

void add_computation_flags(CLI::App& command, LogitsFlags& flags) {
  command.add_flag("--last", flags.options.last, tr("only the last position", "마지막 위치만 보여 줍니다"));
  command.add_flag("--layers", flags.options.layers,
                   tr("the named activations of every layer as well", "레이어마다 이름 붙은 중간값도 보여 줍니다"));
  command
      .add_option("--out", flags.out, tr("write the numbers to a safetensors file instead", "수를 safetensors 파일에 씁니다"))
      ->type_name("FILE.safetensors");
  command
      .add_option("--chunk", flags.options.chunk, tr("cut the prefill into chunks of N tokens", "프리필을 토큰 N개씩 나눕니다"))
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20).description(""));
  command
      .add_option("--mla", flags.mla,
                  tr("form of MLA: naive or absorbed (default: naive)", "MLA 계산 방식: naive 또는 absorbed (기본값: naive)"))
      ->type_name("FORM")
      ->check(CLI::IsMember({"naive", "absorbed"}).description(""));
  command
      .add_option("--batch", flags.n_batch,
                  tr("run N rows as one batch (default: 1)", "행 N개를 한 배치로 계산합니다 (기본값: 1)"))
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 12).description(""));
  add_kv_flag(command, flags.options.kv);
  add_threads_flag(command, flags.n_threads);
}

}  // namespace

void add_logits(CLI::App& app, Job& job) {
  auto flags = std::make_shared<LogitsFlags>();
  CLI::App* command = app.add_subcommand(
      "logits", tr("print a model's logits for given tokens", "주어진 토큰에 대한 모델의 로짓을 출력합니다"));
  command
      ->add_option(
          "MODEL", flags->model,
          tr("model: folder, .safetensors or .gguf file, org/name", "모델: 폴더, .safetensors 또는 .gguf 파일, org/name"))
      ->required()
      ->type_name("");
  auto* tokens = command->add_option("--tokens", flags->tokens, tr("token ids: 1,2,3", "토큰 번호: 1,2,3"))->type_name("IDS");
  auto* text =
      command
          ->add_option("--text", flags->text, tr("a text, through the model's tokenizer", "글 (모델의 토크나이저를 거칩니다)"))
          ->type_name("TEXT");
  auto* rows = command
                   ->add_option("--jsonl", flags->rows,
                                tr("JSON rows from a file, or from stdin (the default)",
                                   "파일이나 표준 입력(기본값)에서 JSON 행을 읽습니다"))
                   ->expected(0, 1)
                   ->type_name("[FILE]");
  tokens->excludes(text)->excludes(rows);
  text->excludes(rows);
  add_computation_flags(*command, *flags);
  command->footer(logits_footer());
  command->callback([flags, tokens, text, rows, &job] {
    flags->has_tokens = tokens->count() > 0;
    flags->has_text = text->count() > 0;
    flags->has_rows = rows->count() > 0;
    flags->options.form = flags->mla == "absorbed" ? MlaForm::kAbsorbed : MlaForm::kNaive;
    job = [flags] { return run_logits(*flags); };
  });
}

}  // namespace minke::cli
