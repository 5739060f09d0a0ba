// What a user names on the command line, made ready to use: MODEL (a path or a name on the hub) and the machine it runs on.
#pragma once

#include <memory>
#include <string>

#include "base/context.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "hub/reference.h"
#include "tensor/dtype.h"
#include "tokenizer/load.h"

namespace CLI {
class App;
}

namespace minke::cli {

// A path that exists, as it is, but of the folder of a training run its last checkpoint; else `org/name[:QUANT][@revision]` in
// the hub's cache. No network: what is not here is an error that says how to get it.
Result<std::string> resolve_model(const std::string& argument);

// A name on the hub with the value of --revision, which may be empty; giving two revisions is an error.
Result<hub::ModelReference> hub_reference(const std::string& name, const std::string& revision);

struct Machine {
  std::unique_ptr<ThreadPool> pool;
  Context context;  // points to the pool
};

// n_threads 0: as many as make sense here. The instruction set is choose_isa()'s.
Result<Machine> make_machine(int n_threads);

// The flag of every command that computes: -t, --threads N.
void add_threads_flag(CLI::App& command, int& n_threads);
// The flag of every command that fills a KV cache: --kv DTYPE; `dtype` holds the default.
void add_kv_flag(CLI::App& command, DType& dtype);

}  // namespace minke::cli
