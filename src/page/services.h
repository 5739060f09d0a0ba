// What the page asks of the server beside answers, over the store of chats, the ledger, logs of runs and the machine.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "page/figures/machine.h"
#include "page/places.h"
#include "page/store_watch.h"
#include "server/model/page_services.h"
#include "store/store.h"

namespace minke::page {

struct ServicesOptions {
  Places places;
  store::StoreOptions store = {};
  std::function<LiveFigures()> live = nullptr;  // of the models; called from any thread
  // A question to the planner, JSON to JSON.
  std::function<server::Outcome<std::string>(const std::string&)> plan = nullptr;
  StoreWatch watch = {};
  std::chrono::milliseconds sweep_every = std::chrono::hours(1);  // what is older than the retention allows goes
};

// Opens a store of chats that needs no passphrase; one that cannot be opened says why when the page unlocks it.
std::unique_ptr<server::PageServices> make_services(ServicesOptions options);

}  // namespace minke::page
