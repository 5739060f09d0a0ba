#include <gtest/gtest.h>

#include "base/rng.h"
#include "server/model/reply_assembler.h"
#include "server/model/reply_collector.h"

namespace minke::testing {
namespace {

using namespace server;

struct Token {
  PieceKind kind;
  std::string bytes = {};
};

ReplyCollector assemble(const std::vector<Token>& tokens, AssemblerOptions options, ChoiceFinish finish, size_t cut) {
  ReplyAssembler assembler(std::move(options));
  std::vector<ReplyEvent> events;
  for (const Token& token : tokens) {
    if (token.kind != PieceKind::kText) {
      if (!assembler.push({token.kind}, events)) break;
      continue;
    }
    const PieceLogprob logprob{token.bytes, -1, {}};
    const size_t step = cut == 0 ? std::max<size_t>(token.bytes.size(), 1) : cut;
    bool goes_on = true;
    for (size_t i = 0; i < token.bytes.size() && goes_on; i += step)
      goes_on = assembler.push({PieceKind::kText, std::string_view(token.bytes).substr(i, step), i == 0 ? &logprob : nullptr},
                               events);
    if (!goes_on) break;
  }
  assembler.finish(finish, events);
  ReplyCollector out(1);
  for (const ReplyEvent& event : events) out.add(event);
  return out;
}

CollectedChoice one(const std::vector<Token>& tokens, AssemblerOptions options = {}, ChoiceFinish finish = ChoiceFinish::kStop,
                    size_t cut = 0) {
  return assemble(tokens, std::move(options), finish, cut).choices[0];
}

constexpr PieceKind kText = PieceKind::kText;

TEST(ReplyAssembler, KeepsWhiteSpaceInsideAThoughtAndDropsItAtItsBorders) {
  const auto choice = one({{PieceKind::kThoughtBegin},
                           {kText, "\n a"},
                           {kText, " \n"},
                           {kText, " b \n\n"},
                           {PieceKind::kThoughtEnd},
                           {kText, "\n\nyes "}});
  EXPECT_EQ(choice.thought, "a \n b");
  EXPECT_EQ(choice.answer, "yes ");
  EXPECT_EQ(choice.thinking_end, ThinkingEnd::kFinished);
}

TEST(ReplyAssembler, LeavesAnAnswerWithoutAThoughtAsItIs) { EXPECT_EQ(one({{kText, "  x "}}).answer, "  x "); }

TEST(ReplyAssembler, SaysWhyAThoughtEnded) {
  AssemblerOptions options;
  options.starts_in_thought = true;
  ReplyAssembler assembler(options);
  std::vector<ReplyEvent> events;
  assembler.push({kText, "hm"}, events);
  assembler.thought_is_closed_by(ThinkingEnd::kBudget);
  assembler.push({PieceKind::kThoughtEnd}, events);
  ASSERT_TRUE(std::holds_alternative<ThoughtEnd>(events.back()));
  EXPECT_EQ(std::get<ThoughtEnd>(events.back()).reason, ThinkingEnd::kBudget);
  EXPECT_EQ(one({{kText, "hm"}}, options, ChoiceFinish::kLength).thinking_end, ThinkingEnd::kLength);
}

TEST(ReplyAssembler, StopStringsEndTheAnswerOnly) {
  AssemblerOptions options;
  options.stop = {"END", "ND!"};
  options.starts_in_thought = true;
  const auto choice = one({{kText, "think END"}, {PieceKind::kThoughtEnd}, {kText, "say EN"}, {kText, "D more"}}, options);
  EXPECT_EQ(choice.thought, "think END");
  EXPECT_EQ(choice.answer, "say ");
  EXPECT_EQ(choice.end->reason, ChoiceFinish::kStopString);
  EXPECT_EQ(choice.end->stop_string, "END");
}

TEST(ReplyAssembler, GivesOutTheStartOfAStopStringThatWasNone) {
  AssemblerOptions options;
  options.stop = {"END"};
  EXPECT_EQ(one({{kText, "say EN"}}, options).answer, "say EN");
  EXPECT_EQ(one({{kText, "EEN"}, {kText, "EN"}, {kText, "D"}}, options).answer, "EEN");
}

TEST(ReplyAssembler, ReplacesWhatIsNoText) {
  EXPECT_EQ(one({{kText, "a\xED"}, {kText, "\x95\x9C"}}).answer, "a한");
  EXPECT_EQ(one({{kText, "a\xED\x95"}}).answer, "a\xEF\xBF\xBD");
}

TEST(ReplyAssembler, ReadsTheCallsOfEveryFamily) {
  AssemblerOptions options;
  const std::vector<std::pair<std::string, std::string>> want = {{"f", "{\"x\": [1, \"한\"]}"}};
  options.tool_syntax = ToolSyntax::kFencedJson;
  auto choice = one({{PieceKind::kToolsBegin},
                     {PieceKind::kToolBegin},
                     {kText, "function"},
                     {PieceKind::kToolSeparator},
                     {kText, "f\n```json\n{\"x\": [1, \"한\"]}\n```"},
                     {PieceKind::kToolEnd},
                     {PieceKind::kToolsEnd}},
                    options);
  ASSERT_EQ(choice.calls.size(), 1u);
  EXPECT_EQ(choice.calls[0].name, "f");
  EXPECT_EQ(choice.calls[0].arguments, "{\"x\": [1, \"한\"]}");
  EXPECT_EQ(choice.end->reason, ChoiceFinish::kToolCalls);
  options.tool_syntax = ToolSyntax::kNameThenJson;
  // The mark round all calls is left out: they are calls all the same.
  choice =
      one({{PieceKind::kToolBegin}, {kText, "f"}, {PieceKind::kToolSeparator}, {kText, "{}"}, {PieceKind::kToolEnd}}, options);
  ASSERT_EQ(choice.calls.size(), 1u);
  EXPECT_EQ(choice.calls[0].name, "f");
}

TEST(ReplyAssembler, ACallThatCannotBeReadIsAnErrorAndNoText) {
  const auto reply = assemble({{kText, "a"}, {PieceKind::kToolBegin}, {kText, "{nonsense"}, {PieceKind::kToolEnd}}, {},
                              ChoiceFinish::kStop, 0);
  ASSERT_TRUE(reply.error.has_value());
  EXPECT_EQ(reply.error->code, "invalid_tool_call");
  EXPECT_EQ(reply.choices[0].answer, "a");
}

TEST(ReplyAssembler, ACallThatTheLengthCutIsNotRun) {
  const auto choice = one({{PieceKind::kToolBegin}, {kText, "{\"name\": \"f\", \"argu"}}, {}, ChoiceFinish::kLength);
  EXPECT_TRUE(choice.calls.empty());
  EXPECT_EQ(choice.answer, "");
  EXPECT_EQ(choice.end->reason, ChoiceFinish::kLength);
}

// Random tokens over an alphabet of everything that is held back, in random cuts: the same reply.
TEST(ReplyAssembler, CutsMakeNoDifference) {
  const std::vector<std::string> alphabet = {"a",    " ",    "\n",       "E",   "N",   "D",        "한",
                                             "\xED", "\x95", "\xF0\x9F", "END", "DEN", "</think>", "{}"};
  const std::vector<PieceKind> marks = {PieceKind::kThoughtBegin, PieceKind::kThoughtEnd, PieceKind::kToolBegin,
                                        PieceKind::kToolEnd,      PieceKind::kToolsBegin, PieceKind::kToolsEnd};
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    uint64_t index = 0;
    const auto draw = [&](size_t n) { return static_cast<size_t>(mix_seed(seed, index++) % n); };
    std::vector<Token> tokens;
    for (size_t n = draw(12) + 1; n > 0; --n) {
      if (draw(6) == 0) {
        tokens.push_back({marks[draw(marks.size())]});
      } else {
        tokens.push_back({kText, alphabet[draw(alphabet.size())] + alphabet[draw(alphabet.size())]});
      }
    }
    AssemblerOptions options;
    options.stop = {"END", "ND E", "DD"};
    options.starts_in_thought = draw(2) == 0;
    const auto whole = one(tokens, options);
    for (const size_t cut : {1, 2, 3}) {
      const auto parts = one(tokens, options, ChoiceFinish::kStop, cut);
      ASSERT_EQ(whole.thought, parts.thought) << seed << " " << cut;
      ASSERT_EQ(whole.answer, parts.answer) << seed << " " << cut;
      ASSERT_EQ(whole.answer_logprobs.size(), parts.answer_logprobs.size()) << seed << " " << cut;
      ASSERT_EQ(whole.thought_logprobs.size(), parts.thought_logprobs.size()) << seed << " " << cut;
      ASSERT_EQ(whole.end.has_value(), parts.end.has_value()) << seed << " " << cut;
      if (whole.end) {
        ASSERT_EQ(whole.end->reason, parts.end->reason) << seed << " " << cut;
      }
    }
  }
}

}  // namespace
}  // namespace minke::testing
