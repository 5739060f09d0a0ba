// minke ls: the models in the hub's cache.
#include <fmt/chrono.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/command.h"
#include "cli/language.h"
#include "cli/terminal.h"
#include "hub/cached.h"
#include "hub/options.h"

namespace minke::cli {
namespace {

constexpr size_t kShortCommit = 8;

std::string date_text(std::time_t time, const char* format) {
  std::tm tm{};
  if (time == 0 || ::localtime_r(&time, &tm) == nullptr) return "";
  return fmt::format(fmt::runtime(format), tm);
}

// "main 8a3c1f02", of the only revision; else how many there are.
std::string revision_text(const hub::CachedModel& model) {
  if (model.revisions.size() != 1) return fmt::format("{} {}", model.revisions.size(), tr("revisions", "개 리비전"));
  const hub::CachedRevision& revision = model.revisions.front();
  return fmt::format("{}{}", revision.refs.empty() ? "" : revision.refs.front() + " ", revision.commit.substr(0, kShortCommit));
}

std::string format_text(const hub::CachedModel& model) {
  if (model.quants.empty()) return model.format;
  return fmt::format("{} {}", model.format, fmt::join(model.quants, ","));
}

std::string size_text(const hub::CachedModel& model) {
  std::string unfinished = fmt::format(" ({} {})", bytes_text(model.partial_bytes), tr("unfinished", "받다 만 부분"));
  return bytes_text(model.size_bytes) + (model.partial_bytes > 0 ? unfinished : "");
}

void print_table(const std::vector<hub::CachedModel>& models) {
  // Headings stay English in every language: columns are aligned by bytes, and scripts cut them.
  std::vector<std::vector<std::string>> rows = {{"NAME", "REVISION", "FORMAT", "SIZE", "LAST USED"}};
  for (const hub::CachedModel& model : models) {
    rows.push_back({model.repo, revision_text(model), format_text(model), size_text(model),
                    date_text(model.last_used, "{:%Y-%m-%d %H:%M}")});
  }
  std::vector<size_t> widths(rows[0].size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); i++) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); i++) line += i + 1 == row.size() ? row[i] : fmt::format("{:<{}}  ", row[i], widths[i]);
    fmt::print("{}\n", line);
  }
}

Json model_json(const hub::CachedModel& model) {
  Json out = {{"name", model.repo},
              {"path", model.path},
              {"format", model.format},
              {"quants", model.quants},
              {"size_bytes", model.size_bytes},
              {"partial_bytes", model.partial_bytes},
              {"last_used", model.last_used},
              {"revisions", Json::array()}};
  for (const hub::CachedRevision& revision : model.revisions) {
    out["revisions"].push_back(Json{
        {"commit", revision.commit}, {"refs", revision.refs}, {"path", revision.path}, {"n_files", revision.files.size()}});
  }
  return out;
}

Result<int> run_ls(bool json) {
  hub::HubOptions options = TRY(hub::from_environment());
  std::vector<hub::CachedModel> models = TRY(hub::list_cached(options));
  if (json) {
    Json out = Json::array();
    for (const hub::CachedModel& model : models) out.push_back(model_json(model));
    fmt::print("{}\n", dump_json(out, 2));
  } else if (models.empty()) {
    fmt::print(stderr, "{} {}; minke pull org/name {}\n", tr("no models in", "모델이 없습니다:"), options.cache_dir,
               tr("downloads one", "명령으로 내려받을 수 있습니다"));
  } else {
    print_table(models);
  }
  return 0;
}

}  // namespace

void add_ls(CLI::App& app, Job& job) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("ls", tr("list the models in the cache", "캐시에 있는 모델을 나열합니다"));
  command->add_flag("--json", *json, tr("print JSON", "JSON으로 출력합니다"));
  command->footer(
      tr("The cache is the one of Hugging Face's tools: HF_HUB_CACHE, else $HF_HOME/hub, else ~/.cache/huggingface/hub.\n"
         "Example: minke ls",
         "캐시는 Hugging Face 도구들과 같습니다: HF_HUB_CACHE, 없으면 $HF_HOME/hub, 없으면 ~/.cache/huggingface/hub.\n"
         "예: minke ls"));
  command->callback([json, &job] { job = [json] { return run_ls(*json); }; });
}

}  // namespace minke::cli
