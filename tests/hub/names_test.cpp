#include "hub/names.h"

#include "hub/reference.h"
#include "support/support.h"

namespace minke::hub {
namespace {

TEST(Reference, TheFormsThatPeopleType) {
  struct Case {
    const char* text;
    const char* repo;
    const char* quant;
    const char* file;
    const char* revision;
  };
  for (const Case& c : {
           Case{"deepseek-ai/DeepSeek-R1", "deepseek-ai/DeepSeek-R1", "", "", ""},
           Case{"unsloth/DeepSeek-R1-GGUF:Q4_K_M", "unsloth/DeepSeek-R1-GGUF", "Q4_K_M", "", ""},
           Case{"unsloth/DeepSeek-R1-GGUF:UD-IQ1_S@v1.0", "unsloth/DeepSeek-R1-GGUF", "UD-IQ1_S", "", "v1.0"},
           Case{"org/name@refs/pr/1", "org/name", "", "", "refs/pr/1"},
           Case{"hf.co/org/name:q8_0", "org/name", "q8_0", "", ""},
           Case{"org/name:latest", "org/name", "", "", ""},
           Case{"https://huggingface.co/org/name", "org/name", "", "", ""},
           Case{"https://huggingface.co/org/name/", "org/name", "", "", ""},
           Case{"https://huggingface.co/org/name/tree/main", "org/name", "", "", "main"},
           Case{"https://huggingface.co/org/name/blob/main/sub/a.gguf", "org/name", "", "sub/a.gguf", "main"},
           Case{"https://huggingface.co/org/name/resolve/v2/a.gguf?download=true", "org/name", "", "a.gguf", "v2"},
           Case{"org/name/a-Q4_K_M.gguf", "org/name", "", "a-Q4_K_M.gguf", ""},
       }) {
    ModelReference reference = testing::value_of(parse_reference(c.text));
    EXPECT_EQ(reference.repo, c.repo) << c.text;
    EXPECT_EQ(reference.quant, c.quant) << c.text;
    EXPECT_EQ(reference.file, c.file) << c.text;
    EXPECT_EQ(reference.revision, c.revision) << c.text;
  }
}

TEST(Reference, RefusesWhatCouldMeanSomethingElse) {
  for (const char* text : {"",
                           "name",
                           "org/",
                           "/name",
                           "../name",
                           "org/..",
                           "org/.hidden",
                           "org/a--b",
                           "org/na me",
                           "org/name:",
                           "org/name@",
                           "org/name:Q4/../x",
                           "org/name@../../x",
                           "org/name@-x",
                           "org/name/../x",
                           "org/name/a\\b",
                           "org/name\n",
                           "https://evil.example/org/name",
                           "http://127.0.0.1/org/name",
                           "file:///etc/passwd",
                           "org/name/a.gguf:Q4_K_M"}) {
    EXPECT_FALSE(parse_reference(text).has_value()) << text;
  }
  EXPECT_ERROR(parse_reference("https://hf-mirror.com/org/name"), "set HF_ENDPOINT");
  EXPECT_ERROR(parse_reference("deepseek-r1"), "expected org/name");
}

TEST(Reference, TextCanBeTypedAgain) {
  for (const char* text : {"org/name", "org/name:Q4_K_M@v1", "org/name/a.gguf@v1"}) {
    EXPECT_EQ(to_text(testing::value_of(parse_reference(text))), text);
  }
}

TEST(Names, FilePathsThatLeaveOrLie) {
  for (std::string path : {"", "/etc/passwd", "..", "../x", "a/../../x", "a/..", "./a", "a//b", "a/", "C:/x", "a\\b", "a\nb",
                           "a\x7f", "a:stream"}) {
    EXPECT_FALSE(check_file_path(path).has_value()) << path;
  }
  EXPECT_FALSE(check_file_path(std::string("a\0b", 3)).has_value());
  EXPECT_FALSE(check_file_path("\xff").has_value());
  EXPECT_FALSE(check_file_path(std::string(2000, 'a')).has_value());
  EXPECT_FALSE(check_file_path(std::string(250, 'a')).has_value());
  for (const char* path : {"config.json", "a/b/c.gguf", "..a", "a..", ".gitattributes", "모델.gguf", "a b.txt"}) {
    EXPECT_TRUE(check_file_path(path).has_value()) << path;
  }
}

TEST(Names, Collisions) {
  EXPECT_ERROR(check_no_collisions(std::vector<std::string>{"a/Config.json", "a/config.JSON"}), "differ only in case");
  EXPECT_ERROR(check_no_collisions(std::vector<std::string>{"a", "A/b"}), "needs it as a folder");
  EXPECT_TRUE(check_no_collisions(std::vector<std::string>{"a/b", "a/c", "ab"}).has_value());
}

TEST(Names, BlobsAndFolders) {
  EXPECT_TRUE(is_blob_name(std::string(40, 'a')));
  EXPECT_TRUE(is_blob_name(std::string(64, '0')));
  for (std::string name :
       {std::string(41, 'a'), std::string(40, 'A'), std::string(39, 'a') + "g", std::string("../../../etc/passwd")}) {
    EXPECT_FALSE(is_blob_name(name)) << name;
  }
  EXPECT_EQ(repo_folder("org/name"), "models--org--name");
  EXPECT_EQ(repo_of_folder("models--org--name"), "org/name");
  for (const char* folder : {"datasets--org--name", "models--org", "models--org--a--b", "models--..--x", ".locks"}) {
    EXPECT_EQ(repo_of_folder(folder), std::nullopt) << folder;
  }
}

TEST(Names, PrintableTextIsOneLine) {
  EXPECT_EQ(printable("a\r\n\x1b[31mb\xff"), "a???[31mb\uFFFD");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
}

}  // namespace
}  // namespace minke::hub
