// minke template: what a chat template makes of a conversation, in the environment in which Hugging Face renders it.
#include "jinja/template.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "cli/language.h"
#include "cli/model_argument.h"

namespace minke::cli {
namespace {

constexpr size_t kMaxTemplateBytes = size_t{1} << 20;

struct TemplateFlags {
  std::string template_file, model, messages, tools, kwargs, rows, now;
  bool has_rows = false;
  bool add_generation_prompt = false, json = false;
};

// What does not change from row to row.
struct TemplateSetup {
  std::string text;                 // --template or the model's; "" when rows bring their own
  std::string tool_text;            // the model's template for conversations with tools, when it has one of its own
  std::string where;                // its name in messages
  Json variables = Json::object();  // bos_token, eos_token ... of the model, --kwargs
  bool add_generation_prompt = false;
  jinja::RenderOptions render;
  std::map<std::string, jinja::Template> parsed;  // by text: rows of one file often share a template
};

Result<std::tm> broken_down(std::time_t seconds) {
  std::tm tm{};
  if (::gmtime_r(&seconds, &tm) == nullptr) return error("--now: {} seconds are out of range", seconds);
  return tm;
}

// "2025-07-10 12:00:00", with T, without the time of day, or seconds since 1970 (UTC).
Result<std::tm> parse_clock(const std::string& text) {
  int64_t seconds = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (code == std::errc() && end == text.data() + text.size()) return broken_down(seconds);
  for (const char* format : {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M", "%Y-%m-%d"}) {
    std::tm tm{};
    const char* rest = ::strptime(text.c_str(), format, &tm);
    if (rest == nullptr || *rest != '\0') continue;
    return broken_down(::timegm(&tm));  // fills the day of the week and of the year
  }
  return error("--now: expected a time such as \"2025-07-10 12:00:00\" or seconds since 1970, got \"{}\"", text);
}

// A file's text, or the value itself. What looks like a file name must be one: a mistyped name is no template.
Result<std::string> template_text(const std::string& value) {
  bool is_text = value.empty() || value.find_first_of("\n{") != std::string::npos;
  if (is_text) return value;
  std::error_code code;
  bool names_file = value.find('/') != std::string::npos || value.ends_with(".jinja") || value.ends_with(".txt");
  if (names_file || std::filesystem::exists(value, code)) return read_file(value, kMaxTemplateBytes);
  return value;
}

// The special tokens by the names that templates use.
Json token_variables(const Tokenizer& tokenizer) {
  Json out = Json::object();
  if (auto id = tokenizer.bos()) out["bos_token"] = tokenizer.token_text(*id);
  if (auto id = tokenizer.eos()) out["eos_token"] = tokenizer.token_text(*id);
  if (auto id = tokenizer.pad()) out["pad_token"] = tokenizer.token_text(*id);
  if (auto id = tokenizer.spec().unk) out["unk_token"] = tokenizer.token_text(*id);
  return out;
}

Result<Json> read_kwargs(const std::string& text) {
  if (text.empty()) return Json::object();
  Json kwargs = TRY(parse_json(text, "--kwargs"));
  if (!kwargs.is_object()) return error("--kwargs: expected a JSON object, got {}", kwargs.type_name());
  return kwargs;
}

Result<TemplateSetup> make_setup(const TemplateFlags& flags) {
  TemplateSetup setup;
  if (!flags.model.empty()) {
    std::string path = TRY(resolve_model(flags.model));
    Tokenizer tokenizer = TRY(load_tokenizer_for(path));
    setup.variables = token_variables(tokenizer);
    const std::string* text = tokenizer.chat_template();
    if (text == nullptr && flags.template_file.empty()) {
      return error("{}: the model has no chat template: give one with --template FILE", flags.model);
    }
    if (text != nullptr) setup.text = *text;
    if (const std::string* tool_text = tokenizer.chat_template("tool_use")) setup.tool_text = *tool_text;
    setup.where = flags.model;
  }
  if (!flags.template_file.empty()) {
    setup.text = TRY_IN("--template", template_text(flags.template_file));
    setup.tool_text.clear();
    setup.where = "--template";
  }
  setup.variables.update(TRY(read_kwargs(flags.kwargs)));
  setup.add_generation_prompt = flags.add_generation_prompt;
  if (!flags.now.empty()) setup.render.now = TRY(parse_clock(flags.now));
  return setup;
}

Result<const jinja::Template*> parsed_template(TemplateSetup& setup, const std::string& text) {
  auto found = setup.parsed.find(text);
  if (found == setup.parsed.end()) {
    jinja::Template parsed = TRY(jinja::Template::parse(text));
    found = setup.parsed.emplace(text, std::move(parsed)).first;
  }
  return &found->second;
}

// The variables of transformers' apply_chat_template: special tokens, then its own arguments, then those of the caller.
Result<Json> row_variables(const TemplateSetup& setup, const Json& row) {
  Json variables = setup.variables;
  auto messages = row.find("messages");
  if (messages == row.end() || !messages->is_array()) return error("messages: expected a list of messages");
  variables["messages"] = *messages;
  for (const char* key : {"tools", "documents"}) {
    if (row.contains(key)) variables[key] = row[key];
    if (!variables.contains(key)) variables[key] = Json();
  }
  if (!variables.contains("add_generation_prompt")) variables["add_generation_prompt"] = setup.add_generation_prompt;
  if (row.contains("add_generation_prompt")) variables["add_generation_prompt"] = row["add_generation_prompt"];
  auto kwargs = row.find("kwargs");
  if (kwargs == row.end() || kwargs->is_null()) return variables;
  if (!kwargs->is_object()) return error("kwargs: expected an object, got {}", kwargs->type_name());
  for (const auto& [key, value] : kwargs->items()) variables[key] = value;
  return variables;
}

Result<std::string> render_row(TemplateSetup& setup, const Json& row) {
  std::string text = setup.text;
  if (auto own = row.find("template"); own != row.end()) {
    if (!own->is_string()) return error("template: expected a file name or the text, got {}", own->type_name());
    text = TRY_IN("template", template_text(own->get<std::string>()));
  } else if (setup.where.empty()) {
    return error("template: missing; give it in the row, or --template FILE, or --model MODEL for all rows");
  }
  Json variables = TRY(row_variables(setup, row));
  bool wants_tools = !row.contains("template") && !setup.tool_text.empty() && !variables["tools"].is_null();
  if (wants_tools) text = setup.tool_text;
  const jinja::Template* parsed = TRY(parsed_template(setup, text));
  return parsed->render(variables, setup.render);
}

Result<Json> run_row(TemplateSetup& setup, const Json& row) {
  Result<std::string> rendered = render_row(setup, row);
  if (rendered) return Json{{"rendered", std::move(*rendered)}};
  if (auto raised = jinja::raised_text(rendered.error())) return Json{{"error", *raised}, {"raised", true}};
  if (auto located = jinja::line_error(rendered.error()))
    return Json{{"error", located->text}, {"template_line", located->line}};
  return tl::unexpected<Error>(std::move(rendered.error()));
}

// A file with a list of messages, or with an object that has them (the body of a chat request).
Result<Json> read_conversation(const TemplateFlags& flags) {
  if (flags.messages.empty()) return error("no conversation: give --messages FILE or --jsonl FILE");
  Json row;
  if (flags.messages == "-") {
    row = TRY(parse_json(std::string(std::istreambuf_iterator<char>(std::cin), {}), "stdin"));
  } else {
    row = TRY(read_json_file(flags.messages));
  }
  if (row.is_array()) row = Json{{"messages", std::move(row)}};
  if (!row.is_object()) return error("{}: expected a list of messages, or an object with \"messages\"", flags.messages);
  if (!flags.tools.empty()) row["tools"] = TRY(read_json_file(flags.tools));
  return row;
}

Result<int> run_template(const TemplateFlags& flags) {
  TemplateSetup setup = TRY(make_setup(flags));
  if (flags.has_rows) {
    return run_jsonl(flags.rows, [&](const Json& row) { return run_row(setup, row); });
  }
  Json row = TRY(read_conversation(flags));
  Result<std::string> rendered = render_row(setup, row);
  if (!rendered) return in_context(setup.where, std::move(rendered.error()));
  fmt::print("{}\n", flags.json ? dump_json(Json{{"rendered", *rendered}}) : *rendered);
  return 0;
}

const char* template_footer() {
  return tr(
      "Rows are {\"messages\": [...], \"template\": FILE or text, \"tools\": ..., \"kwargs\": {...}} -> {\"rendered\": ...}.\n"
      "Variables are those of transformers: messages, tools and documents (none when absent), add_generation_prompt (false\n"
      "unless given), the special tokens of --model, then --kwargs and the row's kwargs. What a template refuses by itself\n"
      "gives {\"error\": its text, \"raised\": true}; a mistake in it has its \"template_line\". Error rows carry the \"line\" "
      "of their input.\n"
      "Example: minke template --model ./DeepSeek-R1 --messages chat.json --add-generation-prompt",
      "행은 {\"messages\": [...], \"template\": 파일 또는 본문, \"tools\": ..., \"kwargs\": {...}} -> {\"rendered\": ...} "
      "꼴입니다.\n"
      "변수는 transformers와 같습니다: messages, tools와 documents(없으면 none), add_generation_prompt(따로 주지 않으면 "
      "false),\n"
      "--model의 특수 토큰, 그다음 --kwargs와 행의 kwargs. 템플릿이 스스로 거절하면 {\"error\": 그 글, \"raised\": true},\n"
      "템플릿의 잘못은 \"template_line\"을 알려 줍니다. 오류 행에는 입력의 \"line\"이 들어갑니다.\n"
      "예: minke template --model ./DeepSeek-R1 --messages chat.json --add-generation-prompt");
}

}  // namespace

void add_template(CLI::App& app, Job& job) {
  auto flags = std::make_shared<TemplateFlags>();
  CLI::App* command = app.add_subcommand(
      "template", tr("render a conversation with a chat template", "대화를 채팅 템플릿으로 프롬프트 글로 만듭니다"));
  command
      ->add_option("--template", flags->template_file,
                   tr("template file, or the template itself", "템플릿 파일 또는 템플릿 본문"))
      ->type_name("FILE");
  command
      ->add_option("-m,--model", flags->model,
                   tr("take template and special tokens from a model: folder, .gguf, org/name",
                      "템플릿과 특수 토큰을 모델에서 가져옵니다: 폴더, .gguf, org/name"))
      ->type_name("MODEL");
  auto* messages = command
                       ->add_option("--messages", flags->messages,
                                    tr("JSON file: the messages, or an object like a row (- is stdin)",
                                       "JSON 파일: 메시지 목록 또는 행과 같은 객체 (-는 표준 입력)"))
                       ->type_name("FILE");
  command->add_option("--tools", flags->tools, tr("JSON file with the list of tools", "도구 목록이 든 JSON 파일"))
      ->type_name("FILE");
  command->add_option("--kwargs", flags->kwargs, tr("more variables, as a JSON object", "더 넘길 변수 (JSON 객체)"))
      ->type_name("JSON");
  command->add_flag("--add-generation-prompt", flags->add_generation_prompt,
                    tr("end with the start of the assistant's turn", "끝에 어시스턴트 차례의 시작을 붙입니다"));
  auto* rows = command
                   ->add_option("--jsonl", flags->rows,
                                tr("JSON rows from a file, or from stdin", "파일(없으면 표준 입력)에서 JSON 행을 읽습니다"))
                   ->expected(0, 1)
                   ->type_name("[FILE]");
  command
      ->add_option("--now", flags->now,
                   tr("the time that templates see (default: the clock)", "템플릿이 보는 시각 (기본값: 지금)"))
      ->type_name("TIME");
  command->add_flag("--json", flags->json, tr("print JSON", "JSON으로 출력합니다"));
  messages->excludes(rows);
  command->footer(template_footer());
  command->callback([flags, rows, &job] {
    flags->has_rows = rows->count() > 0;
    job = [flags] { return run_template(*flags); };
  });
}

}  // namespace minke::cli
