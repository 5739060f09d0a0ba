// minke data import: conversations out of a file that export or the page wrote; for files that are too large for the page.
#include <CLI/CLI.hpp>
#include <memory>

#include "base/file.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/privacy/data.h"
#include "page/chats/exchange.h"

namespace minke::cli {
namespace {

constexpr size_t kMaxFileBytes = size_t{2} << 30;

Result<int> run_import(const std::string& path) {
  const std::string text = TRY(read_file(path, kMaxFileBytes));
  const page::Places places = TRY(page::default_places());
  const auto chats = TRY(open_chats(places));
  if (chats == nullptr) return kInterruptedExit;
  const store::ImportReport report = TRY_IN(path, page::import_text(*chats, text));
  fmt::print("{}\n", fmt::format(fmt::runtime(tr("imported: {}, there already: {}", "가져온 대화: {}, 이미 있던 대화: {}")),
                                 report.added.size(), report.n_same));
  return 0;
}

}  // namespace

void add_data_import(CLI::App& data, Job& job) {
  CLI::App* command = data.add_subcommand(
      "import", tr("conversations out of a file of export, or of the page", "export나 페이지가 쓴 파일에서 대화를 가져옵니다"));
  auto path = std::make_shared<std::string>();
  command->add_option("FILE", *path, tr("JSON or Markdown", "JSON 또는 Markdown"))->required()->type_name("");
  command->footer(
      tr("All of the file or nothing; what is there already is not imported twice.\nExample: minke data import chats.json",
         "파일 전체를 가져오거나 아무것도 가져오지 않으며, 이미 있는 대화는 다시 가져오지 않습니다.\n"
         "예: minke data import chats.json"));
  command->callback([path, &job] { job = [path] { return run_import(*path); }; });
}

}  // namespace minke::cli
