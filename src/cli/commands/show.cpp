// minke show MODEL: what a model is, what it needs, and what is in its files.
#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/command.h"
#include "cli/commands/model_report.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/model_argument.h"
#include "cli/terminal.h"
#include "model/kv_cache.h"

namespace minke::cli {
namespace {

struct ShowFlags {
  std::string model, context;
  bool tensors = false, json = false, hash = false;
};

struct MemoryRow {
  int64_t n_tokens;
  uint64_t kv_bytes, total_bytes;
};

Result<std::vector<int64_t>> parse_contexts(const std::string& text, int64_t max_seq_len) {
  std::vector<int64_t> out;
  const char* end = text.data() + text.size();
  for (const char* at = text.data(); at <= end;) {
    int64_t n = 0;
    auto [next, code] = std::from_chars(at, end, n);
    if (code != std::errc() || (next != end && *next != ',')) {
      return error("--context: expected numbers of tokens such as 4096,32768, got \"{}\"", text);
    }
    if (n < 1 || n > max_seq_len) return error("--context: {} tokens: this model takes 1 to {}", n, max_seq_len);
    out.push_back(n);
    at = next + 1;
  }
  return out;
}

Result<std::vector<MemoryRow>> memory_rows(const ModelReport& report, const std::string& asked) {
  std::vector<int64_t> contexts;
  int64_t longest = report.config.max_seq_len;
  if (asked.empty()) {
    for (int64_t n : {int64_t{4096}, int64_t{32768}}) {
      if (n < longest) contexts.push_back(n);
    }
    contexts.push_back(longest);
  } else {
    contexts = TRY(parse_contexts(asked, longest));
  }
  std::vector<MemoryRow> rows;
  uint64_t per_token = static_cast<uint64_t>(KvCache::bytes_per_token(report.config, DType::kF16));
  for (int64_t n : contexts) {
    uint64_t kv_bytes = per_token * static_cast<uint64_t>(n);
    rows.push_back({n, kv_bytes, report.weight_bytes + kv_bytes});
  }
  return rows;
}

Json parameters_json(const ParameterCount& p) {
  Json out = {{"total", p.total()}, {"active", p.active}};
  std::pair<const char*, int64_t> parts[] = {{"embedding", p.embedding},
                                             {"lm_head", p.lm_head},
                                             {"attention", p.attention},
                                             {"dense_mlp", p.dense_mlp},
                                             {"shared_experts", p.shared_experts},
                                             {"routed_experts", p.routed_experts},
                                             {"routers", p.routers},
                                             {"norms", p.norms},
                                             {"mtp", p.mtp}};
  for (const auto& [name, n] : parts) {
    if (n > 0) out[name] = n;
  }
  return out;
}

const char* tokenizer_kind(const TokenizerSpec& spec) {
  if (!spec.scores.empty()) return "SentencePiece BPE";
  return spec.byte_level() ? "byte-level BPE" : "BPE";
}

Json token_json(const Tokenizer& tokenizer, TokenId id) { return Json{{"id", id}, {"text", tokenizer.token_text(id)}}; }

Json tokenizer_json(const Result<Tokenizer>& tokenizer) {
  if (!tokenizer) return Json{{"error", tokenizer.error().message}};
  Json out = {{"kind", tokenizer_kind(tokenizer->spec())}, {"vocab_size", tokenizer->vocab_size()}};
  if (auto id = tokenizer->bos()) out["bos"] = token_json(*tokenizer, *id);
  out["eos"] = Json::array();
  for (TokenId id : tokenizer->eos_ids()) out["eos"].push_back(token_json(*tokenizer, id));
  if (auto id = tokenizer->pad()) out["pad"] = token_json(*tokenizer, *id);
  out["chat_templates"] = Json::array();
  for (const ChatTemplate& entry : tokenizer->chat_templates()) out["chat_templates"].push_back(entry.name);
  return out;
}

Json tensors_json(const ModelReport& report) {
  Json out = Json::array();
  for (const ReportedTensor& tensor : report.tensors) {
    out.push_back(Json{{"name", tensor.name},
                       {"dtype", tensor.dtype},
                       {"shape", tensor.shape},
                       {"bytes", tensor.n_bytes},
                       {"file", report.files[tensor.file].path}});
  }
  return out;
}

void print_json(const ModelReport& report, const std::vector<MemoryRow>& memory, const std::vector<std::string>& hashes,
                bool tensors) {
  Json out = {{"path", report.path}, {"format", report.format}, {"architecture", report.config.architecture}};
  for (const auto& [name, group] : config_groups(report.config)) out["config"].update(group);
  out["parameters"] = parameters_json(report.parameters);
  out["tokenizer"] = tokenizer_json(report.tokenizer);
  out["weight_bytes"] = report.weight_bytes;
  out["weight_bytes_by_dtype"] = report.bytes_of_dtype;
  out["kv_bytes_per_token"] = KvCache::bytes_per_token(report.config, DType::kF16);
  for (const MemoryRow& row : memory) {
    out["memory"].push_back(Json{{"n_tokens", row.n_tokens}, {"kv_bytes", row.kv_bytes}, {"total_bytes", row.total_bytes}});
  }
  for (size_t i = 0; i < report.files.size(); i++) {
    Json file = {{"path", report.files[i].path}, {"bytes", report.files[i].n_bytes}};
    if (!hashes.empty()) file["sha256"] = hashes[i];
    out["files"].push_back(std::move(file));
  }
  out["structure_fingerprint"] = report.structure_fingerprint;
  out["warnings"] = report.config.warnings;
  if (tensors) out["tensors"] = tensors_json(report);
  fmt::print("{}\n", dump_json(out, 2));
}

void print_line(std::string_view key, std::string_view value) { fmt::print("  {:<24} {}\n", key, value); }

std::string plain_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? tr("yes", "예") : tr("no", "아니요");
  if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
  return dump_json(value);
}

void print_tokenizer(const Result<Tokenizer>& tokenizer) {
  if (!tokenizer) {
    fmt::print("  {}\n", tokenizer.error().message);
    return;
  }
  auto token_line = [&](std::string_view key, TokenId id) {
    print_line(key, fmt::format("{} {}", id, tokenizer->token_text(id)));
  };
  print_line("kind", tokenizer_kind(tokenizer->spec()));
  print_line("vocab_size", fmt::format("{}", tokenizer->vocab_size()));
  if (auto id = tokenizer->bos()) token_line("bos", *id);
  for (TokenId id : tokenizer->eos_ids()) token_line("eos", id);
  if (auto id = tokenizer->pad()) token_line("pad", *id);
  std::string names;
  for (const ChatTemplate& entry : tokenizer->chat_templates()) names += (names.empty() ? "" : ", ") + entry.name;
  print_line("chat_template", names.empty() ? tr("none", "없음") : names);
}

void print_tensors(const ModelReport& report) {
  size_t width = 0;
  for (const ReportedTensor& tensor : report.tensors) width = std::max(width, tensor.name.size());
  for (const ReportedTensor& tensor : report.tensors) {
    std::string_view file = report.files[tensor.file].path;
    file.remove_prefix(file.rfind('/') + 1);
    fmt::print("  {:<{}}  {:<7} {:<16} {:>9}  {}\n", tensor.name, width, tensor.dtype, shape_text(tensor.shape),
               bytes_text(tensor.n_bytes), file);
  }
}

void print_text(const ModelReport& report, const std::vector<MemoryRow>& memory, const std::vector<std::string>& hashes,
                bool tensors) {
  Style style = style_of(STDOUT_FILENO);
  auto heading = [&](std::string_view text) { fmt::print("\n{}{}{}\n", style.bold, text, style.reset); };
  fmt::print("{}{}{}  {}\n", style.bold, report.config.architecture, style.reset, report.path);
  for (const auto& [name, group] : config_groups(report.config)) {
    heading(name);
    for (const auto& [key, value] : group.items()) print_line(key, plain_text(value));
  }
  heading(tr("parameters", "파라미터"));
  Json parameters = parameters_json(report.parameters);
  for (const auto& [key, n] : parameters.items()) print_line(key, count_text(n.get<int64_t>()));
  heading(tr("tokenizer", "토크나이저"));
  print_tokenizer(report.tokenizer);
  heading(tr("weights", "가중치"));
  const char* format = report.files.size() == 1 ? tr("{}, {} file", "{}, 파일 {}개") : tr("{}, {} files", "{}, 파일 {}개");
  print_line("format", fmt::format(fmt::runtime(format), report.format, report.files.size()));
  for (const auto& [dtype, n_bytes] : report.bytes_of_dtype) print_line(dtype, bytes_text(n_bytes));
  print_line("structure fingerprint", report.structure_fingerprint);
  heading(tr("memory (weights + KV cache in f16)", "메모리 (가중치 + f16 KV 캐시)"));
  for (const MemoryRow& row : memory) {
    std::string key = fmt::format("{} {}", row.n_tokens, tr("tokens", "토큰"));
    print_line(key, fmt::format("{} = {} + {}", bytes_text(row.total_bytes), bytes_text(report.weight_bytes),
                                bytes_text(row.kv_bytes)));
  }
  if (!hashes.empty()) heading("SHA-256");
  for (size_t i = 0; i < hashes.size(); i++) fmt::print("  {}  {}\n", hashes[i], report.files[i].path);
  if (tensors) {
    heading(tr("tensors", "텐서"));
    print_tensors(report);
  }
}

Result<int> run_show(const ShowFlags& flags) {
  std::string path = TRY(resolve_model(flags.model));
  ModelReport report = TRY(report_model(path));
  std::vector<MemoryRow> memory = TRY(memory_rows(report, flags.context));
  std::vector<std::string> hashes;
  if (flags.hash) {
    auto hashed = TRY(hash_files(report.files));
    if (!hashed) return kInterruptedExit;
    hashes = std::move(*hashed);
  }
  for (const std::string& warning : report.config.warnings)
    fmt::print(stderr, "minke: {}: {}\n", tr("warning", "경고"), warning);
  flags.json ? print_json(report, memory, hashes, flags.tensors) : print_text(report, memory, hashes, flags.tensors);
  return 0;
}

}  // namespace

