// SPDX-License-Identifier: Apache-2.0
#include "base/isolated.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "base/error.h"

namespace npusim::base {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void note_interrupt(int) {
  interrupted = 1;
}

/// SIGINT and SIGTERM are blocked while children run and delivered only inside ppoll, so that none
/// is missed between a check and a wait. A signal that the caller ignores stays ignored.
class InterruptWatch {
 public:
  InterruptWatch() {
    interrupted = 0;
    sigset_t blocked;
    sigemptyset(&blocked);
    struct sigaction watch {};
    watch.sa_handler = note_interrupt;
    sigemptyset(&watch.sa_mask);
    for (std::size_t i = 0; i < kSignals; ++i) {
      ::sigaction(kWatched[i], nullptr, &old_[i]);
      if (old_[i].sa_handler == SIG_IGN) continue;
      sigaddset(&blocked, kWatched[i]);
      ::sigaction(kWatched[i], &watch, nullptr);
    }
    ::pthread_sigmask(SIG_BLOCK, &blocked, &old_mask_);
  }
  ~InterruptWatch() { restore(); }
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  void restore() {
    for (std::size_t i = 0; i < kSignals; ++i) ::sigaction(kWatched[i], &old_[i], nullptr);
    ::pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
  }
  /// A child dies of the signals that its parent only notes.
  void restore_in_child() {
    restore();
    for (std::size_t i = 0; i < kSignals; ++i) {
      if (old_[i].sa_handler != SIG_IGN) ::signal(kWatched[i], SIG_DFL);
    }
  }
  const sigset_t* mask_while_waiting() const { return &old_mask_; }

 private:
  static constexpr std::size_t kSignals = 2;
  static constexpr int kWatched[kSignals] = {SIGINT, SIGTERM};
  struct sigaction old_[kSignals] = {};
  sigset_t old_mask_{};
};

/// What a child sends: one status byte ('+' payload, '!' error), 8 bytes of length, the text.
constexpr std::size_t kHeaderBytes = 9;
constexpr timespec kBetweenCalls{0, 200'000'000};  ///< of `waiting`

void send_all(int fd, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(fd, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // the parent sees a short message
    bytes += written;
    size -= static_cast<std::size_t>(written);
  }
}

[[noreturn]] void run_child(int fd, std::size_t index,
                            const std::function<std::string(std::size_t)>& job) {
  char status = '+';
  std::string text;
  try {
    text = job(index);
  } catch (const std::exception& error) {
    status = '!';
    text = error.what();
  } catch (...) {
    status = '!';
    text = "an exception of an unknown type";
  }
  char header[kHeaderBytes] = {status};
  const std::uint64_t size = text.size();
  std::memcpy(header + 1, &size, sizeof size);
  send_all(fd, header, kHeaderBytes);
  send_all(fd, text.data(), text.size());
  std::fflush(nullptr);
  ::_exit(0);  // no destructors of the parent's objects, no atexit handlers
}

struct Child {
  std::size_t index = 0;
  pid_t pid = -1;
  int fd = -1;
  std::string received;

  bool complete() const {
    if (received.size() < kHeaderBytes) return false;
    std::uint64_t size = 0;
    std::memcpy(&size, received.data() + 1, sizeof size);
    return received.size() - kHeaderBytes >= size;
  }
};

std::string describe_end(int status) {
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    return signal == SIGINT ? "interrupted" : "killed by signal " + std::to_string(signal);
  }
  return "exit " + std::to_string(WEXITSTATUS(status)) + ": ended without a result";
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

class Children {
 public:
  explicit Children(std::size_t count) : outcomes_(count) {}
  ~Children() { kill_all(); }
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  std::size_t running() const { return children_.size(); }
  std::size_t finished() const { return finished_; }

  /// False when the system has no room for another process now.
  bool start(std::size_t index, const std::function<std::string(std::size_t)>& job,
             InterruptWatch& watch) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return start_failed(index);
    std::fflush(nullptr);  // else the child's own flush would print the parent's text again
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) {
      ::close(ends[0]);
      ::close(ends[1]);
      return start_failed(index);
    }
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);  // the parent died before the line above
      watch.restore_in_child();
      ::close(ends[0]);
      run_child(ends[1], index, job);
    }
    ::close(ends[1]);
    children_.push_back({index, pid, ends[0], {}});
    return true;
  }

  /// Waits until at least one child has said something, ended, a signal came or, with `longest`,
  /// so much time is over.
  void wait(const sigset_t* mask, const timespec* longest) {
    std::vector<pollfd> polls;
    for (const Child& child : children_) polls.push_back({child.fd, POLLIN, 0});
    if (::ppoll(polls.data(), polls.size(), longest, mask) <= 0) return;
    for (std::size_t i = children_.size(); i-- > 0;) {
      if (polls[i].revents != 0 && read_some(children_[i])) finish(i);
    }
  }

  void interrupt() {
    for (const Child& child : children_) outcomes_[child.index].error = "interrupted";
    kill_all();
    for (IsolatedOutcome& outcome : outcomes_) {
      if (!outcome.ok && outcome.error.empty()) outcome.error = "interrupted";
    }
  }

  std::vector<IsolatedOutcome> take() { return std::move(outcomes_); }

 private:
  bool start_failed(std::size_t index) {
    if (!children_.empty()) return false;  // try again when one has ended
    outcomes_[index].error = "cannot start a process: " + std::generic_category().message(errno);
    ++finished_;
    return true;
  }

  /// True at the end of what the child will say.
  static bool read_some(Child& child) {
    char buffer[65536];
    const ssize_t got = ::read(child.fd, buffer, sizeof buffer);
    if (got < 0) return errno != EINTR;
    child.received.append(buffer, static_cast<std::size_t>(got));
    return got == 0 || child.complete();
  }

  void finish(std::size_t position) {
    Child child = std::move(children_[position]);
    children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(position));
    ::close(child.fd);
    const int status = wait_for(child.pid);
    IsolatedOutcome& outcome = outcomes_[child.index];
    if (!child.complete()) {
      outcome.error = describe_end(status);
    } else if (child.received[0] == '+') {
      outcome.ok = true;
      outcome.payload = child.received.substr(kHeaderBytes);
    } else {
      outcome.error = child.received.substr(kHeaderBytes);
    }
    ++finished_;
  }

  void kill_all() {
    for (const Child& child : children_) ::kill(child.pid, SIGKILL);
    for (const Child& child : children_) {
      ::close(child.fd);
      wait_for(child.pid);
    }
    children_.clear();
  }

  std::vector<IsolatedOutcome> outcomes_;
  std::vector<Child> children_;
  std::size_t finished_ = 0;
};

}  // namespace

std::vector<IsolatedOutcome> run_isolated(std::size_t count, int parallel,
                                          const std::function<std::string(std::size_t)>& job,
                                          const std::function<void(std::size_t)>& finished,
                                          const std::function<void()>& waiting) {
  const auto most = static_cast<std::size_t>(std::max(1, parallel));
  InterruptWatch watch;
  Children children(count);
  std::size_t next = 0;
  std::size_t reported = 0;
  while (children.finished() < count && interrupted == 0) {
    while (next < count && children.running() < most && children.start(next, job, watch)) ++next;
    if (children.running() > 0)
      children.wait(watch.mask_while_waiting(), waiting ? &kBetweenCalls : nullptr);
    if (waiting) waiting();
    while (reported < children.finished()) {
      ++reported;
      if (finished) finished(reported);
    }
  }
  if (interrupted != 0) children.interrupt();
  return children.take();
}

}  // namespace npusim::base
