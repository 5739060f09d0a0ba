// The public interface: parsing, variables, errors, clock.
#include <chrono>
#include <thread>

#include "jinja/render.h"

namespace minke::jinja {
namespace {

TEST(Template, RendersSeveralTimes) {
  const auto parsed = testing::value_of(Template::parse("{{ a }}"));
  EXPECT_EQ(testing::value_of(parsed.render({{"a", 1}})), "1");
  EXPECT_EQ(testing::value_of(parsed.render({{"a", "x"}})), "x");
}

TEST(Template, ErrorsNameTheLine) {
  EXPECT_ERROR(Template::parse("a\n{{ b"), "template line 2: a tag is not closed with }}");
  EXPECT_ERROR(Template::parse("\n\n{% nosuch %}"), "template line 3: unknown tag 'nosuch'");
  EXPECT_ERROR(Template::parse("a\n{% if x %}\nb"), "is not closed with 'endif'");
  EXPECT_ERROR(Template::parse("\n{{ a | nosuch }}"), "template line 2: No filter named 'nosuch' found.");
  EXPECT_ERROR(Template::parse("{{ a is nosuch }}"), "No test named 'nosuch' found.");
  EXPECT_ERROR(try_render("a\nb{{ x.y.z }}", {{"x", Json::object()}}), "template line 2: 'dict object' has no attribute 'y'");
  EXPECT_ERROR(try_render("{{ x.y }}"), "'x' is undefined");
  // After a macro the line is again that of the caller.
  EXPECT_ERROR(try_render("{% macro m() %}\n\n{{ 1 }}\n{% endmacro %}\n{{ 1 + m() }}"), "template line 5: ");
}

TEST(Template, TagsThatNeedOtherFilesAreRefused) {
  for (const char* tag : {"include 'x'", "import 'x' as y", "from 'x' import y", "extends 'x'", "block b", "autoescape true"}) {
    EXPECT_ERROR(Template::parse("{% " + std::string(tag) + " %}"), "unsupported tag");
  }
}

TEST(Template, UnknownFilterInABranchIsAnErrorOnlyWhenReached) {
  const std::string source = "{% if a %}{{ b | nosuch }}{% endif %}ok";
  EXPECT_EQ(render(source, {{"a", false}}), "ok");
  EXPECT_ERROR(try_render(source, {{"a", true}}), "No filter named 'nosuch' found.");
  EXPECT_EQ(render("{{ 'yes' if true else (1 | nosuch) }}"), "yes");
}

TEST(Template, RaisedTextIsTheTemplatesOwn) {
  const auto raised = try_render("a\n{{ raise_exception('roles must\nalternate') }}");
  ASSERT_FALSE(raised.has_value());
  EXPECT_EQ(raised_text(raised.error()), "roles must\nalternate");
  EXPECT_TRUE(raised.error().message.starts_with("template raised: "));
  const auto other = try_render("{{ 'template raised: x' + 1 }}");
  EXPECT_EQ(raised_text(other.error()), std::nullopt);
}

TEST(Template, VariablesMustBeAnObjectOfUtf8) {
  EXPECT_ERROR(try_render("", Json::array()), "variables: expected an object");
  Json invalid;
  invalid["messages"] = {{{"content", "a\xFF"}}};
  EXPECT_ERROR(try_render("", invalid), "variables: messages: [0]: content: a string is not valid UTF-8");
  EXPECT_ERROR(Template::parse("a\xC3"), "not valid UTF-8");
}

TEST(Template, NumbersOfJsonKeepTheirKind) {
  EXPECT_EQ(render("{{ v }}", {{"v", UINT64_MAX}}), "18446744073709551615");
  EXPECT_EQ(render("{{ v }}", {{"v", INT64_MIN}}), "-9223372036854775808");
  EXPECT_EQ(render("{{ v }} {{ v | tojson }}", {{"v", 1.0}}), "1.0 1.0");
  EXPECT_EQ(render("{{ v }} {{ v | tojson }}", {{"v", 1e22}}), "1e+22 1e+22");
  EXPECT_ERROR(try_render("{{ v + 1 }}", {{"v", UINT64_MAX}}), "integer outside");
  EXPECT_ERROR(try_render("{{ -v }}", {{"v", UINT64_MAX}}), "integer outside");
  EXPECT_ERROR(try_render("{{ v * v }}", {{"v", INT64_MIN}}), "integer outside");
  EXPECT_ERROR(try_render("{{ 99999999999999999999 }}"), "integer outside");
}

TEST(Template, OrderOfKeysIsKept) {
  EXPECT_EQ(render("{{ v | tojson }}", {{"v", {{"z", 1}, {"a", 2}, {"m", 3}}}}), R"({"z": 1, "a": 2, "m": 3})");
}

TEST(Template, ClockIsThatOfTheOptions) {
  EXPECT_EQ(render("{{ strftime_now('%d %b %Y %H:%M:%S %A %j %I%p %-d/%-m') }}"),
            "10 Jul 2025 12:00:00 Thursday 191 12PM 10/7");
  const auto parsed = testing::value_of(Template::parse("{{ strftime_now('%Y') }}"));
  const std::string year = testing::value_of(parsed.render(Json::object()));
  EXPECT_GE(year, "2025");
  EXPECT_EQ(year.size(), 4u);
  EXPECT_ERROR(try_render("{{ strftime_now('%Q') }}"), "'%Q' is not supported");
}

TEST(Template, IsoWeeksAtTheEndsOfAYear) {
  // date, %G-W%V, %U, %W: values of Python's strftime.
  struct Row {
    int year, month, day, weekday, yearday;
    const char* expected;
  };
  for (const Row& row : {Row{2021, 1, 1, 5, 0, "2020-W53 00 00"}, Row{2024, 12, 30, 1, 364, "2025-W01 52 53"},
                         Row{2023, 1, 1, 0, 0, "2022-W52 01 00"}, Row{2020, 12, 31, 4, 365, "2020-W53 52 52"}}) {
    std::tm t{};
    t.tm_year = row.year - 1900;
    t.tm_mon = row.month - 1;
    t.tm_mday = row.day;
    t.tm_wday = row.weekday;
    t.tm_yday = row.yearday;
    const auto parsed = testing::value_of(Template::parse("{{ strftime_now('%G-W%V %U %W') }}"));
    EXPECT_EQ(testing::value_of(parsed.render(Json::object(), {t})), row.expected);
  }
}

TEST(Template, OneTemplateRendersInSeveralThreads) {
  const auto parsed =
      testing::value_of(Template::parse("{% macro m(x) %}<{{ x }}>{% endmacro %}{% for i in l %}{{ m(i ~ 'a') }}{% endfor %}"));
  std::vector<std::string> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) result = *parsed.render({{"l", {1, 2, 3}}});
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, "<1a><2a><3a>");
}

TEST(Template, AHundredMessagesTakeMilliseconds) {
  const std::string source =
      minke::testing::read_test_file(minke::testing::repository_path("tests/data/templates/Qwen3.5-4B.jinja"));
  Json messages = Json::array();
  for (int i = 0; i < 50; ++i) {
    messages.push_back({{"role", "user"}, {"content", "question " + std::string(400, 'q')}});
    messages.push_back({{"role", "assistant"}, {"content", "<think>\nhm\n</think>\n\nanswer " + std::string(400, 'a')}});
  }
  const auto start = std::chrono::steady_clock::now();
  const auto rendered = try_render(source, {{"messages", messages}, {"add_generation_prompt", true}});
  const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(rendered.has_value()) << rendered.error().message;
  EXPECT_GT(rendered->size(), 40000u);
  std::printf("parse and render of 100 messages: %.2f ms\n", taken.count());
  EXPECT_LT(taken.count(), 500);  // generous: sanitizers and busy machines; the release build needs about 1 ms
}

}  // namespace
}  // namespace minke::jinja
