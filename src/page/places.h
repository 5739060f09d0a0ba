// Where minke keeps what it keeps about its user, and every byte of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace minke::page {

struct Places {
  std::string chats;     // the folder of the store
  std::string key_file;  // of a store without a passphrase
  std::string ledger;
  std::string outbound;  // the outbound ledger
};

// What every command uses; from the environment.
Result<Places> default_places();

struct StoredItem {
  std::string what;  // in English; stays what it is, so that the page can translate it
  std::string path;
  uint64_t n_bytes = 0;
  bool encrypted = false;
};

// Needs no key, whoever has the store open. Models and what training writes are not about the user: `minke ls` and the ledger
// list them.
std::vector<StoredItem> stored_items(const Places& places);

// Destroys the store of chats, and its key file if it has one; needs no key.
Status shred_chats(const Places& places);

// What left this machine: the requests of a day to one host for one purpose are one item.
struct OutboundItem {
  std::string time;  // of the first, UTC
  std::string host;
  std::string purpose;
  uint64_t n_bytes = 0;  // both ways
  int64_t n_requests = 0;
};

// The newest first.
Result<std::vector<OutboundItem>> outbound_items(const Places& places);

// Both lists as the page and `minke data show --json` have them.
Json privacy_json(const std::vector<StoredItem>& stored, const std::vector<OutboundItem>& outbound);

}  // namespace minke::page
