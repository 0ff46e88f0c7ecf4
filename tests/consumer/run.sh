#!/usr/bin/env bash
# run.sh MODE SOURCE BUILD CXX: builds README's first example as a user of the library would, with
# find_package, pkg-config or add_subdirectory, and runs it. The library is installed into a folder
# of the test's own.
set -euo pipefail

mode=$1 source=$2 build=$3 cxx=$4
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The first block of C++ in README, as it stands there.
sed -n '/^```cpp$/,/^```$/p' "$source/README.md" | sed '1d;/^```$/,$d' >"$work/main.cpp"
[ -s "$work/main.cpp" ] || { echo "README has no block of C++" >&2; exit 1; }

configure=(-DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_BUILD_TYPE=Release -DMAIN="$work/main.cpp" -DMODE="$mode")
if [ "$mode" != add_subdirectory ]; then
    cmake --install "$build" --prefix "$work/prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
fi
case $mode in
    find_package)
        # The installed programs find the installed library.
        env -u LD_LIBRARY_PATH "$work/prefix/bin/headpond" version
        cmake -S "$here/project" -B "$work/build" "${configure[@]}" -DCMAKE_PREFIX_PATH="$work/prefix"
        cmake --build "$work/build"
        program="$work/build/consumer" ;;
    add_subdirectory)
        cmake -S "$here/project" -B "$work/build" "${configure[@]}" -DHEADPOND_SOURCE_DIR="$source"
        cmake --build "$work/build" --parallel 2
        program="$work/build/consumer" ;;
    pkg-config)
        libdir=$(dirname "$(find "$work/prefix" -name headpond.pc)")
        export PKG_CONFIG_PATH="$libdir"
        flags=$(pkg-config --cflags --libs headpond)
        # shellcheck disable=SC2086
        "$cxx" -std=c++20 -Wall -Wextra -Werror "$work/main.cpp" $flags -o "$work/consumer"
        program="$work/consumer"
        export LD_LIBRARY_PATH="$(dirname "$libdir")" ;;
    *) echo "mode '$mode'; allowed: find_package, pkg-config, add_subdirectory" >&2; exit 1 ;;
esac
cd "$work"
"$program"
# What a program that links the library may see: no symbol of SQLiteCpp or spdlog is exported.
library=$(ldd "$program" | sed -n 's/.*=> \(.*libheadpond[^ ]*\).*/\1/p')
exported=$(nm -D --defined-only "$library" | c++filt | grep -E ' [TW] ' | grep -E 'SQLite::|spdlog::' || true)
[ -z "$exported" ] || { echo "exported: $exported" >&2; exit 1; }
