#include "cli/training/eval_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/markup.h"
#include "cli/language.h"
#include "cli/table.h"

namespace minke::cli {
namespace {

size_t n_samples(const EvalReport& report) { return report.results.empty() ? 0 : report.results[0].answers.size(); }

std::string percent(double share) { return fmt::format("{:.1f}", 100 * share); }

std::string interval_text(const Interval& interval) {
  return fmt::format("{:.1f} - {:.1f}", 100 * interval.low, 100 * interval.high);
}

std::string group_name(const EvalSummary& summary) { return summary.group.empty() ? tr("all", "전체") : summary.group; }

std::string table_of(const EvalReport& report) {
  const bool has_samples = n_samples(report) > 1;
  std::vector<Column> columns = {{.title = tr("task", "과제")},
                                 {.title = tr("problems", "문제"), .right = true},
                                 {.title = tr("right %", "정답 %"), .right = true},
                                 {.title = "95 %", .right = true}};
  if (has_samples) columns.push_back({.title = fmt::format("pass@{} %", n_samples(report)), .right = true});
  columns.push_back({.title = tr("tokens", "토큰"), .right = true});
  columns.push_back({.title = tr("cut %", "잘림 %"), .right = true});
  std::vector<std::vector<std::string>> rows;
  for (const EvalSummary& s : report.summaries) {
    std::vector<std::string> row = {group_name(s), std::to_string(s.n_problems), percent(s.accuracy),
                                    interval_text(s.interval)};
    if (has_samples) row.push_back(percent(s.pass_at_n));
    row.push_back(fmt::format("{:.0f}", s.tokens));
    row.push_back(percent(s.cut));
    rows.push_back(std::move(row));
  }
  return table_text(columns, rows, 0);
}

std::string wrong_answers(const EvalReport& report, int64_t n_shown) {
  std::string out;
  for (const EvalResult& result : report.results) {
    if (n_shown == 0) break;
    const EvalAnswer& answer = result.answers[0];
    if (answer.grade == 1) continue;
    n_shown--;
    out += fmt::format("\n{}\n{}\n{}{}\n", result.problem.id, result.problem.question, answer.text,
                       answer.is_whole ? "" : tr(" ... (cut)", " ... (잘림)"));
  }
  return out;
}

constexpr const char* kPageHead = R"(<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>minke eval</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
td, th { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #8884; }
td:first-child, th:first-child { text-align: left; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #8881; padding: .6rem; border-radius: .4rem; }
summary { cursor: pointer; }
.wrong summary { color: #c33; }
</style>
)";

std::string html_of(const EvalReport& report) {
  std::string out =
      fmt::format("<h1>{}</h1>\n<table><tr><th>task<th>problems<th>right %<th>95 %<th>pass@{} %<th>tokens<th>cut %\n",
                  escape_markup(report.model), n_samples(report));
  for (const EvalSummary& s : report.summaries) {
    out += fmt::format("<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td>{:.0f}<td>{}\n", escape_markup(s.group.empty() ? "all" : s.group),
                       s.n_problems, percent(s.accuracy), interval_text(s.interval), percent(s.pass_at_n), s.tokens,
                       percent(s.cut));
  }
  out += "</table>\n";
  for (const EvalResult& result : report.results) {
    double n_right = 0;
    for (const EvalAnswer& answer : result.answers) n_right += answer.grade;
    out +=
        fmt::format("<details class=\"{}\"><summary>{} {}/{}</summary><p>{}</p>\n", n_right > 0 ? "right" : "wrong",
                    escape_markup(result.problem.id), n_right, result.answers.size(), escape_markup(result.problem.question));
    for (const EvalAnswer& answer : result.answers) out += fmt::format("<pre>{}</pre>\n", escape_markup(answer.text));
    out += "</details>\n";
  }
  return out;
}

}  // namespace

std::string eval_text(std::span<const EvalReport> reports, int64_t n_shown) {
  std::string out;
  for (const EvalReport& report : reports) {
    int64_t n_tokens = 0;
    for (const EvalResult& result : report.results) {
      for (const EvalAnswer& answer : result.answers) n_tokens += answer.n_tokens;
    }
    out += fmt::format("{}\n{}{:.1f} s, {:.0f} {}\n", report.model, table_of(report), report.seconds,
                       static_cast<double>(n_tokens) / report.seconds, tr("tokens/s", "토큰/초"));
    out += wrong_answers(report, n_shown) + "\n";
  }
  if (reports.size() == 2) {
    const PairedComparison paired = compare_paired(reports[0].results, reports[1].results);
    out += fmt::format("{}: {}, {}: {}; p = {:.2g} ({})\n", tr("only the first is right", "앞 모델만 정답"), paired.only_first,
                       tr("only the second", "뒤 모델만 정답"), paired.only_second, paired.p,
                       tr("McNemar's exact test", "맥니마의 정확 검정"));
  }
  return out;
}

Json eval_json(std::span<const EvalReport> reports) {
  Json models = Json::array();
  for (const EvalReport& report : reports) {
    Json groups = Json::array(), problems = Json::array();
    for (const EvalSummary& s : report.summaries) {
      groups.push_back({{"task", s.group},
                        {"n", s.n_problems},
                        {"accuracy", s.accuracy},
                        {"wilson_95", {s.interval.low, s.interval.high}},
                        {"pass_at_n", s.pass_at_n},
                        {"tokens", s.tokens},
                        {"cut", s.cut}});
    }
    for (const EvalResult& result : report.results) {
      Json grades = Json::array();
      for (const EvalAnswer& answer : result.answers) grades.push_back(answer.grade);
      problems.push_back({{"id", result.problem.id}, {"grades", grades}, {"text", result.answers[0].text}});
    }
    models.push_back({{"model", report.model},
                      {"n_samples", n_samples(report)},
                      {"seconds", report.seconds},
                      {"summary", groups},
                      {"problems", problems}});
  }
  Json out = {{"models", models}};
  if (reports.size() == 2) {
    const PairedComparison paired = compare_paired(reports[0].results, reports[1].results);
    out["paired"] = {
        {"n", paired.n_problems}, {"only_first", paired.only_first}, {"only_second", paired.only_second}, {"p", paired.p}};
  }
  return out;
}

std::string eval_html(std::span<const EvalReport> reports) {
  std::string out = kPageHead;
  for (const EvalReport& report : reports) out += html_of(report);
  return out;
}

}  // namespace minke::cli
