minke_fuzz(constrain minke_constrain nlohmann_json::nlohmann_json)
