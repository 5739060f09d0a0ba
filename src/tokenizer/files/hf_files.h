// tokenizer.json, tokenizer_config.json, chat_template.jinja and tiktoken.model, as Hugging Face repositories have them.
// Sources: huggingface/tokenizers (the JSON of each component), transformers (tokenizer_config.json), openai/tiktoken (ranks).
#pragma once

#include <string>

#include "base/error.h"
#include "base/json.h"
#include "tokenizer/files/json_fields.h"
#include "tokenizer/spec.h"
#include "tokenizer/tokenizer.h"

namespace minke {

// The tokenizer of a model directory, from tokenizer.json or tiktoken.model.
Result<TokenizerSpec> read_hf_directory(const std::string& directory);
// tokenizer.json and what is beside it.
Result<TokenizerSpec> read_hf_tokenizer(const std::string& path);

// The parts of that, on parsed JSON; `where` names the file.
Result<TokenizerSpec> parse_tokenizer_json(const Json& json, const std::string& where);
Status apply_tokenizer_config(TokenizerSpec& spec, const Json& json, const std::string& where);

Result<std::vector<NormalizerStep>> parse_normalizer(const Json& json, const std::string& where);
Result<std::vector<PreTokenizerStep>> parse_pre_tokenizer(const Json& json, const std::string& where);
Result<std::vector<DecoderStep>> parse_decoder(const Json& json, const std::string& where);
Result<AddedToken> parse_added_token(JsonFields& fields, TokenId id);

// Puts a token in its place in the vocabulary, which grows as needed; an error if the place has another token.
Status place_added_token(TokenizerSpec& spec, AddedToken token, const std::string& where);

// The ids and kinds of an empty vocabulary of n ids.
void resize_vocabulary(TokenizerSpec& spec, size_t n);

// base64 rank lines of tiktoken. Sets tokens, merges and the pre-tokenizer of Kimi; tokenizer_config.json has the rest.
Result<TokenizerSpec> parse_tiktoken(std::string_view text, const std::string& where);

Result<Tokenizer::HfFiles> write_hf_files(const TokenizerSpec& spec);
Json normalizer_json(const std::vector<NormalizerStep>& steps);
Json pre_tokenizer_json(const std::vector<PreTokenizerStep>& steps);
Json decoder_json(const std::vector<DecoderStep>& steps);

}  // namespace minke
