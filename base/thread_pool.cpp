// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace npusim::base {
namespace {

constexpr int kMostThreads = 1024;

/// Loops follow each other closely: a thread that looks for the next one for as long as the system
/// takes to wake it saves that time. Longer would keep a core from somebody else.
constexpr std::chrono::microseconds kLooks{50};

/// Looks for a while whether the condition holds.
template <class Condition>
void look_for(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + kLooks;
  while (!condition() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
}

thread_local bool inside_loop = false;

class InsideLoop {
 public:
  InsideLoop() : before_(inside_loop) { inside_loop = true; }
  ~InsideLoop() { inside_loop = before_; }
  InsideLoop(const InsideLoop&) = delete;
  InsideLoop& operator=(const InsideLoop&) = delete;

 private:
  bool before_;
};

/// One parallel_for. Indices are claimed in ascending order, so every index below a failed one runs
/// to its end and the lowest failure is the same whatever the number of threads.
class Loop {
 public:
  Loop(std::int64_t count, const std::function<void(std::int64_t)>& body)
      : count_(count), body_(body) {}

  void work() {
    const InsideLoop guard;
    for (std::int64_t i = next_.fetch_add(1); i < count_; i = next_.fetch_add(1)) {
      try {
        body_(i);
      } catch (...) {
        record(i, std::current_exception());
      }
    }
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void record(std::int64_t index, std::exception_ptr error) {
    const std::lock_guard<std::mutex> lock(mutex_);
    next_.store(count_);
    if (index < error_index_) {
      error_index_ = index;
      error_ = std::move(error);
    }
  }

  std::int64_t count_;
  const std::function<void(std::int64_t)>& body_;
  std::atomic<std::int64_t> next_{0};
  std::mutex mutex_;
  std::int64_t error_index_ = std::numeric_limits<std::int64_t>::max();
  std::exception_ptr error_;
};

}  // namespace

struct ThreadPool::State {
  std::mutex one_loop;  ///< held for a whole parallel_for: one loop at a time
  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable done;
  std::vector<std::thread> workers;
  Loop* loop = nullptr;
  // Changed under the mutex, looked at without it.
  std::atomic<std::uint64_t> generation{0};
  std::atomic<std::size_t> working{0};
  std::atomic<bool> stop{false};

  void worker() {
    std::uint64_t seen = 0;
    while (true) {
      const auto called = [&] { return stop || generation != seen; };
      look_for(called);
      std::unique_lock<std::mutex> lock(mutex);
      wake.wait(lock, called);
      if (stop) return;
      seen = generation;
      Loop* const current = loop;
      if (current == nullptr) continue;  // ended before this thread woke up
      ++working;
      lock.unlock();
      current->work();
      lock.lock();
      if (--working == 0) done.notify_one();
    }
  }

  void start(int count) {
    while (static_cast<int>(workers.size()) < count) {
      try {
        workers.emplace_back([this] { worker(); });
      } catch (const std::system_error&) {
        return;  // fewer threads than asked for give the same results
      }
    }
  }

  void run(Loop& current) {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      loop = &current;
      ++generation;
    }
    wake.notify_all();
    current.work();
    std::unique_lock<std::mutex> lock(mutex);
    loop = nullptr;  // nobody begins with it any more
    lock.unlock();
    const auto over = [&] { return working == 0; };
    look_for(over);
    lock.lock();
    done.wait(lock, over);
  }
};

ThreadPool::ThreadPool(int threads)
    : threads_(threads > 0 ? std::min(threads, kMostThreads)
                           : std::max(1, static_cast<int>(std::thread::hardware_concurrency()))),
      state_(std::make_unique<State>()) {}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->stop = true;
  }
  state_->wake.notify_all();
  for (std::thread& worker : state_->workers) worker.join();
}

void ThreadPool::parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body) {
  Loop loop(count, body);
  if (threads_ == 1 || count <= 1 || inside_loop) {
    loop.work();
  } else {
    const std::lock_guard<std::mutex> lock(state_->one_loop);
    if (state_->workers.empty()) state_->start(threads_ - 1);
    state_->run(loop);
  }
  loop.rethrow();
}

}  // namespace npusim::base
