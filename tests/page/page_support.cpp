#include "page_support.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace minke::page {

Places PageTest::places() const {
  return {home() + "/chats", home() + "/chats.key", home() + "/ledger.sqlite", home() + "/outbound.jsonl"};
}

void PageTest::start() {
  ServicesOptions options;
  options.places = places();
  options.store = {{1, 8192}, [this] { return now_ms_; }};
  options.watch.opened = [this](const store::PagesPlace& place) {
    told_.push_back("opened");
    pages_ = place.folder;
    key_.assign(reinterpret_cast<const char*>(place.key.bytes().data()), place.key.size());
  };
  options.watch.closing = [this] {
    told_.push_back("closing");
    pages_.clear();
  };
  options.watch.deleted = [this] {
    told_.push_back("deleted");
    return Status();
  };
  services_ = make_services(std::move(options));
}

TurnIds PageTest::begin(const std::string& text, const std::optional<std::string>& conversation,
                        const std::optional<std::string>& parent) {
  const auto ids = services_->begin_turn({{conversation, parent, std::nullopt, {}}, text, ""});
  if (!ids) throw std::runtime_error(ids.error().message);
  return *ids;
}

void PageTest::end(const TurnIds& ids, const std::string& content, const std::string& reasoning) {
  const auto kept = services_->end_turn({ids, "nano", content, reasoning, "", "", "stop"});
  if (!kept) throw std::runtime_error(kept.error().message);
}

TurnIds PageTest::say(const std::string& text, const std::string& reply, const std::optional<std::string>& conversation,
                      const std::optional<std::string>& parent) {
  const TurnIds ids = begin(text, conversation, parent);
  end(ids, reply);
  return ids;
}

std::vector<std::string> PageTest::titles(const server::ConversationQuery& query) {
  std::vector<std::string> titles;
  const Json list = value_of(services_->conversations(query));
  for (const Json& head : list["conversations"]) titles.push_back(head["title"]);
  return titles;
}

std::vector<std::string> files_with(const std::string& folder, std::string_view bytes) {
  std::vector<std::string> found;
  if (!std::filesystem::exists(folder)) return found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    if (text.find(bytes) != std::string::npos) found.push_back(entry.path().string());
  }
  return found;
}

std::vector<std::string> fields_of_type(const std::string& name) {
  std::istringstream text(testing::read_test_file(testing::repository_path("web/src/api/types.ts")));
  std::vector<std::string> fields;
  bool is_inside = false;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("}")) is_inside = false;
    if (is_inside && line.find(": ") != std::string::npos) fields.push_back(line.substr(2, line.find(": ") - 2));
    const std::string head = "export interface " + name + " ";
    if (!line.starts_with(head)) continue;
    is_inside = true;
    const size_t base = line.find("extends ");
    if (base == std::string::npos) continue;
    const bool is_partial = line.find("Partial<") != std::string::npos;
    const size_t begin = is_partial ? line.find('<') + 1 : base + 8;
    for (std::string field : fields_of_type(line.substr(begin, line.find_first_of("> ", begin) - begin))) {
      if (is_partial && !field.ends_with('?')) field += '?';
      fields.push_back(field);
    }
  }
  if (fields.empty()) throw std::runtime_error("types.ts has no " + name);
  return fields;
}

std::string differences(const Json& object, const std::string& type) {
  std::string text;
  std::vector<std::string> known;
  for (std::string field : fields_of_type(type)) {
    const bool may_miss = field.ends_with('?');
    if (may_miss) field.pop_back();
    if (!may_miss && !object.contains(field)) text += " missing " + field;
    known.push_back(field);
  }
  for (const auto& [key, value] : object.items()) {
    if (std::ranges::count(known, key) == 0) text += " unknown " + key;
  }
  return text;
}

}  // namespace minke::page
