// Which tokens of a conversation the model learns from, for the templates that real models bring.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "data/chat_encoder.h"
#include "support/support.h"
#include "tokenizer/train/trainer.h"

namespace minke::testing {
namespace {

const char* const kLlama3 =
    "{{- bos_token }}{%- for message in messages %}{{- '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' + "
    "message.content | trim + '<|eot_id|>' }}{%- endfor %}{%- if add_generation_prompt %}{{- "
    "'<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}";

// A tokenizer of bytes and these special tokens, of which the first two are bos and eos.
Tokenizer byte_tokenizer(const std::vector<std::string>& special) {
  TokenizerTrainingOptions options;
  options.special = special;
  options.bos = special[0];
  options.eos = special[1];
  options.vocab_size = 256 + static_cast<int64_t>(special.size());
  TokenizerTrainer trainer = value_of(TokenizerTrainer::create(options));
  return value_of(Tokenizer::from_spec(value_of(trainer.finish([](int64_t, int64_t) { return true; })), "bytes"));
}

Tokenizer deepseek() {
  return byte_tokenizer({"<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>",
                         "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"});
}
Tokenizer qwen() { return byte_tokenizer({"<|endoftext|>", "<|im_end|>", "<|im_start|>"}); }
Tokenizer llama() { return byte_tokenizer({"<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"}); }

std::string template_file(const std::string& name) {
  return name.find('{') != std::string::npos ? name
                                             : read_test_file(repository_path("tests/data/templates/" + name + ".jinja"));
}

Json user(const std::string& text) { return {{"role", "user"}, {"content", text}}; }
Json assistant(const std::string& text) { return {{"role", "assistant"}, {"content", text}}; }

// The rendered conversation with [ ] around what counts.
std::string marked(const Tokenizer& tokenizer, const EncodedDocument& document) {
  std::string out;
  uint8_t before = 0;
  StreamDecoder decoder(tokenizer);
  for (size_t i = 0; i <= document.tokens.size(); i++) {
    const uint8_t now = i < document.tokens.size() ? document.mask[i] : 0;
    if (now != before) out += now != 0 ? "[" : "]";
    before = now;
    if (i < document.tokens.size()) out += decoder.push(document.tokens[i]);
  }
  return out;
}

Result<EncodedDocument> encode(const Tokenizer& tokenizer, const std::string& chat_template, const Json& row) {
  ChatEncoder encoder = value_of(ChatEncoder::create(tokenizer, template_file(chat_template)));
  return row.contains("messages") ? encoder.encode_messages(row) : encoder.encode_completion(row);
}

std::string learned(const Tokenizer& tokenizer, const std::string& chat_template, const std::vector<Json>& messages) {
  return marked(tokenizer, value_of(encode(tokenizer, chat_template, {{"messages", messages}})));
}

TEST(ChatMask, Llama3) {
  EXPECT_EQ(learned(llama(), kLlama3, {user("hi"), assistant("안녕"), user("more"), assistant(" yes ")}),
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_header_"
            "id|>\n\n"
            "[안녕<|eot_id|>]<|start_header_id|>user<|end_header_id|>\n\nmore<|eot_id|><|start_header_id|>assistant<|end_"
            "header_id|>\n\n"
            "[yes<|eot_id|>]");
}

TEST(ChatMask, Qwen2) {
  EXPECT_EQ(
      learned(qwen(), "Qwen-Qwen2.5-7B-Instruct",
              {{{"role", "system"}, {"content", "S"}}, user("a"), assistant("b"), user("c"), assistant("d")}),
      "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n[b<|im_end|>]\n<|im_start|>user\n"
      "c<|im_end|>\n<|im_start|>assistant\n[d<|im_end|>]\n");
}

// Qwen 3 renders an earlier answer without its reasoning, the last one with it.
TEST(ChatMask, Qwen3KeepsTheReasoningOfTheLastAnswer) {
  EXPECT_EQ(learned(qwen(), "Qwen-Qwen3-0.6B",
                    {user("a"), assistant("<think>\nx\n</think>\n\nb"), user("c"), assistant("<think>\ny\n</think>\n\nd")}),
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n[b<|im_end|>]\n<|im_start|>user\nc<|im_end|>\n"
            "<|im_start|>assistant\n[<think>\ny\n</think>\n\nd<|im_end|>]\n");
}

TEST(ChatMask, DeepSeekR1) {
  for (const char* name : {"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", "deepseek-ai-DeepSeek-R1-Distill-Llama-8B"}) {
    EXPECT_EQ(learned(deepseek(), name,
                      {{{"role", "system"}, {"content", "S"}}, user("a"), assistant("b"), user("c"), assistant("d")}),
              "<｜begin▁of▁sentence｜>S<｜User｜>a<｜Assistant｜>[b<｜end▁of▁sentence｜>]<｜User｜>c<｜Assistant｜>[d<"
              "｜end▁of▁sentence｜>]");
  }
}

// The copy in tests/data writes "<think></think>".
TEST(ChatMask, DeepSeekV31) {
  EXPECT_EQ(learned(deepseek(), "deepseek-ai-DeepSeek-V3.1", {user("a"), assistant("b"), user("c"), assistant("d")}),
            "<｜begin▁of▁sentence｜><｜User｜>a<｜Assistant｜><think></"
            "think>[b<｜end▁of▁sentence｜>]<｜User｜>c<｜Assistant｜><think></think>"
            "[d<｜end▁of▁sentence｜>]");
}

TEST(ChatMask, AnAnswerLikeTheGenerationPromptIsLearnedWhole) {
  // R1's generation prompt ends in "<think>\n", which the template leaves out of conversations.
  EXPECT_EQ(learned(deepseek(), "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", {user("a"), assistant("<thin")}),
            "<｜begin▁of▁sentence｜><｜User｜>a<｜Assistant｜>[<thin<｜end▁of▁sentence｜>]");
}

// The turn begins behind the generation prompt also where the message is rendered differently in the middle.
TEST(ChatMask, WhatTheTemplatePutsBeforeAnAnswerIsTheAssistants) {
  const char* const kTemplate =
      "{% for m in messages %}{{ m.role }}:{% if m.role == 'assistant' %}(){{ '!' if loop.last else '' }}{% endif %}"
      "{{ m.content }}<|eot_id|>{% endfor %}{{ 'assistant:' if add_generation_prompt else '' }}";
  EXPECT_EQ(learned(llama(), kTemplate, {user("a"), assistant("b"), user("c")}),
            "user:a<|eot_id|>assistant:[()b<|eot_id|>]user:c<|eot_id|>");
}

TEST(ChatMask, ALastAnswerThatTheTemplateCutsIsRefused) {
  const Json row = {{"messages", {user("a"), assistant("<think>\nwhy\n</think>\n\nb")}}};
  EXPECT_ERROR(encode(deepseek(), "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", row),
               "messages[1]: the chat template leaves out a part of the last answer");
}

TEST(ChatMask, CompletionsFollowTheGenerationPrompt) {
  const Json row = {{"prompt", {user("a")}}, {"completion", "why\n</think>\n\nb"}};
  EXPECT_EQ(marked(deepseek(), value_of(encode(deepseek(), "deepseek-ai-DeepSeek-R1-Distill-Llama-8B", row))),
            "<｜begin▁of▁sentence｜><｜User｜>a<｜Assistant｜><think>\n[why\n</think>\n\nb<｜end▁of▁sentence｜>]");
  const Json plain = {{"prompt", "2 + 2 ="}, {"completion", " 4"}};
  EXPECT_EQ(marked(llama(), value_of(encode(llama(), kLlama3, plain))), "<|begin_of_text|>2 + 2 =[ 4<|eot_id|>]");
}

TEST(ChatMask, ToolCallsAreOfTheAssistantAndResultsAreNot) {
  Json call = {{"role", "assistant"},
               {"content", nullptr},
               {"tool_calls", {{{"type", "function"}, {"function", {{"name", "f"}, {"arguments", "{}"}}}}}}};
  const std::string text = learned(deepseek(), "vllm-tool-DeepSeek-V3",
                                   {user("a"), call, {{"role", "tool"}, {"content", "RESULT"}}, assistant("b")});
  const size_t begin = text.find('['), end = text.find(']');
  ASSERT_NE(begin, std::string::npos) << text;
  EXPECT_NE(text.substr(begin, end - begin).find("{}"), std::string::npos) << text;
  EXPECT_GT(text.find("RESULT"), end) << text;
  EXPECT_NE(text.find("[b<｜end▁of▁sentence｜>]"), std::string::npos) << text;
}

TEST(ChatMask, ErrorsSayWhichMessage) {
  auto refused = [](const Json& row, const char* text, const std::string& chat_template = kLlama3) {
    EXPECT_ERROR(encode(llama(), chat_template, row), text);
  };
  refused({{"messages", "hi"}}, "messages: expected a list of messages, got string");
  refused({{"messages", Json::array()}}, "messages: expected a list");
  refused({{"messages", {user("a"), 3}}}, "messages[1]: expected an object");
  refused({{"messages", {{{"role", "user"}}}}}, "messages[0]: \"content\" is missing");
  refused({{"messages", {{{"role", "user"}, {"content", 3}}}}}, "messages[0].content: expected text, got number");
  refused({{"messages", {user("a")}}}, "there is no message of the assistant");
  refused({{"messages", {user("a"), assistant("b")}}}, "without a special token: the model would not learn to stop",
          "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}");
  refused({{"messages", {user("a"), assistant("b")}}}, "template raised: no", "{{ raise_exception('no') }}");
  refused({{"prompt", "a"}, {"completion", ""}}, "completion: expected text, got none");
  refused({{"prompt", 1}, {"completion", "b"}}, "prompt: expected a list of messages, got number");
  ChatEncoder none = value_of(ChatEncoder::create(llama(), ""));
  EXPECT_ERROR(none.encode_messages({{"messages", {user("a"), assistant("b")}}}), "no chat template");
  EXPECT_ERROR(ChatEncoder::create(llama(), "{% if"), "template line 1");
}

}  // namespace
}  // namespace minke::testing
