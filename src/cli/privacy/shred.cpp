// minke data shred: destroys all chats and their key; needs no passphrase.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "cli/language.h"
#include "cli/privacy/data.h"

namespace minke::cli {
namespace {

// The question goes to stderr, so that stdout stays the command's result.
bool user_agrees(const std::string& folder) {
  fmt::print(stderr, "{}",
             fmt::format(fmt::runtime(tr("All chats in {} will be gone for ever. Type \"shred\" to go on: ",
                                         "{}의 모든 대화가 영원히 사라집니다. 계속하려면 \"shred\"를 입력하십시오: ")),
                         folder));
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "shred";
}

Result<int> run_shred(bool yes) {
  const page::Places places = TRY(page::default_places());
  if (!TRY(store::Store::key_kind(places.chats))) return error("{}: no chats are kept here", places.chats);
  if (!yes) {
    if (::isatty(STDIN_FILENO) == 0) return error("{}: nobody is here to be asked; --yes shreds without asking", places.chats);
    if (!user_agrees(places.chats)) {
      fmt::print(stderr, "minke: {}\n", tr("nothing was removed", "아무것도 지우지 않았습니다"));
      return 1;
    }
  }
  TRY(page::shred_chats(places));
  fmt::print("{}\n", tr("all chats are gone", "모든 대화를 지웠습니다"));
  return 0;
}

}  // namespace

void add_data_shred(CLI::App& data, Job& job) {
  CLI::App* command = data.add_subcommand("shred", tr("destroy all chats", "모든 대화를 없앱니다"));
  auto yes = std::make_shared<bool>(false);
  command->add_flag("-y,--yes", *yes, tr("do not ask", "묻지 않습니다"));
  command->footer(tr(
      "Each file is overwritten and removed, the key with it. Copies, backups and what an SSD keeps aside stay sealed; "
      "without\n"
      "the passphrase nobody reads them.\nExample: minke data shred",
      "모든 파일과 열쇠를 덮어쓰고 지웁니다. 복사본, 백업, SSD가 따로 남긴 것은 봉해진 채이며 암호문 없이는 읽을 수 없습니다.\n"
      "예: minke data shred"));
  command->callback([yes, &job] { job = [yes] { return run_shred(*yes); }; });
}

}  // namespace minke::cli
