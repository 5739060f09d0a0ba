// minke serve MODEL...: the APIs and the page.
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/language.h"
#include "cli/model_argument.h"
#include "cli/service.h"

namespace minke::cli {
namespace {

struct ServeFlags {
  ServiceFlags service;
  std::vector<std::string> models;
};

Result<int> serve(const ServeFlags& flags) {
  std::vector<ServiceModel> models;
  for (const std::string& name : flags.models) models.push_back({name, TRY(resolve_model(name))});
  return run_service(flags.service, models, false);
}

}  // namespace

void add_serve(CLI::App& app, Job& job) {
  auto flags = std::make_shared<ServeFlags>();
  CLI::App* command = app.add_subcommand(
      "serve", tr("serve models to OpenAI's, DeepSeek's, Anthropic's and Ollama's clients, with a chat page",
                  "OpenAI, DeepSeek, Anthropic, Ollama 클라이언트에 모델을 서비스하고 채팅 페이지를 엽니다"));
  command
      ->add_option(
          "MODEL", flags->models,
          tr("one or several: a folder, a .gguf or .safetensors file, or org/name[:QUANT] from the cache; the first is the "
             "default",
             "하나 이상: 폴더, .gguf 또는 .safetensors 파일, 또는 캐시의 org/name[:QUANT]. 첫째가 기본 모델"))
      ->required();
  add_service_flags(*command, flags->service);
  command->footer(
      tr("Example: minke serve unsloth/DeepSeek-R1-Distill-Qwen-1.5B-GGUF:Q4_K_M --port 8000\n"
         "         curl 127.0.0.1:8000/v1/chat/completions -H 'Content-Type: application/json' \\\n"
         "           -d '{\"messages\": [{\"role\": \"user\", \"content\": \"What is 17 * 24?\"}]}'",
         "예: minke serve unsloth/DeepSeek-R1-Distill-Qwen-1.5B-GGUF:Q4_K_M --port 8000\n"
         "    curl 127.0.0.1:8000/v1/chat/completions -H 'Content-Type: application/json' \\\n"
         "      -d '{\"messages\": [{\"role\": \"user\", \"content\": \"17 곱하기 24는?\"}]}'"));
  command->callback([flags, &job] { job = [flags] { return serve(*flags); }; });
}

}  // namespace minke::cli
