minke_fuzz(template minke_jinja)
