// Conversations out of the store and into it, in the forms that the page and the command line hand out.
#pragma once

#include <string>
#include <string_view>

#include "store/store.h"

namespace minke::page {

// One conversation as an object of its own: the store's fields, with the folder's name instead of its id.
Result<std::string> conversation_file(const store::Store& store, const store::Id& id);
Result<std::string> conversation_markdown(const store::Store& store, const store::Id& id);

// What these two and `minke data export` write, and {"conversations": [...]} of several conversations.
Result<store::ImportReport> import_text(store::Store& store, std::string_view text);

}  // namespace minke::page
