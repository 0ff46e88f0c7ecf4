// A real program: spawned, fed, read and waited for.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

namespace headpond::test {

struct ProgramResult {
    int exit = -1;  // 128 + N where signal N ended it
    std::string out, err;
};

struct ProgramOptions {
    std::vector<std::string> arguments;
    // Beside ours, of which HEADPOND_* and MOONSHOT_* are left out.
    std::map<std::string, std::string> environment;
    std::filesystem::path directory;    // where it runs; empty: here
    std::filesystem::path stdin_path;   // read instead of a pipe
    std::filesystem::path stdout_path;  // written instead of a pipe
    std::vector<int> closed;            // descriptors that it starts without
    bool terminal = false;              // stdin and stdout are a terminal
};

// Starts with the object; the destructor kills what still runs. One thread at a time.
class Program {
  public:
    Program(const std::filesystem::path& path, const ProgramOptions& options);
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    ~Program();

    // Everything is written and read at once, so that no pipe fills up; then waits for the end.
    // Throws after a minute.
    ProgramResult finish(const std::string& input = {});
    // Writes a part of stdin; finish() goes on from there.
    void write(const std::string& text);
    // The next line of stdout, without its end. Throws after a minute, or where none comes.
    std::string read_line();
    void signal(int number) const;
    // Closes our end of its stdout: its next write fails.
    void close_output();

  private:
    void pump(const std::string& input);
    bool read_part(int& fd, std::string& text);

    pid_t pid_ = -1;
    int input_ = -1, output_ = -1, error_ = -1;
    std::string out_, err_;
    bool terminal_ = false;
};

}  // namespace headpond::test
