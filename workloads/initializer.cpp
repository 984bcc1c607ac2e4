// SPDX-License-Identifier: Apache-2.0
#include "workloads/initializer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "workloads/initializer_file.h"
#include "workloads/random.h"

namespace npusim::workloads {
namespace {

using Kind = Initializer::Kind;
__extension__ typedef unsigned __int128 Wide;

struct Fans {
  double in = 1.0, out = 1.0;
};

Fans fans_of(const Shape& shape, const std::string& tensor_name) {
  if (shape.size() < 2)
    throw base::InputError(fmt::format("tensor {} of shape {} has no fan-in: Kaiming and Xavier "
                                       "initialisers need rank 2 or more",
                                       tensor_name, to_string(shape)),
                           "wrong-initializer");
  double window = 1.0;
  for (std::size_t i = 2; i < shape.size(); ++i) window *= static_cast<double>(shape[i]);
  return {static_cast<double>(shape[1]) * window, static_cast<double>(shape[0]) * window};
}

double binary32(double x) {
  return static_cast<double>(static_cast<float>(x));
}

void fill_uniform(const RandomStream& stream, double low, double high, std::vector<double>& out) {
  // Rounding to binary32 can reach `high`, which is not part of the interval.
  const double below_high = static_cast<double>(
      std::nextafter(static_cast<float>(high), -std::numeric_limits<float>::infinity()));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double value = binary32(low + (high - low) * unit_interval(stream.bits(i)));
    out[i] = value >= high && low < high ? std::max(below_high, low) : value;
  }
}

void fill_normal(const RandomStream& stream, double mean, double stddev, std::vector<double>& out) {
  for (std::size_t i = 0; i < out.size(); i += 2) {
    const NormalPair pair = normal_pair(stream.block(i / 2));
    out[i] = binary32(mean + stddev * pair.first);
    if (i + 1 < out.size()) out[i + 1] = binary32(mean + stddev * pair.second);
  }
}

/// low + floor(bits * span / 2^64): each integer within one part in 2^64 / span of equally likely.
void fill_integers(const RandomStream& stream, double low, double high, std::vector<double>& out) {
  const auto first = static_cast<std::int64_t>(low);
  const auto span = static_cast<std::uint64_t>(static_cast<std::int64_t>(high) - first) + 1;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const Wide scaled = static_cast<Wide>(stream.bits(i)) * span;
    out[i] = static_cast<double>(first + static_cast<std::int64_t>(scaled >> 64));
  }
}

void generate(const Initializer& initializer, const std::string& tensor_name, std::uint64_t seed,
              Tensor& tensor) {
  const RandomStream stream(seed, initializer.stream.empty() ? tensor_name : initializer.stream);
  std::vector<double>& out = tensor.values;
  const auto fans = [&] { return fans_of(tensor.shape, tensor_name); };
  switch (initializer.kind) {
    case Kind::constant:
      out.assign(out.size(), tensor.type == ElementType::floating ? binary32(initializer.value)
                                                                  : initializer.value);
      return;
    case Kind::uniform:
      return fill_uniform(stream, initializer.low, initializer.high, out);
    case Kind::normal:
      return fill_normal(stream, initializer.mean, initializer.stddev, out);
    case Kind::kaiming_normal:
      return fill_normal(stream, initializer.mean, std::sqrt(2.0 / fans().in), out);
    case Kind::kaiming_uniform: {
      const double bound = std::sqrt(6.0 / fans().in);
      return fill_uniform(stream, -bound, bound, out);
    }
    case Kind::xavier_normal:
      return fill_normal(stream, 0.0, std::sqrt(2.0 / (fans().in + fans().out)), out);
    case Kind::xavier_uniform: {
      const double bound = std::sqrt(6.0 / (fans().in + fans().out));
      return fill_uniform(stream, -bound, bound, out);
    }
    case Kind::uniform_int:
      return fill_integers(stream, initializer.low, initializer.high, out);
    case Kind::file:
      break;
  }
  throw base::InternalError("not a generator");
}

bool integral(Kind kind) {
  return kind == Kind::constant || kind == Kind::uniform_int || kind == Kind::file;
}

}  // namespace

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::constant:
      return "constant";
    case Kind::uniform:
      return "uniform";
    case Kind::normal:
      return "normal";
    case Kind::kaiming_normal:
      return "kaiming_normal";
    case Kind::kaiming_uniform:
      return "kaiming_uniform";
    case Kind::xavier_normal:
      return "xavier_normal";
    case Kind::xavier_uniform:
      return "xavier_uniform";
    case Kind::uniform_int:
      return "uniform_int";
    case Kind::file:
      return "file";
  }
  throw base::InternalError("unknown initialiser");
}

bool needs_fans(Kind kind) {
  return kind == Kind::kaiming_normal || kind == Kind::kaiming_uniform ||
         kind == Kind::xavier_normal || kind == Kind::xavier_uniform;
}

Tensor make_values(const Initializer& initializer, const Shape& shape, ElementType type,
                   const std::string& tensor_name, std::uint64_t seed) {
  if (type != ElementType::floating && !integral(initializer.kind))
    throw base::InputError(fmt::format("tensor {} holds integers: initialiser {} makes fractions",
                                       tensor_name, name_of(initializer.kind)),
                           "wrong-initializer");
  if (initializer.kind == Kind::file) return read_values(initializer, shape, type, tensor_name);
  Tensor tensor(shape, type);
  generate(initializer, tensor_name, seed, tensor);
  return tensor;
}

}  // namespace npusim::workloads
