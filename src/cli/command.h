// What a subcommand is: a function that declares its flags on the app and, when the user chose it, leaves a job for main.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "base/error.h"

namespace CLI {
class App;
}

namespace minke::cli {

// Runs the chosen subcommand; the value is the exit code. An error is printed as one line and exits with 1.
using Job = std::function<Result<int>()>;

struct Command {
  std::string_view name;
  std::string_view group;  // use, keep, data, train or look: its heading in --help
  void (*add)(CLI::App& app, Job& job);
};

std::span<const Command> commands();

// One file per subcommand.
void add_run(CLI::App& app, Job& job);
void add_chat(CLI::App& app, Job& job);
void add_up(CLI::App& app, Job& job);
void add_serve(CLI::App& app, Job& job);
void add_show(CLI::App& app, Job& job);
void add_tokenize(CLI::App& app, Job& job);
void add_template(CLI::App& app, Job& job);
void add_logits(CLI::App& app, Job& job);
void add_perplexity(CLI::App& app, Job& job);
void add_check(CLI::App& app, Job& job);
void add_convert(CLI::App& app, Job& job);
void add_quantize(CLI::App& app, Job& job);
void add_imatrix(CLI::App& app, Job& job);
void add_pull(CLI::App& app, Job& job);
void add_ls(CLI::App& app, Job& job);
void add_rm(CLI::App& app, Job& job);
void add_bench(CLI::App& app, Job& job);
void add_doctor(CLI::App& app, Job& job);
void add_tokenizer(CLI::App& app, Job& job);
void add_shards(CLI::App& app, Job& job);
void add_tasks(CLI::App& app, Job& job);
void add_eval(CLI::App& app, Job& job);
void add_recipe(CLI::App& app, Job& job);
void add_train(CLI::App& app, Job& job);
void add_grads(CLI::App& app, Job& job);
void add_ledger(CLI::App& app, Job& job);
void add_plan(CLI::App& app, Job& job);
void add_data(CLI::App& app, Job& job);

// The whole program but for the process: parses, runs, prints errors. Exit codes: 0 done, 1 failed, 2 bad usage, 130 Ctrl-C.
int run_program(int argc, char** argv);

}  // namespace minke::cli
