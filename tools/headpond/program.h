// The whole program: parses, runs one command, turns every failure into one line and an exit code.
#pragma once

namespace headpond::cli {

// Answers the exit code (see Exit in session.h). Never throws.
int run(int argc, char** argv) noexcept;

}  // namespace headpond::cli