void add_show(CLI::App& app, Job& job) {
  auto flags = std::make_shared<ShowFlags>();
  CLI::App* command =
      app.add_subcommand("show", tr("show what a model is and what it needs", "모델의 구조와 필요한 메모리를 보여 줍니다"));
  command
      ->add_option(
          "MODEL", flags->model,
          tr("model: folder, .safetensors or .gguf file, org/name", "모델: 폴더, .safetensors 또는 .gguf 파일, org/name"))
      ->required()
      ->type_name("");
  command->add_flag("--tensors", flags->tensors, tr("list every tensor", "모든 텐서를 나열합니다"));
  command->add_flag(
      "--hash", flags->hash,
      tr("SHA-256 of every weight file (reads them whole)", "가중치 파일마다 SHA-256을 계산합니다 (파일 전체를 읽습니다)"));
  command
      ->add_option("--context", flags->context,
                   tr("memory for these context lengths: N,N,...", "메모리를 계산할 컨텍스트 길이: N,N,..."))
      ->type_name("N,...");
  command->add_flag("--json", flags->json, tr("print JSON", "JSON으로 출력합니다"));
  command->footer(
      tr("The structure fingerprint is a SHA-256 of tensor names, dtypes, shapes and the configuration, not of the weights.\n"
         "Example: minke show ./DeepSeek-V2-Lite --context 4096,16384",
         "structure fingerprint는 가중치가 아니라 텐서의 이름, dtype, 모양과 설정의 SHA-256입니다.\n"
         "예: minke show ./DeepSeek-V2-Lite --context 4096,16384"));
  command->callback([flags, &job] { job = [flags] { return run_show(*flags); }; });
}

}  // namespace minke::cli
