// What the commands under `minke data` share: the store of chats, opened with whatever its key is.
#pragma once

#include <memory>
#include <optional>

#include "cli/command.h"
#include "page/places.h"
#include "store/store.h"

namespace minke::cli {

// Asks for the passphrase where there is one: on a terminal without echo, else the first line of stdin. A null pointer: Ctrl-C.
Result<std::unique_ptr<store::Store>> open_chats(const page::Places& places);

// One file per command under `data`.
void add_data_show(CLI::App& data, Job& job);
void add_data_export(CLI::App& data, Job& job);
void add_data_import(CLI::App& data, Job& job);
void add_data_retention(CLI::App& data, Job& job);
void add_data_shred(CLI::App& data, Job& job);

}  // namespace minke::cli
