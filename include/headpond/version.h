// The release of these headers. CMake reads the version from here: it is written once.
#pragma once

#define HEADPOND_VERSION_MAJOR 0
#define HEADPOND_VERSION_MINOR 1
#define HEADPOND_VERSION_PATCH 0
