// Hostile templates end soon and with a clear error, and nothing reaches beyond the values.
#include <chrono>

#include "jinja/render.h"

namespace minke::jinja {
namespace {

std::string repeated(std::string_view text, size_t n) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out += text;
  return out;
}

TEST(Limits, MemoryIsAskedForBeforeItIsTaken) {
  for (const char* source : {
           "{{ 'x' * 10**9 }}",
           "{{ [0] * 10**12 }}",
           "{{ 'x' | center(10**12) }}",
           "{{ 'x'.rjust(10**12) }}",
           "{{ 'x'.zfill(10**12) }}",
           "{{ 'a\\nb' | indent(10**12) }}",
           "{{ [1] | tojson(indent=10**12) }}",
           "{{ [1] | batch(10**15, 0) | list }}",
           "{{ [1] | slice(10**15) | list }}",
           "{% set a = 'a' * 10**6 %}{{ a.replace('a', a) }}",
           "{% set a = 'a' * 10**6 %}{{ a.join(a) }}",
           "{% set a = 'a' * 10**6 %}{{ a | replace('a', a) }}",
           "{% set a = 'a' * 10**6 %}{{ a | list | join(a) }}",
       }) {
    EXPECT_ERROR(try_render(source), "too much memory");
  }
}

TEST(Limits, GrowthByDoublingEnds) {
  const std::string loop = "{% set ns = namespace(x=START) %}{% for i in range(99) %}{% set ns.x = STEP %}{% endfor %}";
  auto with = [&](std::string start, std::string step) {
    std::string source = loop;
    source.replace(source.find("START"), 5, start);
    return source.replace(source.find("STEP"), 4, step);
  };
  TemplateLimits limits;
  limits.max_live_bytes = 1 << 20;
  EXPECT_ERROR(try_render(with("'xx'", "ns.x + ns.x"), Json::object(), limits), "too much memory");
  EXPECT_ERROR(try_render(with("'xx'", "ns.x ~ ns.x"), Json::object(), limits), "too much memory");
  EXPECT_ERROR(try_render(with("[1]", "ns.x + ns.x"), Json::object(), limits), "too much memory");
  // Shared lists cost little memory; looking at all of them costs steps or memory.
  limits.max_steps = 100'000;
  const std::string shared = with("[1]", "[ns.x, ns.x]");
  EXPECT_EQ(try_render(shared, Json::object(), limits), "");
  EXPECT_ERROR(try_render(shared + "{{ ns.x }}", Json::object(), limits), "too much");
  EXPECT_ERROR(try_render(shared + "{{ ns.x | tojson }}", Json::object(), limits), "too much");
  EXPECT_ERROR(
      try_render(shared +
                     "{% set a = ns.x %}{% set ns.x = [1] %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}"
                     "{{ a == ns.x }}",
                 Json::object(), limits),
      "too much work");
}

TEST(Limits, SmallObjectsCount) {
  TemplateLimits limits;
  limits.max_live_bytes = 1 << 20;
  for (const char* source :
       {"{% for i in range(9999) %}{% macro m() %}{% endmacro %}{% endfor %}",
        "{% for i in range(9999) %}{% set n = namespace() %}{% endfor %}", "{{ range(9999) | map(attribute='x') | list }}",
        "{% for i in range(9999) %}{% call m() %}{% endcall %}{% endfor %}",
        "{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = ns.l + [range] %}{% endfor %}"}) {
    EXPECT_ERROR(try_render(std::string("{% macro m() %}{{ caller() }}{% endmacro %}") + source, Json::object(), limits),
                 "too much memory");
  }
}

TEST(Limits, LongLoopsEnd) {
  TemplateLimits limits;
  limits.max_steps = 100'000;
  const std::string nested = "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}";
  EXPECT_ERROR(try_render(nested, Json::object(), limits), "too much work (limit: 100000 steps)");
  const std::string search = "{% set s = 'a' * 100000 %}{% for i in range(1000) %}{{ s.count('b') }}{% endfor %}";
  EXPECT_ERROR(try_render(search, Json::object(), limits), "too much work");
  EXPECT_ERROR(try_render("{{ range(10**18) }}"), "is too big");
  EXPECT_ERROR(try_render("{{ range(0, 0 - 10**18, -1) | length }}"), "is too big");
}

TEST(Limits, OutputEnds) {
  TemplateLimits limits;
  limits.max_output_bytes = 1000;
  EXPECT_EQ(testing::value_of(try_render("{{ 'x' * 1000 }}", Json::object(), limits)).size(), 1000u);
  EXPECT_ERROR(try_render("{{ 'x' * 1000 }}y", Json::object(), limits), "the output is longer than 1000 bytes");
}

TEST(Limits, RecursionEnds) {
  const std::string message = "does a macro call itself without end?";
  EXPECT_ERROR(try_render("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), message);
  EXPECT_ERROR(try_render("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}"), message);
  EXPECT_ERROR(try_render("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}"), message);
  EXPECT_ERROR(try_render("{% macro m() %}{% call m() %}{% endcall %}{{ caller() if caller }}{% endmacro %}{{ m() }}"),
               message);
}

TEST(Limits, DeepNestingInTheSourceIsRefused) {
  for (const char* open : {"(", "[", "{1: ", "-", "not ", "m(", "a[", "x if x else ", "[1, "}) {
    EXPECT_ERROR(Template::parse("{{ " + repeated(open, 20000)), "template line 1: ");
  }
  EXPECT_ERROR(Template::parse("{{ " + repeated("(", 20000) + "1" + repeated(")", 20000) + " }}"), "nested more than");
  EXPECT_ERROR(Template::parse(repeated("{% if 1 %}", 5000)), "nested more than");
  EXPECT_ERROR(Template::parse("{{ x" + repeated(".a", 20000) + " }}"), "an expression of too many parts");
  EXPECT_ERROR(Template::parse("{{ x" + repeated(" + 1", 20000) + " }}"), "an expression of too many parts");
  EXPECT_ERROR(Template::parse("{{ x" + repeated("|upper", 20000) + " }}"), "an expression of too many parts");
  EXPECT_EQ(render("{{ " + repeated("(", 60) + "1" + repeated(")", 60) + " }}"), "1");
  EXPECT_EQ(render("{{ 0" + repeated(" + 1", 300) + " }}"), "300");
  EXPECT_EQ(render("{% if 0 %}" + repeated("{% elif 0 %}", 5000) + "{% else %}x{% endif %}"), "x");
}

TEST(Limits, DeepValuesAreRefused) {
  EXPECT_ERROR(try_render("{% set ns = namespace(x=1) %}{% for i in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}"),
               "nested more than 200 deep");
  EXPECT_ERROR(try_render("{% set ns = namespace(x=1) %}{% for i in range(999) %}{% set ns.x = {1: ns.x} %}{% endfor %}"),
               "nested more than 200 deep");
  Json deep = 1;
  for (int i = 0; i < 300; ++i) deep = Json::array({std::move(deep)});
  EXPECT_ERROR(try_render("", {{"v", deep}}), "nested more than 200 deep");
}

TEST(Limits, ValuesThatReferToThemselvesAreFreed) {
  // Found by the leak checker if not.
  EXPECT_EQ(render("{% set ns = namespace() %}{% set ns.self = ns %}{% set ns.list = [ns] %}x"), "x");
  EXPECT_EQ(render("{% set ns = namespace() %}{% macro m() %}{% endmacro %}{% set ns.m = m %}x"), "x");
  EXPECT_EQ(render("{% for i in [1] %}{{ loop.changed(loop) }}{% endfor %}"), "True");
  EXPECT_EQ(render("{% set ns = namespace() %}{% for i in range(20000) %}{% set prev = ns.l %}"
                   "{% for x in [1] recursive %}{% set ns.l = loop %}{% endfor %}{% endfor %}x"),
            "x");
  EXPECT_EQ(render("{% set ns = namespace() %}{% for i in range(20000) %}{% set prev = ns.m %}"
                   "{% macro m() %}{{ prev }}{% endmacro %}{% set ns.m = m %}{% endfor %}x"),
            "x");
  EXPECT_EQ(
      render("{% set ns = namespace() %}{% for i in range(50000) %}{% set ns.next = namespace(next=ns.next) %}{% endfor %}x"),
      "x");
  EXPECT_ERROR(try_render("{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}"), "nested too deeply to print");
}

TEST(Limits, TemplateSize) {
  TemplateLimits limits;
  limits.max_template_bytes = 10;
  EXPECT_TRUE(Template::parse("0123456789", limits).has_value());
  EXPECT_ERROR(Template::parse("0123456789a", limits), "has 11 bytes (limit: 10)");
}

TEST(Limits, AChatOfAMillionTokensFits) {
  Json messages = Json::array();
  for (int i = 0; i < 10'000; ++i) {
    messages.push_back({{"role", i % 2 == 0 ? "user" : "assistant"}, {"content", std::string(450, i % 3 == 0 ? 'a' : 'b')}});
  }
  const std::string source =
      minke::testing::read_test_file(minke::testing::repository_path("tests/data/templates/DeepSeek-V3-api-docs-zip.jinja"));
  const auto rendered = try_render(source, {{"messages", messages}, {"bos_token", "<s>"}, {"add_generation_prompt", true}});
  ASSERT_TRUE(rendered.has_value()) << rendered.error().message;
  EXPECT_GT(rendered->size(), 4'500'000u);
}

// Known ways out of template sandboxes: research lists CVE-2024-34359, CVE-2024-56326 and their kind.
TEST(Security, NothingReachesBeyondTheValues) {
  for (const char* source : {
           "{{ ''.__class__.__mro__[1].__subclasses__() }}",
           "{{ ''['__class__'] }}",
           "{{ x.__class__ }}",
           "{{ x['__class__'] }}",
           "{{ x.__init__.__globals__ }}",
           "{{ x._private }}",
           "{{ x | attr('__class__') }}",
           "{{ x | attr('upper') }}",
           "{{ '{0.__class__}'.format(x) }}",
           "{{ '{0[0]}'.format(x) }}",
           "{{ '{a.b}'.format(a=x) }}",
           "{{ ('{0.x}' | safe).format(1) }}",
           "{{ x.format_map({}) }}",
           "{{ [x] | map('attr', '__class__') | list }}",
           "{{ [x] | map(attribute='__class__') | list }}",
           "{{ [x] | map('format', '{0.__class__}') | map('nosuch') }}",
           "{{ [x] | selectattr('__class__') | list }}",
           "{{ [x] | sort(attribute='__class__') }}",
           "{{ [x] | groupby('__class__') }}",
           "{{ x.format.__self__ }}",
           "{{ lipsum.__globals__['os'].popen('id').read() }}",
           "{{ cycler.__init__.__globals__ }}",
           "{{ self.__init__ }}",
           "{{ namespace.__init__ }}",
           "{{ range.__class__ }}",
           "{% macro m() %}{% endmacro %}{{ m.__globals__ }}",
           "{% for i in [1] %}{{ loop.__class__ }}{% endfor %}",
           "{{ (1).__class__ }}",
           "{{ {}.__class__ }}",
           "{{ [].__len__() }}",
           "{{ x.encode() }}",
           "{{ (x | list).append(1) }}",
           "{{ {}.update({}) }}",
           "{{ {'a': 1}.pop('a') }}",
           "{{ [1].sort() }}",
           "{% import 'os' as os %}",
           "{% include '/etc/passwd' %}",
           "{{ request }}{{ config.items() }}",
           "{{ open('/etc/passwd') }}",
           "{{ x.upper.im_func }}{{ x.upper.__func__ }}",
           "{{ eval('1') }}",
           "{{ '%(a.b)s' % {'a': x} }}",
       }) {
    EXPECT_FALSE(try_render(source, {{"x", "abc"}}).has_value()) << source;
  }
}

TEST(Security, KeysOfDataMayLookLikeAttributes) {
  EXPECT_EQ(render("{{ d._id }}{{ d['__class__'] }}{{ d._none }}", {{"d", {{"_id", 1}, {"__class__", 2}}}}), "12");
}

}  // namespace
}  // namespace minke::jinja
