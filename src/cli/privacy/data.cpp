// minke data: every byte that is kept about the user, and the ways to take it along or destroy it.
#include "cli/privacy/data.h"

#include <CLI/CLI.hpp>

#include "cli/language.h"

namespace minke::cli {

void add_data(CLI::App& app, Job& job) {
  CLI::App* command = app.add_subcommand(
      "data", tr("what is kept about you: show, export, forget", "나에 대해 보관된 것을 보고, 내보내고, 지웁니다"));
  command->require_subcommand(1);
  add_data_show(*command, job);
  add_data_export(*command, job);
  add_data_import(*command, job);
  add_data_retention(*command, job);
  add_data_shred(*command, job);
  command->footer(
      tr("Chats are in $MINKE_HOME/chats, else $XDG_DATA_HOME/minke/chats, else ~/.local/share/minke/chats, encrypted.\n"
         "One program at a time has them open: stop the server before export, import and retention, or use its page.\n"
         "Examples: minke data show\n"
         "          minke data export -o chats.json",
         "대화는 $MINKE_HOME/chats, 없으면 $XDG_DATA_HOME/minke/chats, 그것도 없으면 ~/.local/share/minke/chats에 암호화되어 "
         "있습니다.\n"
         "한 번에 한 프로그램만 열 수 있습니다. export, import, retention은 서버를 멈춘 뒤에 쓰거나 페이지에서 하십시오.\n"
         "예: minke data show\n"
         "    minke data export -o chats.json"));
  for (CLI::App* below : command->get_subcommands(nullptr)) below->group(tr("Commands", "명령"));
}

}  // namespace minke::cli
