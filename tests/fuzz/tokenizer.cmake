minke_fuzz(tokenizer minke_tokenizer)
