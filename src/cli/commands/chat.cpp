// minke chat MODEL: a conversation in the terminal.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/line_editor.h"
#include "cli/session.h"
#include "cli/terminal.h"

namespace minke::cli {
namespace {

class Conversation {
 public:
  Conversation(Session& session, GenerationFlags& flags) : session_(session), flags_(flags) { clear(); }

  void clear() {
    messages_ = Json::array();
    if (!flags_.system.empty()) messages_.push_back({{"role", "system"}, {"content", flags_.system}});
  }
  Status ask(const std::string& text) {
    messages_.push_back({{"role", "user"}, {"content", text}});
    return answer();
  }
  // Drops the last answer and makes another one.
  Status again() {
    if (!messages_.empty() && messages_.back()["role"] == "assistant") messages_.erase(messages_.size() - 1);
    if (messages_.empty() || messages_.back()["role"] != "user")
      return error("{}", tr("nothing was asked yet", "아직 질문이 없습니다"));
    session_.sampling.seed++;
    return answer();
  }

 private:
  Status answer() {
    Result<Answer> answer = try_answer();
    if (!answer) {
      messages_.erase(messages_.size() - 1);  // the question that could not be answered
      return in_context(tr("not answered", "답하지 못함"), std::move(answer.error()));
    }
    messages_.push_back({{"role", "assistant"}, {"content", answer->text}});
    Style style = style_of(STDOUT_FILENO);
    fmt::print("\n{}{}{}\n", style.dim, speed_text(answer->result), style.reset);
    if (answer->result.reason == FinishReason::kContextFull) {
      fmt::print("{}\n", tr("The context is full. /clear starts a new conversation; --ctx makes more room.",
                            "문맥이 가득 찼습니다. /clear 로 새 대화를 시작하거나 --ctx 로 늘리세요."));
    }
    return {};
  }
  Result<Answer> try_answer() {
    std::vector<TokenId> tokens = TRY(conversation_tokens(session_, flags_, messages_));
    return generate_answer(session_, flags_, std::move(tokens), {.print = true, .interrupt_ends_thought = true});
  }

  Session& session_;
  GenerationFlags& flags_;
  Json messages_;
};

const char* help_text() {
  return tr(
      "/again          another answer to the last question\n"
      "/clear          forget the conversation\n"
      "/system TEXT    new system prompt (starts a new conversation)\n"
      "/think on|off   for models whose template can choose\n"
      "/help           this list\n"
      "/exit           leave (also Ctrl-D)\n"
      "Ctrl-C ends the thought first, then the answer.",
      "/again          마지막 질문에 다시 답하기\n"
      "/clear          대화 잊기\n"
      "/system TEXT    시스템 프롬프트 바꾸기 (새 대화 시작)\n"
      "/think on|off   템플릿이 지원하는 모델만\n"
      "/help           이 목록\n"
      "/exit           끝내기 (Ctrl-D도 가능)\n"
      "Ctrl-C는 먼저 생각을, 다음에는 답을 끝냅니다.");
}

// False to leave.
Result<bool> run_command(const std::string& line, GenerationFlags& flags, Conversation& conversation) {
  size_t space = line.find(' ');
  std::string name = line.substr(0, space);
  std::string argument = space == std::string::npos ? "" : line.substr(space + 1);
  if (name == "/exit" || name == "/quit" || name == "/bye") return false;
  if (name == "/help" || name == "/?") {
    fmt::print("{}\n", help_text());
  } else if (name == "/clear") {
    conversation.clear();
  } else if (name == "/system") {
    flags.system = argument;
    conversation.clear();
  } else if (name == "/again") {
    TRY(conversation.again());
  } else if (name == "/think") {
    if (argument != "on" && argument != "off") return error("/think {}: expected on or off", argument);
    flags.think = argument;
  } else {
    return error("{} {}", name, tr("is not a command; /help lists them", "는 없는 명령입니다. /help 로 목록을 보세요"));
  }
  return true;
}

Result<int> chat(GenerationFlags& flags) {
  Session session = TRY(open_session(flags));
  if (!session.lm.format) {
    return error("{}: no chat template, so it cannot chat; use minke run --raw, or give a template with --chat-template",
                 flags.model);
  }
  Conversation conversation(session, flags);
  LineEditor editor;
  if (editor.is_interactive()) {
    fmt::print("{}\n", tr("Type a message; /help lists commands.", "메시지를 입력하세요. /help 로 명령을 볼 수 있습니다."));
  }
  while (std::optional<std::string> line = editor.read("> ")) {
    if (line->empty()) continue;
    Result<bool> going_on = true;
    if (line->starts_with('/')) {
      going_on = run_command(*line, flags, conversation);
    } else if (Status asked = conversation.ask(*line); !asked) {
      going_on = tl::unexpected<Error>(asked.error());
    }
    if (!going_on) {
      fmt::print(stderr, "minke: {}\n", going_on.error().message);
    } else if (!*going_on) {
      break;
    }
  }
  return 0;
}

}  // namespace

void add_chat(CLI::App& app, Job& job) {
  auto flags = std::make_shared<GenerationFlags>();
  CLI::App* command = app.add_subcommand("chat", tr("talk with a model in the terminal", "터미널에서 모델과 대화합니다"));
  add_generation_flags(*command, *flags);
  command->footer(tr("Example: minke chat unsloth/DeepSeek-R1-Distill-Qwen-1.5B-GGUF:Q4_K_M",
                     "예: minke chat unsloth/DeepSeek-R1-Distill-Qwen-1.5B-GGUF:Q4_K_M"));
  command->callback([flags, &job] { job = [flags] { return chat(*flags); }; });
}

}  // namespace minke::cli
