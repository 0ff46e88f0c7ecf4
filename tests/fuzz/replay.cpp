// Runs a target on files, without a fuzzer: replay FILE_OR_FOLDER... A finding aborts.
#include "fuzz_input.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_of(const fs::path& path) {
    if (!fs::is_directory(path)) return {path};
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
        if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

int run(int count, char** arguments) {
    std::size_t ran = 0;
    for (int i = 1; i < count; ++i) {
        for (const fs::path& file : files_of(arguments[i])) {
            std::ifstream stream(file, std::ios::binary);
            if (!stream) throw std::runtime_error("cannot read " + file.string());
            const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
            std::cout << file.filename().string() << std::endl;
            LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                   bytes.size());
            ++ran;
        }
    }
    std::cout << ran << " inputs\n";
    return ran > 0 ? 0 : 3;
}

}  // namespace

int main(int count, char** arguments) {
    try {
        return run(count, arguments);
    } catch (const std::exception& error) {
        std::cerr << "replay: " << error.what() << '\n';
        return 2;
    }
}
