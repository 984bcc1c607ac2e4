// SPDX-License-Identifier: Apache-2.0
#include "workloads/initializer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "workloads/detmath.h"
#include "workloads/distributions.h"
#include "workloads/initializer_file.h"

namespace npusim::workloads {
namespace {

using Kind = Initializer::Kind;

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

/// Writes the values of a range of elements.
using Draw = std::function<void(ElementRange, double*)>;

Draw uniform(const RandomStream& stream, double low, double high) {
  return [=](ElementRange range, double* out) { draw_uniform(stream, low, high, range, out); };
}

Draw normal(const RandomStream& stream, double mean, double stddev) {
  return [=](ElementRange range, double* out) { draw_normal(stream, mean, stddev, range, out); };
}

Draw constant(double value, ElementType type) {
  if (type == ElementType::floating) value = static_cast<double>(static_cast<float>(value));
  return [=](ElementRange range, double* out) { std::fill_n(out, range.count, value); };
}

Draw integers(const RandomStream& stream, double low, double high) {
  return [=](ElementRange range, double* out) {
    draw_integers(stream, static_cast<std::int64_t>(low), static_cast<std::int64_t>(high), range,
                  out);
  };
}

Draw rotary(const Initializer& initializer, const Shape& shape) {
  const std::int64_t pairs = shape[shape.size() - 1];
  const std::int64_t positions = shape[shape.size() - 2];
  const bool cosine = initializer.kind == Kind::rotary_cos;
  return [=](ElementRange range, double* out) {
    for (std::int64_t i = 0; i < range.count; ++i) {
      const std::int64_t at = range.begin + i;
      const double position = initializer.low + static_cast<double>(at / pairs % positions);
      const double exponent = static_cast<double>(at % pairs) / static_cast<double>(pairs);
      const double angle = position * det_pow(initializer.value, -exponent);
      out[i] = static_cast<double>(static_cast<float>(cosine ? det_cos(angle) : det_sin(angle)));
    }
  };
}

Draw generator(const Initializer& initializer, const RandomStream& stream, const Tensor& tensor,
               const std::string& tensor_name) {
  const Fans fans = needs_fans(initializer.kind) ? fans_of(tensor.shape, tensor_name) : Fans{};
  const auto symmetric = [&](double bound) { return uniform(stream, -bound, bound); };
  switch (initializer.kind) {
    case Kind::constant:
      return constant(initializer.value, tensor.type);
    case Kind::uniform:
      return uniform(stream, initializer.low, initializer.high);
    case Kind::normal:
      return normal(stream, initializer.mean, initializer.stddev);
    case Kind::kaiming_normal:
      return normal(stream, initializer.mean, std::sqrt(2.0 / fans.in));
    case Kind::kaiming_uniform:
      return symmetric(std::sqrt(6.0 / fans.in));
    case Kind::xavier_normal:
      return normal(stream, 0.0, std::sqrt(2.0 / (fans.in + fans.out)));
    case Kind::xavier_uniform:
      return symmetric(std::sqrt(6.0 / (fans.in + fans.out)));
    case Kind::uniform_int:
      return integers(stream, initializer.low, initializer.high);
    case Kind::rotary_cos:
    case Kind::rotary_sin:
      return rotary(initializer, tensor.shape);
    case Kind::file:
    case Kind::values:
      break;
  }
  throw base::InternalError("not a generator");
}

void fill(Tensor& tensor, const Draw& draw, const precision::ParallelFor& parallel) {
  constexpr std::int64_t kBlock = 1 << 14;
  const auto count = static_cast<std::int64_t>(tensor.values.size());
  const auto block = [&](std::int64_t i) {
    const std::int64_t begin = i * kBlock;
    draw({begin, std::min(kBlock, count - begin)}, tensor.values.data() + begin);
  };
  const std::int64_t blocks = (count + kBlock - 1) / kBlock;
  if (parallel && blocks > 1)
    parallel(blocks, block);
  else
    for (std::int64_t i = 0; i < blocks; ++i) block(i);
}

void copy_given(const Initializer& initializer, Tensor& tensor, const std::string& tensor_name) {
  const std::size_t given = initializer.values ? initializer.values->size() : 0;
  if (given != tensor.values.size())
    throw base::InputError(
        fmt::format("tensor {} of shape {} has {} elements, {} values are given", tensor_name,
                    to_string(tensor.shape), tensor.values.size(), given),
        "shape-mismatch");
  if (given > 0) tensor.values = *initializer.values;
}

bool integral(Kind kind) {
  return kind == Kind::constant || kind == Kind::uniform_int || kind == Kind::file ||
         kind == Kind::values;
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
    case Kind::values:
      return "values";
    case Kind::rotary_cos:
      return "rotary_cos";
    case Kind::rotary_sin:
      return "rotary_sin";
  }
  throw base::InternalError("unknown initialiser");
}

bool needs_fans(Kind kind) {
  return kind == Kind::kaiming_normal || kind == Kind::kaiming_uniform ||
         kind == Kind::xavier_normal || kind == Kind::xavier_uniform;
}

Tensor make_values(const Initializer& initializer, const Shape& shape, ElementType type,
                   const std::string& tensor_name, std::uint64_t seed,
                   const precision::ParallelFor& parallel) {
  if (type != ElementType::floating && !integral(initializer.kind))
    throw base::InputError(fmt::format("tensor {} holds integers: initialiser {} makes fractions",
                                       tensor_name, name_of(initializer.kind)),
                           "wrong-initializer");
  if (initializer.kind == Kind::file) return read_values(initializer, shape, type, tensor_name);
  Tensor tensor(shape, type);
  if (initializer.kind == Kind::values) {
    copy_given(initializer, tensor, tensor_name);
    return tensor;
  }
  const RandomStream stream(seed, initializer.stream.empty() ? tensor_name : initializer.stream);
  fill(tensor, generator(initializer, stream, tensor, tensor_name), parallel);
  return tensor;
}

}  // namespace npusim::workloads
