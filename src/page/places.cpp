#include "page/places.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "hub/net/outbound_log.h"
#include "hub/options.h"
#include "ledger/ledger.h"
#include "store/folder_files.h"
#include "store/store.h"

namespace minke::page {
namespace {

namespace fs = std::filesystem;

// Suffixes of what SQLite keeps beside a database; the ledger's own is a file of locks.
constexpr const char* kLedgerFiles[] = {"", "-wal", "-shm", "-journal", "-runs"};

void add_file(std::vector<StoredItem>& items, const char* what, const std::string& path) {
  std::error_code failed;
  const auto n_bytes = fs::file_size(path, failed);
  if (!failed) items.push_back({what, path, n_bytes, false});
}

}  // namespace

Result<Places> default_places() {
  Places places;
  places.chats = TRY(store::default_folder());
  places.key_file = TRY(store::default_key_file());
  places.ledger = TRY(ledger::default_path());
  const hub::HubOptions hub = TRY(hub::from_environment());
  places.outbound = hub.outbound_log;
  return places;
}

std::vector<StoredItem> stored_items(const Places& places) {
  std::vector<StoredItem> items;
  const auto made_from_chats = [&](const char* below) {
    return StoredItem{"made from conversations (cache)", places.chats + below, 0, true};
  };
  StoredItem made[] = {made_from_chats("/derived"), made_from_chats("/pages")};
  for (const store::StoredFile& file : store::Store::stored_files(places.chats)) {
    const auto of = std::ranges::find_if(made, [&](const auto& item) { return file.path.starts_with(item.path + "/"); });
    if (of != std::end(made)) {
      of->n_bytes += file.n_bytes;
    } else {
      items.push_back({file.path.ends_with("/lock") ? "lock of the conversations" : "conversations and settings", file.path,
                       file.n_bytes, true});
    }
  }
  std::ranges::copy_if(made, std::back_inserter(items), [](const StoredItem& item) { return item.n_bytes > 0; });
  add_file(items, "key of the conversations", places.key_file);
  for (const char* suffix : kLedgerFiles) add_file(items, "ledger of training runs", places.ledger + suffix);
  add_file(items, "ledger of outbound connections", places.outbound);
  return items;
}

Status shred_chats(const Places& places) {
  const auto kind = TRY(store::Store::key_kind(places.chats));
  TRY(store::Store::shred(places.chats));
  std::error_code failed;
  const bool has_file = kind == store::KeyKind::kKeyFile && fs::exists(places.key_file, failed);
  return has_file ? store::overwrite_and_remove(places.key_file) : Status();
}

Result<std::vector<OutboundItem>> outbound_items(const Places& places) {
  const std::vector<hub::OutboundRecord> records = TRY(hub::read_outbound_log(places.outbound));
  std::vector<OutboundItem> items;
  std::map<std::string, size_t> index_of;
  for (const hub::OutboundRecord& record : records) {
    const std::string day = record.time.substr(0, 10);
    const std::string key = fmt::format("{}\n{}\n{}", day, record.request.host, record.request.purpose);
    const auto [found, is_new] = index_of.try_emplace(key, items.size());
    if (is_new) items.push_back({record.time, record.request.host, record.request.purpose, 0, 0});
    OutboundItem& item = items[found->second];
    item.n_requests++;
    if (record.outcome) item.n_bytes += record.outcome->sent_bytes + record.outcome->received_bytes;
  }
  std::ranges::reverse(items);
  return items;
}

Json privacy_json(const std::vector<StoredItem>& stored, const std::vector<OutboundItem>& outbound) {
  Json out = {{"stored", Json::array()}, {"outbound", Json::array()}};
  for (const StoredItem& item : stored) {
    out["stored"].push_back({{"what", item.what}, {"path", item.path}, {"bytes", item.n_bytes}, {"encrypted", item.encrypted}});
  }
  for (const OutboundItem& item : outbound) {
    out["outbound"].push_back({{"time", item.time},
                               {"host", item.host},
                               {"purpose", item.purpose},
                               {"bytes", item.n_bytes},
                               {"n_requests", item.n_requests}});
  }
  return out;
}

}  // namespace minke::page
