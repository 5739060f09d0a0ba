// minke quantize MODEL OUT.gguf --type MIX: any model that minke loads becomes a quantised GGUF.
#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/command.h"
#include "cli/conversion.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/model_argument.h"
#include "cli/terminal.h"
#include "convert/convert.h"
#include "quantize/quant_mix.h"

namespace minke::cli {
namespace {

struct QuantizeFlags {
  std::string input, output, type, importance;
  std::vector<std::string> tensor_types;
  bool allow_requantize = false, dry_run = false, force = false, json = false;
  int n_threads = 0;
};

// "blk.*.ffn_down_exps=q6_k"
Result<TensorTypeRule> parse_rule(const std::string& text) {
  size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0) return error("--tensor-type {}: expected PATTERN=TYPE", text);
  std::optional<DType> dtype = dtype_from_name(std::string_view(text).substr(equals + 1));
  bool is_writable =
      dtype && (dtype_info(*dtype).is_quantized || *dtype == DType::kF32 || *dtype == DType::kF16 || *dtype == DType::kBF16);
  if (is_writable) return TensorTypeRule{text.substr(0, equals), *dtype};
  std::vector<std::string_view> names = {"f32", "f16", "bf16"};
  for (const DTypeInfo& info : all_dtypes()) {
    if (info.is_quantized) names.push_back(info.name);
  }
  return error("--tensor-type {}: unknown type {}; known: {}", text, text.substr(equals + 1), fmt::join(names, " "));
}

Result<ConvertOptions> options_of(const QuantizeFlags& flags) {
  ConvertOptions options;
  options.format = ModelFormat::kGguf;
  options.overwrite = flags.force;
  options.dry_run = flags.dry_run;
  QuantizeOptions quantize;
  quantize.mix = flags.type;
  quantize.allow_requantize = flags.allow_requantize;
  for (const std::string& text : flags.tensor_types) quantize.tensor_types.push_back(TRY(parse_rule(text)));
  options.quantize = std::move(quantize);
  return options;
}

// Of the values before and after: root of the squared error over the squares.
double relative_error(const DTypeTotal& total) {
  return total.errors.squares > 0 ? std::sqrt(total.errors.error / total.errors.squares) : 0;
}

void print_json(const QuantizeFlags& flags, const ConvertReport& report, double seconds) {
  Json types = Json::array();
  for (const DTypeTotal& total : report.dtypes) {
    Json row = {{"type", dtype_name(total.dtype)}, {"tensors", total.n_tensors}, {"bytes", total.n_bytes}};
    if (total.errors.squares > 0) row["relative_error"] = relative_error(total);
    types.push_back(std::move(row));
  }
  Json out = {{"architecture", report.architecture},
              {"type", flags.type},
              {"output", flags.dry_run ? Json() : Json(flags.output)},
              {"bytes", report.n_bytes},
              {"tensors", report.n_tensors},
              {"types", std::move(types)},
              {"notes", report.notes},
              {"seconds", seconds}};
  fmt::print("{}\n", dump_json(out));
}

void print_text(const QuantizeFlags& flags, const ConvertReport& report, double seconds) {
  fmt::print("{:8}  {:>7}  {:>10}  {}\n", tr("type", "형식"), tr("tensors", "텐서"), tr("size", "크기"),
             flags.dry_run ? "" : tr("relative error", "상대 오차"));
  for (const DTypeTotal& total : report.dtypes) {
    std::string moved = total.errors.squares > 0 ? fmt::format("{:.4g}%", 100 * relative_error(total)) : "";
    fmt::print("{:8}  {:>7}  {:>10}  {}\n", dtype_name(total.dtype), total.n_tensors, bytes_text(total.n_bytes), moved);
  }
  for (const std::string& note : report.notes) fmt::print("{}: {}\n", tr("note", "참고"), note);
  if (flags.dry_run) {
    fmt::print("{} {}: {}\n", report.architecture, flags.type, bytes_text(report.n_bytes));
  } else {
    fmt::print("{}  {}, {}\n", flags.output, bytes_text(report.n_bytes), seconds_text(seconds));
  }
}

Result<int> run_quantize(const QuantizeFlags& flags) {
  ConvertOptions options = TRY(options_of(flags));
  Importance importance;
  if (!flags.importance.empty()) {
    importance = TRY(read_importance(flags.importance));
    options.quantize->importance = &importance;
  }
  const auto [report, seconds] =
      TRY(run_conversion(flags.input, flags.output, std::move(options), flags.n_threads, tr("quantising", "양자화 중")));
  if (report.stopped) return kInterruptedExit;
  flags.json ? print_json(flags, report, seconds) : print_text(flags, report, seconds);
  return 0;
}

const char* quantize_footer() {
  return tr(
      "TYPE is a mix as llama.cpp names them: q4_k_m is q4_k with more bits where they matter most. Norms, biases and routers\n"
      "stay f32. Rows that are no whole number of blocks get a type with smaller blocks, and the report says so.\n"
      "The relative error is the root of the squared error over the squares of the weights.\n"
      "Examples: minke quantize ./DeepSeek-V2-Lite v2-lite.gguf --type q4_k_m\n"
      "          minke quantize model.gguf out.gguf --type q4_k_m --tensor-type 'blk.*.ffn_down_exps=q6_k'",
      "TYPE은 llama.cpp가 부르는 이름의 조합입니다. q4_k_m은 중요한 곳에 비트를 더 쓴 q4_k입니다. 정규화, 편향, 라우터는\n"
      "f32로 남습니다. 행 길이가 블록의 배수가 아니면 블록이 더 작은 형식을 쓰고 그 사실을 알려 줍니다.\n"
      "상대 오차는 오차 제곱의 합을 가중치 제곱의 합으로 나눈 값의 제곱근입니다.\n"
      "예: minke quantize ./DeepSeek-V2-Lite v2-lite.gguf --type q4_k_m\n"
      "    minke quantize model.gguf out.gguf --type q4_k_m --tensor-type 'blk.*.ffn_down_exps=q6_k'");
}

void add_type_flags(CLI::App& command, QuantizeFlags& flags) {
  std::vector<std::string> names(mix_names().begin(), mix_names().end());
  command.add_option("--type", flags.type, fmt::format("{}: {}", tr("the mix", "형식 조합"), fmt::join(names, " ")))
      ->required()
      ->check(CLI::IsMember(names))
      ->type_name("TYPE");
  command
      .add_option("--tensor-type", flags.tensor_types,
                  tr("this type for matrices whose GGUF name matches the pattern; repeatable, the first match counts",
                     "GGUF 이름이 패턴에 맞는 행렬에는 이 형식을 씁니다. 여러 번 쓸 수 있고 처음 맞은 것을 따릅니다"))
      ->type_name("PATTERN=TYPE")
      ->allow_extra_args(false);
  command
      .add_option(
          "--imatrix", flags.importance,
          tr("importances of columns, made by minke imatrix or llama.cpp", "minke imatrix나 llama.cpp가 만든 열 중요도"))
      ->type_name("FILE");
  command.add_flag("--allow-requantize", flags.allow_requantize,
                   tr("also from types that are quantised already", "이미 양자화된 형식에서도 변환합니다"));
  command.add_flag("--dry-run", flags.dry_run,
                   tr("print types and sizes, write nothing", "형식과 크기만 보이고 쓰지 않습니다"));
}

}  // namespace

void add_quantize(CLI::App& app, Job& job) {
  auto flags = std::make_shared<QuantizeFlags>();
  CLI::App* command = app.add_subcommand("quantize", tr("make a smaller GGUF of a model", "모델을 더 작은 GGUF로 만듭니다"));
  command->add_option("MODEL", flags->input, tr("model: folder, .gguf file, org/name", "모델: 폴더, .gguf 파일, org/name"))
      ->required()
      ->type_name("");
  command->add_option("OUTPUT", flags->output, tr("new .gguf file", "새 .gguf 파일"))->required()->type_name("");
  add_type_flags(*command, *flags);
  add_threads_flag(*command, flags->n_threads);
  command->add_flag("--force", flags->force, tr("replace an existing output", "이미 있는 출력을 바꿉니다"));
  command->add_flag("--json", flags->json, tr("print a JSON report", "결과를 JSON으로 출력합니다"));
  command->footer(quantize_footer());
  command->callback([flags, &job] { job = [flags] { return run_quantize(*flags); }; });
}

}  // namespace minke::cli
