// minke run MODEL [PROMPT]: one answer to stdout.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/session.h"
#include "cli/terminal.h"

namespace minke::cli {
namespace {

struct RunFlags {
  GenerationFlags generation;
  std::optional<std::string> prompt;
  std::string prompt_file;
  bool raw = false;
  bool json = false;
  bool quiet = false;
};

Result<std::string> read_prompt(const RunFlags& flags) {
  if (!flags.prompt_file.empty()) return read_file(flags.prompt_file, size_t{256} << 20);
  if (flags.prompt && *flags.prompt != "-") return *flags.prompt;
  if (!flags.prompt && ::isatty(STDIN_FILENO) != 0) {
    return error("no prompt; give it after MODEL, with --file, or on stdin");
  }
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

Result<std::vector<TokenId>> prompt_tokens(const Session& session, const RunFlags& flags, const std::string& prompt) {
  // A model without a template is a base model: it continues text.
  if (flags.raw || !session.lm.format) return session.lm.tokenizer->encode(prompt);
  Json messages = Json::array();
  if (!flags.generation.system.empty()) messages.push_back({{"role", "system"}, {"content", flags.generation.system}});
  messages.push_back({{"role", "user"}, {"content", prompt}});
  return conversation_tokens(session, flags.generation, messages);
}

Json logprob_json(const Tokenizer& tokenizer, TokenId token, float logprob) {
  return {{"id", token}, {"token", utf8_lossy(tokenizer.token_bytes(token))}, {"logprob", logprob}};
}

Json answer_json(const Session& session, const Answer& answer) {
  const GenerateResult& r = answer.result;
  Json json = {{"text", answer.text}};
  if (!answer.thought.empty()) json["thought"] = answer.thought;
  json["finish_reason"] = std::string(finish_reason_name(r.reason));
  json["seed"] = session.sampling.seed;
  json["usage"] = {{"prompt_tokens", r.n_prompt},
                   {"answer_tokens", r.n_answered},
                   {"thought_tokens", r.n_thought},
                   {"prompt_s", r.prompt_s},
                   {"answer_s", r.answer_s}};
  if (r.n_drafted > 0) {
    json["speculation"] = {
        {"drafted_tokens", r.n_drafted}, {"accepted_tokens", r.n_accepted}, {"estimated_gain", r.speculation_gain}};
  }
  if (!answer.tokens.empty()) {
    Json tokens = Json::array();
    for (const GeneratedToken& token : answer.tokens) {
      Json row = logprob_json(*session.lm.tokenizer, token.sampled.token, token.sampled.logprob);
      for (const TokenLogprob& top : token.sampled.top)
        row["top"].push_back(logprob_json(*session.lm.tokenizer, top.token, top.logprob));
      tokens.push_back(std::move(row));
    }
    json["logprobs"] = std::move(tokens);
  }
  return json;
}

Result<int> run(const RunFlags& flags) {
  std::string prompt = TRY(read_prompt(flags));
  Session session = TRY(open_session(flags.generation));
  std::vector<TokenId> tokens = TRY(prompt_tokens(session, flags, prompt));
  Answer answer = TRY(generate_answer(session, flags.generation, std::move(tokens), {.print = !flags.json}));
  if (flags.json) {
    fmt::print("{}\n", dump_json(answer_json(session, answer)));
  } else if (!answer.text.ends_with('\n')) {
    fmt::print("\n");
  }
  if (!flags.quiet && is_terminal(STDERR_FILENO)) {
    Style style = style_of(STDERR_FILENO);
    fmt::print(stderr, "{}{} · seed {}{}\n", style.dim, speed_text(answer.result), session.sampling.seed, style.reset);
  }
  return answer.interrupted ? kInterruptedExit : 0;
}

}  // namespace

void add_run(CLI::App& app, Job& job) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* command = app.add_subcommand("run", tr("answer one prompt on stdout", "프롬프트 하나에 답해 표준 출력에 씁니다"));
  add_generation_flags(*command, flags->generation);
  command->add_option("PROMPT", flags->prompt, tr("the prompt; - or nothing: stdin", "프롬프트; - 이거나 없으면 표준 입력"));
  command->add_option("-f,--file", flags->prompt_file, tr("read the prompt from a file", "프롬프트를 파일에서 읽음"));
  command->add_flag("--raw", flags->raw,
                    tr("continue the text as it is, without the chat template", "채팅 템플릿 없이 글을 그대로 이어 씀"));
  command
      ->add_option("--logprobs", flags->generation.n_logprobs,
                   tr("with --json: log-probabilities of each token and of the N most likely",
                      "--json과 함께: 각 토큰과 상위 N개의 로그 확률"))
      ->check(CLI::Range(0, 100));
  command->add_flag("--json", flags->json,
                    tr("one JSON object with text, thought, usage", "글, 생각, 사용량을 담은 JSON 하나"));
  command->add_flag("-q,--quiet", flags->quiet, tr("no line about speed", "속도 표시 없음"));
  command->footer(tr("Example: minke run models/DeepSeek-R1-Distill-Qwen-1.5B \"What is 17 * 24?\"",
                     "예: minke run models/DeepSeek-R1-Distill-Qwen-1.5B \"17 곱하기 24는?\""));
  command->callback([flags, &job] { job = [flags] { return run(*flags); }; });
}

}  // namespace minke::cli
