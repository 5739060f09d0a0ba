// The tables of a store and the steps from one version of them to the next.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "sqlite/database.h"

namespace minke::store {

constexpr int64_t kSchemaVersion = 2;

// An empty file gets all steps, an older one those that it lacks; a later one and another program's are refused. Each step is
// one transaction.
Status migrate(sqlite::Database& db, int64_t to_version = kSchemaVersion);

}  // namespace minke::store
