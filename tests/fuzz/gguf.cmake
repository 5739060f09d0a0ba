minke_fuzz(gguf minke_format)
