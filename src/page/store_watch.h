// For who keeps files made from chats in the place that the store of chats lends (store::Store::pages_place).
#pragma once

#include <functional>

#include "base/error.h"
#include "store/store.h"

namespace minke::page {

// All of them or none are set. They are called from any thread, one of opened and closing at a time; none may ask the page's
// services for anything.
struct StoreWatch {
  std::function<void(const store::PagesPlace&)> opened;  // the place may be used
  std::function<void()> closing;                         // no longer, once this returns
  // A conversation is gone: nothing of it may be written any more, and nothing that was may stay.
  std::function<Status()> deleted;
};

}  // namespace minke::page
