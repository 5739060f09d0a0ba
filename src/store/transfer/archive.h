// Conversations as one text. JSON keeps everything. Markdown is for reading; it keeps everything too, in comments that readers
// do not show, and can be read back as long as those stay.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "store/store.h"

namespace minke::store {

std::string write_archive_json(const Archive& archive);
Result<Archive> read_archive_json(std::string_view text, const std::string& where);

std::string write_archive_markdown(const Archive& archive);
Result<Archive> read_archive_markdown(std::string_view text, const std::string& where);

// Ids occur once, folders are there, messages are trees in the order of their numbers. A parent may be missing: its message was
// damaged.
Status check_archive(const Archive& archive);

}  // namespace minke::store
