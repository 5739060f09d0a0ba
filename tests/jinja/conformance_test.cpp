// Vectors: real chat templates over many chats, and small templates, each with what Python's jinja2 makes of it.
#include <cstdlib>
#include <map>

#include "jinja/render.h"

namespace minke::jinja {
namespace {

using minke::testing::read_test_file;
using minke::testing::read_test_lines;
using minke::testing::repository_path;

Json variables_of(const Json& row) {
  Json variables = row.at("kwargs");
  variables["messages"] = row.at("messages");
  variables["tools"] = row.at("tools");
  variables["documents"] = nullptr;
  return variables;
}

// Empty when the result is what the row expects; else what went wrong. Rows with an error that is not the template's own
// (a TypeError of Python, say) ask only that there be an error.
std::string mismatch(const Json& row, const Result<std::string>& got) {
  if (row.contains("rendered")) {
    if (!got) return "failed: " + got.error().message;
    return *got == row.at("rendered").get_ref<const std::string&>() ? "" : "rendered " + *got;
  }
  if (got) return "no error, rendered " + *got;
  if (row.at("error_type") != "raise_exception") return "";
  const std::string expected = row.at("error");
  const auto raised = raised_text(got.error());
  // Unknown filters count as the template's refusal too; they are reported with the line.
  const bool same = raised ? *raised == expected : got.error().message.ends_with(expected);
  return same ? "" : "other error: " + got.error().message;
}

// Runs all rows of a file of vectors whose template lies in a folder; how many ran.
size_t run_vectors(const std::string& vectors, const std::string& folder, const std::map<std::string, std::string>& files) {
  std::map<std::string, Template> templates;
  size_t n_rows = 0, n_wrong = 0;
  for (const std::string& line : read_test_lines(vectors)) {
    const Json row = Json::parse(line);
    const std::string name = row.at("template");
    if (!templates.contains(name)) {
      const std::string file = files.empty() ? row.at("file").get<std::string>() : files.at(name);
      templates.emplace(name, testing::value_of(Template::parse(read_test_file(folder + "/" + file))));
    }
    ++n_rows;
    const auto got = templates.at(name).render(variables_of(row), fixed_clock());
    const std::string wrong = mismatch(row, got);
    if (wrong.empty() || ++n_wrong > 5) continue;
    ADD_FAILURE() << name << " " << row.at("case") << " " << row.at("variant") << ": " << wrong;
  }
  EXPECT_EQ(n_wrong, 0u);
  return n_rows;
}

size_t run_huggingface_js(const std::string& path) {
  size_t n_rows = 0;
  for (const std::string& line : read_test_lines(path)) {
    const Json row = Json::parse(line);
    const auto got = try_render(row.at("chat_template").get<std::string>(), row.at("render_args"));
    EXPECT_EQ(got ? *got : "error: " + got.error().message, row.at("target").get<std::string>()) << row.at("name");
    ++n_rows;
  }
  return n_rows;
}

TEST(Conformance, ChatTemplatesOfTheRepository) {
  const std::string folder = repository_path("tests/data/templates");
  EXPECT_EQ(run_vectors(folder + "/rendered.jsonl.gz", folder, {}), 831u);
}

TEST(Conformance, HuggingFaceJsTargets) {
  EXPECT_EQ(run_huggingface_js(repository_path("tests/data/templates/huggingface_js.jsonl.gz")), 12u);
}

// Templates that may not be copied: INDEX.json and *.jinja in templates/, vectors in template_vectors/.
TEST(Conformance, ChatTemplatesOfTheArtifacts) {
  const char* artifacts = std::getenv("MINKE_ARTIFACTS");
  if (artifacts == nullptr) {
    std::printf("MINKE_ARTIFACTS is not set: 3338 vectors of 72 templates and 18 published targets were not run\n");
    return;
  }
  const std::string root = artifacts;
  std::map<std::string, std::string> files;
  for (const Json& entry : Json::parse(read_test_file(root + "/templates/INDEX.json")))
    files[entry.at("template")] = entry.at("file");
  EXPECT_GT(run_vectors(root + "/template_vectors/rendered.jsonl.gz", root + "/templates", files), 0u);
  EXPECT_GT(run_huggingface_js(root + "/template_vectors/hfjs_e2e_targets.jsonl.gz"), 0u);
}

// One file of tests/data/jinja: variables in the first line, then template and rendered | raised | error.
void run_language_vectors(const std::string& name, size_t n_expected) {
  const auto lines = read_test_lines(repository_path("tests/data/jinja/" + name));
  const Json variables = Json::parse(lines.at(0)).at("variables");
  EXPECT_EQ(lines.size() - 1, n_expected);
  for (size_t i = 1; i < lines.size(); ++i) {
    const Json row = Json::parse(lines[i]);
    const std::string source = row.at("template");
    const auto got = try_render(source, variables);
    if (row.contains("rendered")) {
      EXPECT_EQ(got ? *got : "error: " + got.error().message, row.at("rendered").get<std::string>()) << source;
    } else {
      EXPECT_FALSE(got.has_value()) << source;
      const std::string raised = got ? "" : raised_text(got.error()).value_or("");
      EXPECT_EQ(raised, row.value("raised", "")) << source;
    }
  }
}

TEST(Conformance, Expressions) { run_language_vectors("expressions.jsonl", 730); }
TEST(Conformance, Statements) { run_language_vectors("statements.jsonl", 357); }
TEST(Conformance, RandomTemplates) { run_language_vectors("random.jsonl.gz", 2765); }

}  // namespace
}  // namespace minke::jinja
