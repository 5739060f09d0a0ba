// The language, feature by feature, with expected values from the template designer documentation and Python. The bulk of the
// cases are vectors (conformance_test.cpp); these say what they are about.
#include "jinja/render.h"

namespace minke::jinja {
namespace {

TEST(WhiteSpace, BlocksTakeTheirLineWithThem) {
  EXPECT_EQ(render("a\n  {% if true %}\n  b\n  {% endif %}\nc\n"), "a\n  b\nc");
  EXPECT_EQ(render("a {% if true %} b {% endif %}\nc"), "a  b c");  // text before the tag: only the newline after it goes
  EXPECT_EQ(render("  {{ 1 }}\n  x"), "  1\n  x");                  // output keeps its blanks
  EXPECT_EQ(render("  {# c #}\nx"), "x");
}

TEST(WhiteSpace, SignsOverrideTrimming) {
  EXPECT_EQ(render("a \n {%- if true -%} \n b \n {%- endif %}c"), "abc");
  EXPECT_EQ(render("  {%+ if true %}x{% endif +%}\ny"), "  x\ny");
  EXPECT_EQ(render("a \n {{- 1 -}} \n b"), "a1b");
  EXPECT_EQ(render("{{-1}}"), "1");  // a sign of the delimiter, not of the number
}

TEST(WhiteSpace, LineEndsBecomeNewlines) { EXPECT_EQ(render("a\r\nb\rc\r\n"), "a\nb\nc"); }

TEST(WhiteSpace, RawIsNotInterpreted) {
  EXPECT_EQ(render("{% raw %}{{ x }}{% if %}{% endraw %}"), "{{ x }}{% if %}");
  EXPECT_EQ(render("a {%- raw -%} b {%- endraw -%} c"), "abc");
}

TEST(Expressions, Precedence) {
  EXPECT_EQ(render("{{ 1 + 2 * 3 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }}"), "7 64 4");
  EXPECT_EQ(render("{{ 1 + 2 ~ 3 + 4 }}"), render("{{ 1 + (2 ~ 3) + 4 }}"));
  EXPECT_EQ(render("{{ not 1 == 2 }} {{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }}"), "True True False");
  EXPECT_EQ(render("{{ -1 | abs }} {{ 'a' ~ 'b' | upper }}"), "1 aB");
  EXPECT_EQ(render("{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }}"), "3 -4 2 3.5");
  EXPECT_EQ(render("{{ 'x' if false }}|{{ 1 if false else 2 if true else 3 }}"), "|2");
}

TEST(Expressions, UndefinedPrintsNothingAndGoesNoFurther) {
  EXPECT_EQ(render("[{{ a }}][{{ d.a }}][{{ l[5] }}]", {{"d", Json::object()}, {"l", {1}}}), "[][][]");
  EXPECT_EQ(render("{{ a is defined }} {{ a | default('x') }} {{ a | length }} {{ a == b }}"), "False x 0 True");
  EXPECT_ERROR(try_render("{{ a.b }}"), "'a' is undefined");
  EXPECT_ERROR(try_render("{{ 'x' + a }}"), "'a' is undefined");
  EXPECT_ERROR(try_render("{{ a() }}"), "'a' is undefined");
}

TEST(Expressions, DotPrefersTheMethodAndBracketsTheKey) {
  const Json variables = {{"d", {{"items", 5}, {"b", 1}}}};
  EXPECT_EQ(render("{{ d['items'] }} {{ d.items() | length }} {{ d['keys']() | join }} {{ d.b }}", variables), "5 2 itemsb 1");
}

TEST(Expressions, Slices) {
  const Json variables = {{"l", {1, 2, 3, 4}}, {"s", "héllo"}};
  EXPECT_EQ(render("{{ l[1:] }}{{ l[::-1] }}{{ l[-2:] }}{{ l[:1:-1] }}{{ s[1] }}{{ s[::2] }}{{ s[-1:0:-1] }}", variables),
            "[2, 3, 4][4, 3, 2, 1][3, 4][4, 3]éhloollé");
}

TEST(Expressions, ValuesPrintAsPythonPrintsThem) {
  EXPECT_EQ(render("{{ [none, true, 1.0, 1e100, 'it\\'s', 'q\"', '\\n', 'é', {'a': (1,)}] }}"),
            R"([None, True, 1.0, 1e+100, "it's", 'q"', '\n', 'é', {'a': (1,)}])");
  EXPECT_EQ(render("{{ 1e16 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ 0.1 + 0.2 }}"),
            "1e+16 1000000000000000.0 0.0001 1e-05 0.30000000000000004");
}

TEST(Expressions, SafeTextEscapesWhatIsAddedToIt) {
  EXPECT_EQ(render("{{ ('<a>' | safe) + '<b>' }} {{ ('<a>' | safe) ~ '<b>' }} {{ '<' | e }}"), "<a>&lt;b&gt; <a><b> &lt;");
}

TEST(Scopes, LoopsKeepTheirVariablesIfDoesNot) {
  EXPECT_EQ(render("{% set x = 1 %}{% for i in [2, 3] %}{{ x }}{% set x = i %}{{ x }} {% endfor %}{{ x }}"), "12 13 1");
  EXPECT_EQ(render("{% if true %}{% set x = 1 %}{% endif %}{{ x }}"), "1");
  EXPECT_EQ(render("{% set ns = namespace(n=0) %}{% for i in [2, 3] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}"), "5");
  EXPECT_EQ(render("{% with a = 1 %}{{ a }}{% endwith %}[{{ a }}]"), "1[]");
  EXPECT_EQ(render("{% macro m() %}{% set z = 1 %}{{ y }}{% endmacro %}{% set y = 2 %}{{ m() }}{{ z }}"), "2");
  EXPECT_ERROR(try_render("{% set d = {} %}{% set d.x = 1 %}"), "cannot assign attribute on non-namespace object");
}

TEST(Loops, LoopVariables) {
  EXPECT_EQ(
      render("{% for x in 'abc' %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}"
             "{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}"),
      "1032TrueFalse3b;2121FalseFalse3ac;3210FalseTrue3b;");
  EXPECT_EQ(render("{% for x in [1, 1, 2] %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x) }} {% endfor %}"),
            "aTrue bFalse aTrue ");
  EXPECT_EQ(render("{% for x in [1, 2, 3, 4] if x is odd %}{{ x }}/{{ loop.length }} {% else %}none{% endfor %}"), "1/2 3/2 ");
  EXPECT_EQ(render("{% for x in [] %}{% else %}none{% endfor %}"), "none");
  EXPECT_EQ(render("{% for k, v in {'a': 1}.items() %}{{ k }}={{ v }}{% endfor %}"), "a=1");
  EXPECT_EQ(
      render("{% for x in range(9) %}{% if x == 1 %}{% continue %}{% elif x == 3 %}{% break %}{% endif %}{{ x }}{% endfor %}"),
      "02");
  EXPECT_EQ(render("{% for x in [[1, [2]]] recursive %}{{ x if x is number else loop(x) }}{{ loop.depth }} {% endfor %}"),
            "12 23 2 1 ");
}

TEST(Macros, Arguments) {
  const std::string macro = "{% macro m(a, b=a ~ '!', c=3) %}{{ a }},{{ b }},{{ c }}{% endmacro %}";
  EXPECT_EQ(render(macro + "{{ m(1) }} {{ m(1, 2) }} {{ m(c=5, a=4) }} {{ m() }}"), "1,1!,3 1,2,3 4,4!,5 ,!,3");
  EXPECT_ERROR(try_render(macro + "{{ m(1, 2, 3, 4) }}"), "takes not more than 3 argument(s)");
  EXPECT_ERROR(try_render(macro + "{{ m(d=1) }}"), "takes no keyword argument 'd'");
  EXPECT_EQ(render("{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, x=2) }}"), "(1,){'x': 2}");
  EXPECT_EQ(render("{% macro m() %}<{{ caller('y') }}>{% endmacro %}{% call(x) m() %}{{ x }}{% endcall %}"), "<y>");
}

TEST(Blocks, SetAndFilterBlocks) {
  EXPECT_EQ(render("{% set x | upper %}a{{ 'b' }}{% endset %}{{ x }}"), "AB");
  EXPECT_EQ(render("{% filter replace('a', 'b') | upper %}cab{% endfilter %}"), "CBB");
  EXPECT_EQ(render("{% generation %}a{% endgeneration %}"), "a");
}

TEST(Filters, GeneratorsGiveTheirItemsOnce) {
  EXPECT_EQ(render("{% set g = [1, 2] | map('string') %}{{ g | join }}|{{ g | join }}|{{ 'true' if [] | select }}"),
            "12||true");
  EXPECT_ERROR(try_render("{{ [1] | map('string') | tojson }}"), "not JSON serializable");
  EXPECT_ERROR(try_render("{{ [1] | map('string') | length }}"), "has no len()");
}

TEST(Filters, ToJson) {
  const Json variables = {{"v", {{"b", {1, 2.5, nullptr, true}}, {"a", "<é\"\n"}}}};
  EXPECT_EQ(render("{{ v | tojson }}", variables), R"({"b": [1, 2.5, null, true], "a": "<é\"\n"})");
  EXPECT_EQ(render("{{ v | tojson(indent=2) }}", variables),
            "{\n  \"b\": [\n    1,\n    2.5,\n    null,\n    true\n  ],\n  \"a\": \"<é\\\"\\n\"\n}");
  EXPECT_EQ(render("{{ v | tojson(true, none, (',', ':'), true) }}", variables),
            R"({"a":"<\u00e9\"\n","b":[1,2.5,null,true]})");
  EXPECT_EQ(render("{{ '😀\\x7f' | tojson(ensure_ascii=true) }}"), R"("\ud83d\ude00\u007f")");
}

TEST(Filters, ArgumentsAreChecked) {
  EXPECT_ERROR(try_render("{{ 'a' | replace('b') }}"), "replace needs the argument 'new'");
  EXPECT_ERROR(try_render("{{ 'a' | upper(1) }}"), "upper takes at most 0 arguments, got 1");
  EXPECT_ERROR(try_render("{{ 'a' | indent(depth=1) }}"), "indent has no argument 'depth'");
  EXPECT_ERROR(try_render("{{ 'a' | indent(1, width=1) }}"), "indent got two values for 'width'");
}

TEST(Methods, CaseFollowsUnicode) {
  EXPECT_EQ(render("{{ 'straße'.upper() }} {{ 'ΟΔΟΣ'.lower() }} {{ 'ǆ'.title() }} {{ 'İ'.lower() | length }}"),
            "STRASSE οδος ǅ 2");
}

}  // namespace
}  // namespace minke::jinja
