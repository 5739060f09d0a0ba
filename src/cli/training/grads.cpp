// minke grads MODEL --tokens FILE.jsonl --out FILE.safetensors: loss and gradients, for comparing with autograd.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/command.h"
#include "cli/language.h"
#include "cli/model_argument.h"
#include "cli/terminal.h"
#include "format/safetensors_writer.h"
#include "train/optimizer/optimizer.h"
#include "train/parameters.h"
#include "train/row_file.h"

namespace minke::cli {
namespace {

struct GradsFlags {
  std::string model, tokens, output;
  double balance_alpha = 0, mtp_lambda = 0;
  int n_threads = 0;
  bool recompute = false, force = false, json = false;
};

Status write_gradients(const std::string& path, const ParameterStore& store) {
  std::vector<TensorSource> sources;
  for (const Parameter& p : store.parameters()) {
    sources.push_back(tensor_source(p.name, {DType::kF32, p.shape, reinterpret_cast<const std::byte*>(p.grad)}));
  }
  return write_safetensors(path, sources);
}

Result<int> run_grads(const GradsFlags& flags) {
  if (std::filesystem::exists(flags.output) && !flags.force) {
    return error("{}: exists already; --force replaces it", flags.output);
  }
  const Machine machine = TRY(make_machine(flags.n_threads));
  const std::string path = TRY(resolve_model(flags.model));
  const std::unique_ptr<Model> source = TRY(Model::load(path));
  const ModelConfig& c = source->config();
  if (flags.balance_alpha > 0 && c.moe.n_routed_experts == 0) return error("--balance-alpha: the model has no experts");
  if (flags.mtp_lambda > 0 && c.n_mtp_layers == 0) {
    return error("--mtp-lambda: the checkpoint has no layer of multi-token prediction");
  }
  const TrainingRows rows = TRY(read_row_file(flags.tokens, c.vocab_size));
  const std::unique_ptr<Model> model = Model::create(c);
  const std::unique_ptr<ParameterStore> store = TRY(ParameterStore::create(c, model->mutable_weights(), {}));
  TRY(store->copy_from(*source, machine.context));
  TrainingPass pass = TRY(TrainingPass::create(*model));
  LossOptions options;
  options.balance_alpha = flags.balance_alpha;
  options.n_rows = static_cast<int64_t>(rows.row_lengths.size());
  options.mtp_lambda = flags.mtp_lambda;
  options.mtp_weight_factor = mean_mtp_factor(rows);
  options.recompute = flags.recompute;
  const LossParts parts = TRY(pass.run(rows, options, machine.context));
  TRY(write_gradients(flags.output, *store));
  const double norm = grad_norm(store->parameters(), machine.context);
  if (flags.json) {
    const Json out = {{"loss", parts.total},
                      {"cross_entropy", parts.cross_entropy},
                      {"balance", parts.balance},
                      {"mtp", parts.mtp},
                      {"grad_norm", norm},
                      {"rows", options.n_rows},
                      {"tensors", store->parameters().size()},
                      {"output", flags.output}};
    fmt::print("{}\n", dump_json(out));
    return 0;
  }
  fmt::print("loss {:.8f} = {} {:.8f} + {} x {} {:.8f} + {} x MTP {:.8f}\n", parts.total, tr("cross entropy", "교차 엔트로피"),
             parts.cross_entropy, flags.balance_alpha, tr("balance", "균형"), parts.balance, flags.mtp_lambda, parts.mtp);
  fmt::print("|g| {:.6g}, {} {} -> {}\n", norm, store->parameters().size(), tr("tensors", "텐서"), flags.output);
  return 0;
}

}  // namespace

void add_grads(CLI::App& app, Job& job) {
  auto flags = std::make_shared<GradsFlags>();
  CLI::App* command =
      app.add_subcommand("grads", tr("compute loss and gradients of given rows", "주어진 행들의 손실과 기울기를 계산합니다"));
  command->add_option("MODEL", flags->model, tr("model folder in the Hugging Face layout", "Hugging Face 형식의 모델 폴더"))
      ->required()
      ->type_name("");
  command
      ->add_option("--tokens", flags->tokens,
                   tr("JSONL rows: {\"tokens\": [...], \"mask\": [...]}", "JSONL 행: {\"tokens\": [...], \"mask\": [...]}"))
      ->required()
      ->type_name("FILE");
  command->add_option("-o,--out", flags->output, tr("new safetensors file", "새 safetensors 파일"))
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--balance-alpha", flags->balance_alpha,
                   tr("weight of the balance loss (default: 0)", "균형 손실의 비중 (기본값: 0)"))
      ->check(CLI::Range(0.0, 1e6))
      ->type_name("A");
  command
      ->add_option("--mtp-lambda", flags->mtp_lambda,
                   tr("weight of multi-token prediction (default: 0)", "다중 토큰 예측의 비중 (기본값: 0)"))
      ->check(CLI::Range(0.0, 1e6))
      ->type_name("L");
  command->add_flag("--recompute", flags->recompute,
                    tr("keep less, compute layers again; the same bits", "덜 저장하고 층을 다시 계산합니다 (같은 비트)"));
  add_threads_flag(*command, flags->n_threads);
  command->add_flag("--force", flags->force, tr("replace an existing output", "이미 있는 출력을 바꿉니다"));
  command->add_flag("--json", flags->json, tr("print JSON", "JSON으로 출력합니다"));
  command->footer(tr(
      "Every token but the last enters the model and should be followed by the next; mask 0 leaves a target out. The loss is\n"
      "the mean over all targets that count. Gradients are f32 under the checkpoint's names; reference/check_grads.py "
      "compares\n"
      "them with PyTorch's.\n"
      "Example: minke grads ./model --tokens rows.jsonl --out grads.safetensors",
      "마지막을 뺀 모든 토큰이 모델에 들어가고 다음 토큰을 맞혀야 합니다. mask가 0이면 그 목표는 빠집니다. 손실은 세는 목표\n"
      "전체의 평균이고, 기울기는 체크포인트의 이름을 가진 f32입니다. reference/check_grads.py가 PyTorch와 견줍니다.\n"
      "예: minke grads ./model --tokens rows.jsonl --out grads.safetensors"));
  command->callback([flags, &job] { job = [flags] { return run_grads(*flags); }; });
}

}  // namespace minke::cli
