#include "cli/session.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <random>

#include "cli/language.h"
#include "cli/terminal.h"

namespace minke::cli {
namespace {

constexpr uint64_t kScratchBytes = uint64_t{256} << 20;

constexpr int64_t kDefaultContext = 32768;

void add_sampling_flags(CLI::App& command, GenerationFlags& f) {
  const char* group = tr("Sampling", "샘플링");
  command
      .add_option("--temp,--temperature", f.temperature,
                  tr("0 is greedy (default: the model's own, else 0.6)", "0이면 탐욕적 선택 (기본: 모델의 값, 없으면 0.6)"))
      ->group(group);
  command.add_flag("--greedy", f.greedy, tr("always the most likely token", "항상 가장 그럴듯한 토큰"))->group(group);
  command.add_option("--top-k", f.top_k, tr("choose among the K best (0: all)", "상위 K개 중에서 선택 (0: 전체)"))
      ->group(group);
  command
      .add_option("--top-p", f.top_p,
                  tr("smallest set with this probability (default: the model's own, else 0.95)",
                     "이 확률을 채우는 최소 집합에서 선택 (기본: 모델의 값, 없으면 0.95)"))
      ->group(group);
  command
      .add_option("--min-p", f.min_p,
                  tr("drop tokens below this share of the best one's probability", "최고 확률의 이 비율 미만인 토큰 제외"))
      ->group(group);
  command.add_option("--repeat-penalty,--repetition-penalty", f.repetition_penalty, tr("1 is off", "1이면 사용 안 함"))
      ->group(group);
  command.add_option("--presence-penalty", f.presence_penalty, tr("-2 to 2", "-2에서 2"))->group(group);
  command.add_option("--frequency-penalty", f.frequency_penalty, tr("-2 to 2", "-2에서 2"))->group(group);
  command.add_option("--seed", f.seed, tr("same seed, same request: same answer", "같은 시드와 같은 요청이면 같은 답"))
      ->group(group);
  command
      .add_option("--logit-bias", f.logit_bias,
                  tr("ID=VALUE, may be repeated; -100 forbids a token", "ID=값, 여러 번 가능; -100이면 그 토큰을 금지"))
      ->group(group);
}

Status apply_logit_bias(const GenerationFlags& flags, SamplingOptions& sampling) {
  for (const std::string& text : flags.logit_bias) {
    TokenId token = 0;
    float bias = 0;
    int n_read = 0;
    if (std::sscanf(text.c_str(), "%d=%f%n", &token, &bias, &n_read) != 2 || static_cast<size_t>(n_read) != text.size()) {
      return error("--logit-bias {}: expected ID=VALUE, such as 1234=-100", text);
    }
    sampling.logit_bias.push_back({token, bias});
  }
  return {};
}

// Flags first, then what the model's makers recommend.
Result<SamplingOptions> choose_sampling(const GenerationFlags& f, SamplingOptions s) {
  s.temperature = f.temperature.value_or(s.temperature);
  s.top_p = f.top_p.value_or(s.top_p);
  s.top_k = f.top_k.value_or(s.top_k);
  s.repetition_penalty = f.repetition_penalty.value_or(s.repetition_penalty);
  s.min_p = f.min_p.value_or(0.0);
  s.presence_penalty = f.presence_penalty.value_or(0.0);
  s.frequency_penalty = f.frequency_penalty.value_or(0.0);
  s.seed = f.seed ? *f.seed : std::random_device{}();
  s.n_logprobs = f.n_logprobs;
  if (f.greedy) s.temperature = 0.0;
  TRY(apply_logit_bias(f, s));
  return s;
}

Result<int64_t> choose_context(const GenerationFlags& flags, const ModelConfig& config) {
  int64_t n_tokens = flags.context_tokens > 0 ? flags.context_tokens : std::min(config.max_seq_len, kDefaultContext);
  if (n_tokens > config.max_seq_len) {
    return error("--ctx {}: the model's context is {} tokens", n_tokens, config.max_seq_len);
  }
  int64_t bytes = n_tokens * KvCache::bytes_per_token(config, flags.kv), memory = detect_cpu().memory_bytes;
  if (memory > 0 && bytes > memory) {
    return error("a KV cache of {} tokens needs {}, this machine has {} of memory; use --ctx with fewer tokens", n_tokens,
                 bytes_text(static_cast<uint64_t>(bytes)), bytes_text(static_cast<uint64_t>(memory)));
  }
  return n_tokens;
}

void add_speculation_flags(CLI::App& command, GenerationFlags& f) {
  const char* group = tr("Speculation (same tokens, sooner)", "추측 디코딩 (같은 토큰을 더 빨리)");
  command
      .add_option(
          "--speculate", f.speculate,
          tr("draft tokens and verify several at once: off, lookup (from the text so far), mtp (by the model's own module), "
             "auto (mtp, else lookup; default)",
             "토큰을 미리 짐작해 한꺼번에 확인: off, lookup (지금까지의 글에서), mtp (모델의 다중 토큰 예측), "
             "auto (mtp, 없으면 lookup; 기본)"))
      ->check(CLI::IsMember({"off", "auto", "lookup", "mtp"}))
      ->group(group);
  command
      .add_option(
          "--draft-tokens", f.max_drafts,
          tr("tokens of one draft, at most (default: mtp 1, lookup 7)", "한 번에 짐작할 최대 토큰 수 (기본: mtp 1, lookup 7)"))
      ->check(CLI::Range(1, 64))
      ->group(group);
}

Result<SpeculationOptions> choose_speculation(const GenerationFlags& flags, const ModelConfig& config) {
  SpeculationOptions options;
  options.max_drafts = flags.max_drafts;
  if (flags.speculate == "auto") options.mode = SpeculationMode::kAuto;
  if (flags.speculate == "lookup") options.mode = SpeculationMode::kLookup;
  if (flags.speculate == "mtp") options.mode = SpeculationMode::kMtp;
  if (options.mode == SpeculationMode::kMtp && config.n_mtp_layers == 0) {
    return error("--speculate mtp: {} has no layers of multi-token prediction; use lookup", flags.model);
  }
  return options;
}

// Only speculation reads the layers of multi-token prediction.
bool wants_mtp(const GenerationFlags& flags) { return flags.speculate == "auto" || flags.speculate == "mtp"; }

// What --mem leaves for weights, after the KV cache and a reserve for scratch and everything else.
Result<uint64_t> choose_weight_bytes(const GenerationFlags& flags, const std::string& path) {
  if (flags.memory_bytes == 0) return 0;
  ModelFiles files = TRY(open_model(path));
  ModelConfig config = TRY(read_model_config(files));
  if (!wants_mtp(flags)) config.n_mtp_layers = 0;
  int64_t n_tokens = TRY(choose_context(flags, config));
  uint64_t kv_bytes = static_cast<uint64_t>(n_tokens * KvCache::bytes_per_token(config, flags.kv));
  uint64_t taken = kv_bytes + std::min(kScratchBytes, flags.memory_bytes / 8);
  if (flags.memory_bytes <= taken) {
    return error("--mem {}: the KV cache of {} tokens and scratch take {}; allow more, or use --ctx with fewer tokens",
                 bytes_text(flags.memory_bytes), n_tokens, bytes_text(taken));
  }
  return flags.memory_bytes - taken;
}

}  // namespace

void add_generation_flags(CLI::App& command, GenerationFlags& f) {
  command
      .add_option("MODEL", f.model,
                  tr("a folder, a .gguf or .safetensors file, or org/name[:QUANT] from the cache",
                     "폴더, .gguf 또는 .safetensors 파일, 또는 캐시의 org/name[:QUANT]"))
      ->required();
  command
      .add_option("-n,--max-tokens", f.max_new_tokens,
                  tr("stop after so many tokens (default: when the context is full)",
                     "이만큼의 토큰 뒤에 멈춤 (기본: 문맥이 찰 때까지)"))
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("-c,--ctx", f.context_tokens,
                  tr("tokens of context (default: the model's, at most 32768)", "문맥 길이 (기본: 모델의 값, 최대 32768)"))
      ->check(CLI::PositiveNumber);
  command.add_option("--system", f.system, tr("system prompt", "시스템 프롬프트"));
  command.add_option("--stop", f.stops, tr("text that ends the answer, may be repeated", "답을 끝내는 문자열, 여러 번 가능"));
  command
      .add_option("--think", f.think,
                  tr("on or off, for models whose template can choose", "on 또는 off, 템플릿이 지원하는 모델만"))
      ->check(CLI::IsMember({"on", "off"}));
  command
      .add_option("--thoughts", f.thoughts, tr("show or hide the model's thoughts", "모델의 생각을 보이거나(show) 숨김(hide)"))
      ->check(CLI::IsMember({"show", "hide"}));
  command.add_option("--chat-template", f.template_file,
                     tr("Jinja file in place of the model's own template", "모델의 템플릿 대신 쓸 Jinja 파일"));
  command
      .add_option("--mla", f.mla,
                  tr("form of latent attention (default: naive for prompts, absorbed for answers)",
                     "잠재 어텐션의 형태 (기본: 프롬프트는 naive, 답은 absorbed)"))
      ->check(CLI::IsMember({"naive", "absorbed"}));
  command
      .add_option("--lora", f.lora,
                  tr("run with the adapter of this folder (PEFT's layout)", "이 폴더의 어댑터(PEFT 형식)와 함께 실행"))
      ->type_name("FOLDER");
  add_kv_flag(command, f.kv);
  command
      .add_option("--mem", f.memory_bytes,
                  tr("memory to use at most, such as 16G: experts that do not fit are read from disk when they are wanted",
                     "쓸 수 있는 메모리(예: 16G): 다 못 올리는 전문가는 필요할 때 디스크에서 읽음"))
      ->transform(CLI::AsSizeValue(false).description(""))
      ->type_name("SIZE");
  add_threads_flag(command, f.n_threads);
  add_sampling_flags(command, f);
  add_speculation_flags(command, f);
}

Result<Session> open_session(const GenerationFlags& flags) {
  Session session;
  std::string path = TRY(resolve_model(flags.model));
  session.machine = TRY(make_machine(flags.n_threads));
  uint64_t weight_bytes = TRY(choose_weight_bytes(flags, path));
  const LoadOptions load = {&session.machine.context, weight_bytes, wants_mtp(flags), flags.lora};
  session.lm = TRY(load_language_model(path, load, flags.template_file));
  const ModelConfig& config = session.lm.model->config();
  for (const std::string& warning : config.warnings) fmt::print(stderr, "minke: {}\n", warning);
  session.sampling = TRY(choose_sampling(flags, session.lm.sampling()));
  TRY(validate_sampling(session.sampling, config.vocab_size));
  GeneratorOptions options;
  options.context_tokens = TRY(choose_context(flags, config));
  options.kv = flags.kv;
  if (flags.mla == "naive") options.mla = MlaForm::kNaive;
  if (flags.mla == "absorbed") options.mla = MlaForm::kAbsorbed;
  options.speculation = TRY(choose_speculation(flags, config));
  session.generator =
      std::make_unique<Generator>(*session.lm.model, session.machine.context, options, session.lm.tokenizer->vocab_size());
  return session;
}

Result<std::vector<TokenId>> conversation_tokens(const Session& session, const GenerationFlags& flags, const Json& messages) {
  if (!session.lm.format) return error("the model has no chat template; give one with --chat-template, or use run --raw");
  ChatOptions options;
  if (!flags.think.empty()) options.thinks = flags.think == "on";
  ChatPrompt prompt = TRY(session.lm.format->render(messages, options));
  return std::move(prompt.tokens);
}

}  // namespace minke::cli
