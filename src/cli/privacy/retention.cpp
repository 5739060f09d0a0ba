// minke data retention: how long chats are kept after their last message.
#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/privacy/data.h"

namespace minke::cli {
namespace {

struct RetentionFlags {
  std::string days;
  bool json = false;
};

Result<store::Retention> parse_retention(const std::string& text) {
  if (text == "forever") return store::Retention{};
  int64_t days = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), days);
  const bool is_number = code == std::errc{} && end == text.data() + text.size();
  if (!is_number || days < 0 || days > store::kMaxRetentionDays)
    return error("DAYS: expected forever or 0 to {} days, got \"{}\"", store::kMaxRetentionDays, text);
  return store::Retention{days};
}

void print_retention(const store::Retention& retention, bool json) {
  if (json) {
    fmt::print("{}\n", dump_json(Json{{"days", retention.days ? Json(*retention.days) : Json(nullptr)}}));
  } else if (!retention.days) {
    fmt::print("{}\n", tr("chats are kept until you delete them", "대화는 지울 때까지 보관됩니다"));
  } else {
    fmt::print("{}\n", fmt::format(fmt::runtime(tr("chats are kept for {} days after their last message",
                                                   "대화는 마지막 메시지로부터 {}일 동안 보관됩니다")),
                                   *retention.days));
  }
}

Result<int> run_retention(const RetentionFlags& flags) {
  std::optional<store::Retention> wanted;
  if (!flags.days.empty()) wanted = TRY(parse_retention(flags.days));
  const page::Places places = TRY(page::default_places());
  const auto store = TRY(open_chats(places));
  if (store == nullptr) return kInterruptedExit;
  if (wanted) {
    TRY(store->set_retention(*wanted));
    const int64_t n_deleted = TRY(store->sweep());
    if (n_deleted > 0) {
      fmt::print(
          stderr, "{}\n",
          fmt::format(fmt::runtime(tr("older conversations that were deleted: {}", "기간이 지나 지운 대화: {}개")), n_deleted));
    }
  }
  print_retention(store->retention(), flags.json);
  return 0;
}

}  // namespace

void add_data_retention(CLI::App& data, Job& job) {
  auto flags = std::make_shared<RetentionFlags>();
  CLI::App* command =
      data.add_subcommand("retention", tr("how long chats are kept: show or set", "대화 보관 기간을 보거나 정합니다"));
  command
      ->add_option("DAYS", flags->days,
                   tr("days after the last message, or forever; what is older is deleted at once",
                      "마지막 메시지 뒤의 날수 또는 forever. 더 오래된 것은 곧바로 지웁니다"))
      ->type_name("");
  command->add_flag("--json", flags->json, tr("print JSON", "JSON으로 출력합니다"));
  command->footer(
      tr("0 keeps nothing: conversations then live in memory until the server stops.\n"
         "Example: minke data retention 30",
         "0은 아무것도 보관하지 않습니다. 대화는 서버가 멈출 때까지 메모리에만 있습니다.\n"
         "예: minke data retention 30"));
  command->callback([flags, &job] { job = [flags] { return run_retention(*flags); }; });
}

}  // namespace minke::cli
