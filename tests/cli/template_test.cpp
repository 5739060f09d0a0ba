// minke template: rows, one conversation, the fixed clock, refusals.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/run_minke.h"
#include "support/support.h"

namespace minke::testing {
namespace {

const char* const kMessages = "[{\"role\": \"user\", \"content\": \"Hi\"}]";

std::vector<Json> render_rows(const std::vector<Json>& rows, std::vector<std::string> flags = {}) {
  std::string text;
  for (const Json& row : rows) text += row.dump() + "\n";
  flags.insert(flags.begin(), {"template", "--jsonl"});
  MinkeRun run = run_minke(flags, {text, {}});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  return rows_of(run);
}

Json row_of(const std::string& text) { return Json{{"template", text}, {"messages", Json::parse(kMessages)}}; }

TEST(Template, RowsRenderTextAndFiles) {
  TemporaryDirectory folder;
  value_of(write_file(folder.file("chat.jinja"), "{{ messages[0].content }}!"));
  std::vector<Json> out = render_rows({row_of("{{ messages[0].role }}"), row_of(folder.file("chat.jinja")), row_of("")});
  EXPECT_EQ(out[0]["rendered"], "user");
  EXPECT_EQ(out[1]["rendered"], "Hi!");
  EXPECT_EQ(out[2]["rendered"], "");
}

TEST(Template, VariablesAreThoseOfHuggingFace) {
  Json row = row_of("{{ tools is none }} {{ documents is none }} {{ add_generation_prompt }} {{ x is defined }}");
  EXPECT_EQ(render_rows({row})[0]["rendered"], "True True False False");
  EXPECT_EQ(render_rows({row}, {"--add-generation-prompt", "--kwargs", "{\"x\": 1}"})[0]["rendered"], "True True True True");
  row["tools"] = Json::array({1});
  row["kwargs"] = {{"add_generation_prompt", true}, {"x", 1}};
  EXPECT_EQ(render_rows({row})[0]["rendered"], "False True True True");
}

TEST(Template, TheClockIsFixed) {
  Json row = row_of("{{ strftime_now('%Y-%m-%d %H:%M:%S %a %j') }}");
  for (const char* now : {"2025-07-10 12:00:00", "2025-07-10T12:00:00", "1752148800"}) {
    EXPECT_EQ(render_rows({row}, {"--now", now})[0]["rendered"], "2025-07-10 12:00:00 Thu 191") << now;
  }
  EXPECT_EQ(run_minke({"template", "--jsonl", "--now", "yesterday"}).exit_code, 1);
}

TEST(Template, RefusalsAndFailuresAreToldApart) {
  std::vector<Json> out =
      render_rows({row_of("{{ raise_exception('no system here') }}"), row_of("{% if %}"), row_of("/no/such.jinja"),
                   Json{{"template", "{{ 1 }}"}}, Json{{"messages", Json::array()}}});
  EXPECT_EQ(out[0], (Json{{"error", "no system here"}, {"raised", true}, {"line", 1}}));
  EXPECT_EQ(out[1]["template_line"], 1) << out[1].dump();
  for (size_t i = 1; i < out.size(); i++) {
    EXPECT_TRUE(out[i].contains("error") && !out[i].contains("raised")) << out[i].dump();
    EXPECT_EQ(out[i]["line"], i + 1);
  }
}

TEST(Template, AModelBringsTemplateAndSpecialTokens) {
  TemporaryDirectory folder;
  value_of(write_file(folder.file("chat.json"), kMessages));
  std::string model = repository_path("tests/cli/data/tokenizer");
  MinkeRun run = run_minke({"template", "--model", model, "--messages", folder.file("chat.json"), "--add-generation-prompt"});
  EXPECT_EQ(run.out, "<|bos|>[user]Hi<|eos|>[assistant]\n") << run.err;
  EXPECT_EQ(run_minke({"template", "--model", model, "--messages", "-", "--json"}, {kMessages, {}}).out,
            "{\"rendered\":\"<|bos|>[user]Hi<|eos|>\"}\n");
  EXPECT_EQ(run_minke({"template", "--model", model, "--messages", "/no/such.json"}).exit_code, 1);
  EXPECT_EQ(run_minke({"template", "--model", model}).exit_code, 1);
}

}  // namespace
}  // namespace minke::testing
