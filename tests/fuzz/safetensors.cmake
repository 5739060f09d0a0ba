minke_fuzz(safetensors minke_format)
