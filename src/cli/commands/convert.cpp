// minke convert INPUT OUTPUT: between the Hugging Face layout and GGUF, and to another dtype.
#include "convert/convert.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/command.h"
#include "cli/conversion.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/model_argument.h"
#include "cli/terminal.h"

namespace minke::cli {
namespace {

struct ConvertFlags {
  std::string input, output;
  std::string format, dtype = "keep", mla, lora;
  uint64_t max_shard_bytes = 0;
  bool no_mtp = false, has_max_shard = false, force = false, json = false;
  int n_threads = 0;
};

std::string_view format_name(ModelFormat format) { return format == ModelFormat::kGguf ? "gguf" : "hf"; }

ConvertOptions options_of(const ConvertFlags& flags) {
  ConvertOptions options;
  if (!flags.format.empty()) options.format = flags.format == "gguf" ? ModelFormat::kGguf : ModelFormat::kSafetensors;
  if (flags.dtype != "keep") options.dtype = dtype_from_name(flags.dtype);
  if (!flags.mla.empty()) options.mla = flags.mla == "split" ? MlaLayout::kSplit : MlaLayout::kClassic;
  if (flags.has_max_shard) options.max_shard_bytes = flags.max_shard_bytes;
  options.mtp = !flags.no_mtp;
  options.lora = flags.lora;
  options.overwrite = flags.force;
  return options;
}

void print_json(const ConvertReport& report, double seconds) {
  Json files = Json::array(), dtypes = Json::object();
  for (const auto& [path, size] : report.files) files.push_back({{"path", path}, {"bytes", size}});
  for (const auto& [name, count] : report.dtype_counts) dtypes[name] = count;
  Json out = {{"architecture", report.architecture},
              {"from", format_name(report.from)},
              {"to", format_name(report.to)},
              {"files", std::move(files)},
              {"bytes", report.n_bytes},
              {"tensors", report.n_tensors},
              {"dtypes", std::move(dtypes)},
              {"notes", report.notes},
              {"seconds", seconds}};
  fmt::print("{}\n", dump_json(out));
}

void print_text(const ConvertReport& report, double seconds) {
  for (const auto& [path, size] : report.files) fmt::print("{}  {}\n", path, bytes_text(size));
  std::string dtypes;
  for (const auto& [name, count] : report.dtype_counts)
    dtypes += fmt::format("{}{} {}", dtypes.empty() ? "" : ", ", count, name);
  for (const std::string& note : report.notes) fmt::print("{}: {}\n", tr("note", "참고"), note);
  fmt::print("{} {} -> {}: {} {} ({}), {}, {}\n", report.architecture, format_name(report.from), format_name(report.to),
             report.n_tensors, tr("tensors", "텐서"), dtypes, bytes_text(report.n_bytes), seconds_text(seconds));
}

Result<int> run_convert(const ConvertFlags& flags) {
  const auto [report, seconds] =
      TRY(run_conversion(flags.input, flags.output, options_of(flags), flags.n_threads, tr("converting", "변환 중")));
  if (report.stopped) return kInterruptedExit;
  flags.json ? print_json(report, seconds) : print_text(report, seconds);
  return 0;
}

const char* convert_footer() {
  return tr(
      "The output is seen under its name only when it is whole. Nothing is rounded unless --dtype asks for it, with two\n"
      "exceptions that are reported: FP8 becomes bf16 in GGUF, and GGUF's quantised matrices become f32 in the hf layout.\n"
      "Examples: minke convert ./DeepSeek-V2-Lite v2-lite.gguf --dtype q8_0\n"
      "          minke convert model.gguf ./model --dtype bf16\n"
      "          minke convert ./model ./tuned --lora out/sft/step-000500",
      "출력은 온전히 다 쓰인 뒤에야 그 이름으로 보입니다. --dtype 없이는 값을 반올림하지 않으며, 예외 둘은 알려 줍니다:\n"
      "GGUF에서 FP8은 bf16이 되고, GGUF의 양자화 행렬은 hf 형식에서 f32가 됩니다.\n"
      "예: minke convert ./DeepSeek-V2-Lite v2-lite.gguf --dtype q8_0\n"
      "    minke convert model.gguf ./model --dtype bf16\n"
      "    minke convert ./model ./tuned --lora out/sft/step-000500");
}

void add_format_flags(CLI::App& command, ConvertFlags& flags) {
  command
      .add_option("--to", flags.format,
                  tr("gguf or hf (default: gguf when OUTPUT ends in .gguf, else hf)",
                     "gguf 또는 hf (기본값: OUTPUT이 .gguf로 끝나면 gguf, 아니면 hf)"))
      ->check(CLI::IsMember({"hf", "gguf"}))
      ->type_name("FORMAT");
  command
      .add_option(
          "--dtype", flags.dtype,
          tr("keep, f32, bf16, f16, or q8_0 for gguf (default: keep)", "keep, f32, bf16, f16, gguf에는 q8_0도 (기본값: keep)"))
      ->check(CLI::IsMember({"keep", "f32", "bf16", "f16", "q8_0"}))
      ->type_name("DTYPE");
  command
      .add_option("--mla", flags.mla,
                  tr("DeepSeek's latent attention in gguf: split (current llama.cpp) or classic (one matrix)",
                     "gguf에 담는 DeepSeek 잠재 어텐션의 형태: split (지금의 llama.cpp) 또는 classic (행렬 하나)"))
      ->check(CLI::IsMember({"split", "classic"}))
      ->type_name("LAYOUT");
  command
      .add_option("--lora", flags.lora,
                  tr("add the adapter of this folder (PEFT's layout) to the weights; quantised ones need a --dtype of floats",
                     "이 폴더의 어댑터(PEFT 형식)를 가중치에 더합니다. 양자화된 가중치에는 실수형 --dtype이 필요합니다"))
      ->type_name("FOLDER");
  command.add_flag("--no-mtp", flags.no_mtp,
                   tr("gguf without the layers of multi-token prediction, for programs that do not know them",
                      "gguf에 다중 토큰 예측 층을 넣지 않음 (이를 모르는 프로그램용)"));
}

}  // namespace

void add_convert(CLI::App& app, Job& job) {
  auto flags = std::make_shared<ConvertFlags>();
  CLI::App* command = app.add_subcommand("convert", tr("convert a model between the Hugging Face layout and GGUF",
                                                       "모델을 Hugging Face 형식과 GGUF 사이에서 변환합니다"));
  command->add_option("INPUT", flags->input, tr("model: folder, .gguf file, org/name", "모델: 폴더, .gguf 파일, org/name"))
      ->required()
      ->type_name("");
  command->add_option("OUTPUT", flags->output, tr("new folder or .gguf file", "새 폴더 또는 .gguf 파일"))
      ->required()
      ->type_name("");
  add_format_flags(*command, *flags);
  auto* max_shard =
      command
          ->add_option("--max-shard", flags->max_shard_bytes,
                       tr("cut the weights into files of at most this size, 0 never (default: 5GB for hf, one file for gguf)",
                          "가중치를 이 크기 이하의 파일로 나눕니다. 0은 나누지 않음 (기본값: hf는 5GB, gguf는 한 파일)"))
          ->transform(CLI::AsSizeValue(true))
          ->type_name("SIZE");
  add_threads_flag(*command, flags->n_threads);
  command->add_flag("--force", flags->force, tr("replace an existing output", "이미 있는 출력을 바꿉니다"));
  command->add_flag("--json", flags->json, tr("print a JSON report", "결과를 JSON으로 출력합니다"));
  command->footer(convert_footer());
  command->callback([flags, max_shard, &job] {
    flags->has_max_shard = max_shard->count() > 0;
    job = [flags] { return run_convert(*flags); };
  });
}

}  // namespace minke::cli
