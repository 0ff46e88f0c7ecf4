// Environment values for Options::from_env, the same texts for Options::set.
#include "fuzz_input.h"
#include "queue_file.h"

#include <headpond/error.h>
#include <headpond/options.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

namespace headpond::fuzz {
namespace {

// The message of a refusal; nullopt: taken.
template <class Call>
std::optional<std::string> refusal(Call call) {
    try {
        call();
        return std::nullopt;
    } catch (const Error& error) {
        require(error.code() == ErrorCode::misuse, "a bad option is misuse");
        require_one_line(error.what());
        require(error.message().find("allowed: ") != std::string::npos,
                "a refusal says what is allowed");
        return error.message();
    }
}

void run(Input input) {
    const std::vector<OptionDoc> docs = option_docs();
    const std::string prefix = "FUZZ_";
    std::vector<std::string> variables;
    bool set_refuses = false;
    for (int i = 0; i < 4 && !input.empty(); ++i) {
        const OptionDoc& doc = docs[input.below(docs.size())];
        const std::string text = input.text();
        const std::string value = text.c_str();  // an environment value ends at a NUL
        variables.push_back(prefix + std::string(doc.variable));
        // As in a shell, the last one counts.
        ::setenv(variables.back().c_str(), value.c_str(), 1);
        Options options;
        (void)refusal([&] { options.set(doc.name, text); });
    }
    const auto refused = refusal([&] { (void)Options::from_env(prefix); });
    for (const OptionDoc& doc : docs) {
        const char* value = std::getenv((prefix + std::string(doc.variable)).c_str());
        if (value == nullptr) continue;
        Options options;
        set_refuses |= refusal([&] { options.set(doc.name, value); }).has_value();
    }
    require(refused.has_value() == set_refuses, "from_env and set take the same texts");
    if (refused) require(refused->starts_with(prefix), "a refusal begins with the variable");
    for (const std::string& variable : variables) ::unsetenv(variable.c_str());
    Options unnamed;
    const std::string name = input.text();
    (void)refusal([&] { unnamed.set(name, input.text()); });
}

}  // namespace
}  // namespace headpond::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    headpond::fuzz::run({bytes, count});
    return 0;
}
