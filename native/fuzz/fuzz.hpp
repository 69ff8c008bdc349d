// What every fuzz target has: LLVMFuzzerTestOneInput, and a way to say that an answer is wrong.
//
// With clang they are libFuzzer targets (cmake -DVOXCAST_FUZZ=ON, CXX=clang++). Elsewhere standalone.cpp has a main() that replays files and
// folders, then tries seeded mutations of the small ones: `fuzz_… [-mutations=N] [-seed=N] [-seconds=N] PATH…`.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

[[noreturn]] inline void wrong(const char* what) {
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
