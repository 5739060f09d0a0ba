#include "cli/command.h"

int main(int argc, char** argv) { return minke::cli::run_program(argc, argv); }
