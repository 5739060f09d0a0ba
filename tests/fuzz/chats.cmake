minke_fuzz(chats minke_store nlohmann_json::nlohmann_json)
