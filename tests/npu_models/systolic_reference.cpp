// SPDX-License-Identifier: Apache-2.0
#include "systolic_reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <optional>

namespace npusim::npu::testing {
namespace {

struct Token {
  bool is_weight = false;
  int fold = 0, m = 0, row = 0;  ///< row: where a weight stays
  std::int64_t value = 0;
};

struct Cell {
  std::int64_t weight = 0, shadow = 0;
  int fold = -1, shadow_fold = -1;
  std::optional<Token> input;            ///< register passed on to the right
  std::deque<std::optional<Token>> sum;  ///< `latency` stages, newest first
};

class Stepper {
 public:
  Stepper(const SteppedArray& array, int m, int n, int k, const std::vector<std::int64_t>& x,
          const std::vector<std::int64_t>& w)
      : a_(array),
        m_(m),
        n_(n),
        k_(k),
        x_(x),
        w_(w),
        k_folds_((k + a_.rows - 1) / a_.rows),
        folds_(k_folds_ * ((n + a_.cols - 1) / a_.cols)),
        cells_(static_cast<std::size_t>(a_.rows * a_.cols)) {
    for (Cell& cell : cells_) cell.sum.resize(static_cast<std::size_t>(a_.latency));
    result_.values.assign(static_cast<std::size_t>(m * n), 0);
  }

  SteppedResult run() {
    plan();
    const int expected = folds_ * m_ * a_.cols;
    for (now_ = 0; done_ < expected && now_ < 1000000; ++now_) step();
    result_.cycles = now_;
    return result_;
  }

 private:
  Cell& cell(int r, int c) { return cells_[static_cast<std::size_t>(r * a_.cols + c)]; }

  /// When each fold's weights begin to enter and its first input row enters: as early as the
  /// options let.
  void plan() {
    const std::int64_t drain = a_.rows * a_.latency + a_.cols - 2;  // last input row to last result
    for (int f = 0; f < folds_; ++f) {
      if (f == 0) {
        load_.push_back(0);
        stream_.push_back(a_.rows);
        continue;
      }
      const std::int64_t streamed = stream_.back() + m_;
      const std::int64_t free = a_.fold_overlap ? streamed : streamed + drain;
      load_.push_back(a_.preload_hiding ? stream_.back() : free);
      stream_.push_back(std::max(free, load_.back() + a_.rows));
    }
  }

  void step() {
    move_down();
    move_right();
    for (int r = 0; r < a_.rows; ++r)
      for (int c = 0; c < a_.cols; ++c) compute(r, c);
    retire();
  }

  std::optional<Token> above(int r, int c) {
    return r == 0 ? entering(c) : leaving_[index(r - 1, c)];
  }
  std::size_t index(int r, int c) const { return static_cast<std::size_t>(r * a_.cols + c); }

  /// What enters column c from the top in this cycle (columns are skewed by one cycle each).
  std::optional<Token> entering(int c) const {
    for (int f = 0; f < folds_; ++f) {
      const std::int64_t offset = now_ - c - load_[static_cast<std::size_t>(f)];
      if (a_.preload_hiding || offset < 0 || offset >= a_.rows) continue;
      Token token;
      token.is_weight = true;
      token.fold = f;
      token.row = a_.rows - 1 - static_cast<int>(offset);
      token.value = weight_of(f, token.row, c);
      return token;
    }
    return std::nullopt;
  }

  std::int64_t weight_of(int f, int r, int c) const {
    const int k = f % k_folds_ * a_.rows + r;
    const int n = f / k_folds_ * a_.cols + c;
    return k < k_ && n < n_ ? w_[static_cast<std::size_t>(k * n_ + n)] : 0;
  }

  void move_down() {
    leaving_.assign(cells_.size(), std::nullopt);
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      leaving_[i] = cells_[i].sum.back();
      cells_[i].sum.pop_back();
    }
  }

  void move_right() {
    for (int r = 0; r < a_.rows; ++r) {
      for (int c = a_.cols - 1; c > 0; --c) cell(r, c).input = cell(r, c - 1).input;
      cell(r, 0).input = arriving(r);
    }
  }

  /// The input that row r takes from the left in this cycle (rows are skewed by the latency).
  std::optional<Token> arriving(int r) const {
    for (int f = 0; f < folds_; ++f) {
      const std::int64_t m = now_ - r * a_.latency - stream_[static_cast<std::size_t>(f)];
      if (m < 0 || m >= m_) continue;
      const int k = f % k_folds_ * a_.rows + r;
      Token token;
      token.fold = f;
      token.m = static_cast<int>(m);
      token.value = k < k_ ? x_[static_cast<std::size_t>(m * k_ + k)] : 0;
      return token;
    }
    return std::nullopt;
  }

  /// Shadow weights take the skewed path as well: they follow the swap of the fold before them.
  void load_shadow(int r, int c) {
    for (int f = 0; f < folds_; ++f) {
      const std::int64_t entered = load_[static_cast<std::size_t>(f)] + a_.rows - 1 - r;
      if (now_ != entered + r * a_.latency + c) continue;
      cell(r, c).shadow = weight_of(f, r, c);
      cell(r, c).shadow_fold = f;
    }
  }

  void compute(int r, int c) {
    Cell& here = cell(r, c);
    if (a_.preload_hiding && here.input && here.input->fold != here.fold) {
      here.weight = here.shadow;
      here.fold = here.shadow_fold;
    }
    if (a_.preload_hiding) load_shadow(r, c);
    std::optional<Token> token = above(r, c);
    if (token && token->is_weight) {
      EXPECT_FALSE(here.input.has_value()) << "weights and inputs meet in one cell";
      if (token->row == r) {
        here.weight = token->value;
        here.fold = token->fold;
      }
    } else if (here.input) {
      if (r == 0) token = Token{false, here.input->fold, here.input->m, 0, 0};
      EXPECT_TRUE(token && token->m == here.input->m && token->fold == here.input->fold);
      EXPECT_EQ(here.fold, here.input->fold) << "weights of another fold";
      if (token) token->value += here.weight * here.input->value;
    }
    here.sum.push_front(token);
  }

  /// Results that leave the bottom at the end of this cycle.
  void retire() {
    for (int c = 0; c < a_.cols; ++c) {
      const std::optional<Token>& token = cell(a_.rows - 1, c).sum.back();
      if (!token || token->is_weight) continue;
      ++done_;
      const int n = token->fold / k_folds_ * a_.cols + c;
      if (n < n_) result_.values[static_cast<std::size_t>(token->m * n_ + n)] += token->value;
    }
  }

  const SteppedArray a_;
  const int m_, n_, k_;
  const std::vector<std::int64_t>& x_;
  const std::vector<std::int64_t>& w_;
  const int k_folds_, folds_;
  std::vector<Cell> cells_;
  std::vector<std::int64_t> load_, stream_;
  std::vector<std::optional<Token>> leaving_;
  std::int64_t now_ = 0;
  int done_ = 0;
  SteppedResult result_;
};

}  // namespace

SteppedResult step_gemm(const SteppedArray& array, int m, int n, int k,
                        const std::vector<std::int64_t>& x, const std::vector<std::int64_t>& w) {
  return Stepper(array, m, n, k, x, w).run();
}

}  // namespace npusim::npu::testing
