// SPDX-License-Identifier: Apache-2.0
#include "precision/kernels/dense_blocks.h"

#include <algorithm>
#include <iterator>

#include "precision/kernels/dispatch.h"

namespace npusim::precision::kernels {
namespace {

bool is_product(std::int64_t k) {
  return k >= 0;
}

long most_products(const std::vector<std::int64_t>& order, long step) {
  std::ptrdiff_t most = 0;
  for (auto block = order.begin(); block != order.end(); block += step)
    most = std::max(most, std::count_if(block, block + step, is_product));
  return static_cast<long>(most);
}

}  // namespace

std::vector<std::int64_t> dense_blocks(const std::vector<std::int64_t>& order,
                                       LaneProgram& program) {
  const long step = program.alignment.step;
  const long products = most_products(order, step);
  long dense = 1;
  while (dense < products) dense *= 2;
  if (dense >= step) return order;
  std::vector<std::int64_t> result;
  for (auto block = order.begin(); block != order.end(); block += step) {
    const std::size_t end = result.size() + static_cast<std::size_t>(dense);
    std::copy_if(block, block + step, std::back_inserter(result), is_product);
    result.resize(end, -1);
  }
  set_step(program.alignment, dense);
  for (int c = 0; c < program.chunks; ++c)  // whole blocks, as validate(plan) wants
    program.chunk[c].terms = program.chunk[c].terms / step * dense;
  return result;
}

}  // namespace npusim::precision::kernels
