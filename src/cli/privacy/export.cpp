// minke data export: all conversations as one file that the page reads back.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/privacy/data.h"
#include "store/folder_files.h"
#include "store/transfer/archive.h"

namespace minke::cli {
namespace {

struct ExportFlags {
  std::string form = "json", output;
};

Result<int> run_export(const ExportFlags& flags) {
  const page::Places places = TRY(page::default_places());
  const auto store = TRY(open_chats(places));
  if (store == nullptr) return kInterruptedExit;
  const store::Archive archive = TRY(store->collect());
  const std::string text = flags.form == "markdown" ? write_archive_markdown(archive) : write_archive_json(archive);
  if (flags.output.empty()) {
    fmt::print("{}", text);
  } else {
    TRY(store::write_private_file(flags.output, std::as_bytes(std::span(text))));
  }
  fmt::print(stderr, "{}\n",
             fmt::format(fmt::runtime(
                             tr("{} conversations; this text is not encrypted", "대화 {}개. 이 글은 암호화되어 있지 않습니다")),
                         archive.conversations.size()));
  if (const size_t n_damaged = store->damaged().size(); n_damaged > 0) {
    fmt::print(
        stderr, "{}\n",
        fmt::format(fmt::runtime(tr("{} more are damaged and cannot be read", "{}개는 손상되어 읽을 수 없습니다")), n_damaged));
  }
  return 0;
}

}  // namespace

void add_data_export(CLI::App& data, Job& job) {
  auto flags = std::make_shared<ExportFlags>();
  CLI::App* command = data.add_subcommand(
      "export", tr("all conversations as JSON or Markdown", "모든 대화를 JSON이나 Markdown으로 내보냅니다"));
  command->add_option("--as", flags->form, tr("json or markdown", "json 또는 markdown"))
      ->check(CLI::IsMember({"json", "markdown"}))
      ->capture_default_str();
  command
      ->add_option("-o,--out", flags->output,
                   tr("a new file that only you may read (default: print)", "나만 읽을 수 있는 새 파일 (기본: 출력)"))
      ->type_name("FILE");
  command->footer(
      tr("Both forms keep everything and can be imported on the page; the text is not encrypted.\n"
         "Example: minke data export --as markdown -o chats.md",
         "두 형식 모두 모든 내용을 담고 페이지에서 다시 가져올 수 있습니다. 글은 암호화되지 않습니다.\n"
         "예: minke data export --as markdown -o chats.md"));
  command->callback([flags, &job] { job = [flags] { return run_export(*flags); }; });
}

}  // namespace minke::cli
