// minke data show: every file with something about the user in it, and everything that ever left the machine. Needs no key.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/language.h"
#include "cli/privacy/data.h"
#include "cli/table.h"
#include "cli/terminal.h"

namespace minke::cli {
namespace {

using page::OutboundItem;
using page::StoredItem;

// Columns of the terminal that stdout is; 0 for pipes and files.
int output_width() { return ::isatty(STDOUT_FILENO) != 0 ? terminal_width() : 0; }

std::string what_text(const std::string& what) {
  if (language() != Language::kKorean) return what;
  for (const auto& [english, korean] :
       {std::pair("conversations and settings", "대화와 설정"), std::pair("lock of the conversations", "대화의 잠금 파일"),
        std::pair("made from conversations (cache)", "대화에서 만든 것 (캐시)"),
        std::pair("key of the conversations", "대화의 열쇠"), std::pair("ledger of training runs", "학습 기록"),
        std::pair("ledger of outbound connections", "밖으로 나간 연결의 기록")}) {
    if (what == english) return korean;
  }
  return what;
}

void print_stored(const std::vector<StoredItem>& items) {
  if (items.empty()) {
    fmt::print("{}\n", tr("Nothing is kept.", "보관된 것이 없습니다."));
    return;
  }
  std::vector<std::vector<std::string>> rows;
  for (const StoredItem& item : items) {
    rows.push_back(
        {what_text(item.what), item.path, bytes_text(item.n_bytes), item.encrypted ? tr("yes", "예") : tr("no", "아니오")});
  }
  fmt::print("{}", table_text({{.title = tr("WHAT", "내용")},
                               {.title = tr("WHERE", "위치")},
                               {.title = tr("SIZE", "크기"), .right = true},
                               {.title = tr("ENCRYPTED", "암호화")}},
                              std::move(rows), output_width()));
}

void print_outbound(const std::vector<OutboundItem>& items) {
  if (items.empty()) {
    fmt::print("\n{}\n", tr("Nothing ever left this machine.", "밖으로 나간 것이 없습니다."));
    return;
  }
  std::vector<std::vector<std::string>> rows;
  for (const OutboundItem& item : items) {
    rows.push_back({item.time.substr(0, 10), one_line(item.host), one_line(item.purpose), count_text(item.n_requests),
                    bytes_text(item.n_bytes)});
  }
  fmt::print("\n{}", table_text({{.title = tr("DAY (UTC)", "날짜 (UTC)")},
                                 {.title = tr("HOST", "상대")},
                                 {.title = tr("PURPOSE", "목적"), .shrinks = true},
                                 {.title = tr("REQUESTS", "요청"), .right = true},
                                 {.title = tr("BYTES", "바이트"), .right = true}},
                                std::move(rows), output_width()));
}

Result<int> run_show(bool json) {
  const page::Places places = TRY(page::default_places());
  const std::vector<StoredItem> stored = page::stored_items(places);
  const std::vector<OutboundItem> outbound = TRY(page::outbound_items(places));
  if (json) {
    fmt::print("{}\n", dump_json(page::privacy_json(stored, outbound), 2));
    return 0;
  }
  print_stored(stored);
  print_outbound(outbound);
  return 0;
}

}  // namespace

void add_data_show(CLI::App& data, Job& job) {
  CLI::App* command = data.add_subcommand(
      "show", tr("every file about you, and what ever left this machine", "보관된 모든 파일과 밖으로 나간 모든 것"));
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, tr("print JSON", "JSON으로 출력합니다"));
  command->footer(tr("Example: minke data show", "예: minke data show"));
  command->callback([json, &job] { job = [json] { return run_show(*json); }; });
}

}  // namespace minke::cli
