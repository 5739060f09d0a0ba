// CHECK(condition, "format", values...): a programmer error aborts and prints the values. Never for input from outside.
#pragma once

#include <fmt/format.h>

#include <string>

namespace minke {
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& message);
}

#define CHECK(condition, ...)                                                               \
  do {                                                                                      \
    if (!(condition)) [[unlikely]]                                                          \
      ::minke::check_failed(__FILE__, __LINE__, #condition, ::fmt::format("" __VA_ARGS__)); \
  } while (false)
