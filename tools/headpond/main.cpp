#include "program.h"

int main(int argc, char** argv) {
    return headpond::cli::run(argc, argv);
}
