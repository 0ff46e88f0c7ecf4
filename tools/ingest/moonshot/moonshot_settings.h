// The service of --resolver moonshot, or any other that is compatible with OpenAI's chat
// completions: from flags, variables and a file.
#pragma once

#include <headpond/clock.h>

#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace headpond::ingest {

struct MoonshotSettings {
    std::string base_url = "https://api.moonshot.ai/v1";
    std::string model = "kimi-k2.6";
    std::string key;  // never printed, logged or stored
    Ms connect_timeout{10'000};
    Ms call_timeout{120'000};  // of a whole call, connecting included
};

// The flags of the settings, and what becomes of them and of the variables MOONSHOT_API_KEY,
// MOONSHOT_BASE_URL, MOONSHOT_MODEL, MOONSHOT_CONNECT_TIMEOUT and MOONSHOT_CALL_TIMEOUT: a flag
// counts before its variable.
class MoonshotFlags {
  public:
    // The object must live until the command line is parsed.
    void add_to(CLI::App& app);
    // Checks all, and reads the key. Throws UsageError, never with a key in it.
    [[nodiscard]] MoonshotSettings read() const;

  private:
    std::optional<std::string> base_url_, model_, key_file_, connect_timeout_, call_timeout_;
};

}  // namespace headpond::ingest
