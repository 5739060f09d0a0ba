#pragma once

namespace minke::cli {

constexpr const char* kProgramVersion = "0.1.0";

}  // namespace minke::cli
