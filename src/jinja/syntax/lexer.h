// Splits a template into text and tokens, with the white space rules of jinja2 under trim_blocks and lstrip_blocks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace minke::jinja {

enum class TokenKind {
  kText,
  kOutputBegin,
  kOutputEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd
};

struct Token {
  TokenKind kind;
  int line;
  std::string text;  // of a string literal: its value; of a number: without underscores
};

// Errors start with "template line <n>: ". The list ends with kEnd.
Result<std::vector<Token>> tokenize(std::string_view source);

}  // namespace minke::jinja
