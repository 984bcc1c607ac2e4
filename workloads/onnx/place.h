// SPDX-License-Identifier: Apache-2.0
// Where in an ONNX file something stands.
#pragma once

#include <string>

#include "base/error.h"

namespace npusim::workloads::onnx {

struct Place {
  std::string file;
  std::string pointer;  ///< "/graph/node/3"
  std::string what;     ///< "node \"conv1\" (Conv)", "tensor \"w\"", or ""

  Place at(const std::string& step) const { return {file, pointer + "/" + step, what}; }
  Place at(const std::string& step, std::size_t index) const {
    return at(step + "/" + std::to_string(index));
  }
  Place named(const std::string& subject) const { return {file, pointer, subject}; }

  base::Diagnostic diagnostic(const std::string& code, const std::string& message,
                              const std::string& allowed = {}) const {
    base::Diagnostic result;
    result.file = file;
    result.pointer = pointer;
    result.code = code;
    result.message = what.empty() ? message : what + ": " + message;
    result.allowed = allowed;
    return result;
  }
  [[noreturn]] void fail(const std::string& code, const std::string& message,
                         const std::string& allowed = {}) const {
    throw base::InputError({diagnostic(code, message, allowed)});
  }
};

}  // namespace npusim::workloads::onnx
