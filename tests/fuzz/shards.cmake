minke_fuzz(shards minke_data nlohmann_json::nlohmann_json)
