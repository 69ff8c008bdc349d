// What the readers of code streams throw; the binding makes a ValueError of it, which engine/codec turns into BadFrame.
#pragma once
#include <stdexcept>
#include <string>

namespace voxcast {

struct BadCode : std::invalid_argument {
  explicit BadCode(const std::string& what) : std::invalid_argument(what) {}
};

}  // namespace voxcast
