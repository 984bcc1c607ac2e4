// SPDX-License-Identifier: Apache-2.0
// Texts between ranks. Rank 0 sends set-ups, points and the order to stop; the others send
// outcomes, and answer the order to stop after the last of them.
#pragma once

#include <boost/mpi/communicator.hpp>
#include <list>
#include <optional>
#include <string>
#include <utility>

namespace npusim::tools {

enum class Message { setup, point, outcome, stop };

/// A point or an outcome with the ticket it belongs to.
std::string with_ticket(std::uint64_t ticket, const std::string& text);
std::pair<std::uint64_t, std::string> without_ticket(const std::string& text);

struct Received {
  int rank = 0;
  Message kind = Message::stop;
  std::string text;
};

/// Sending and receiving never block: what is sent is kept until it has left, at the latest when
/// the mailbox ends. The other side receives until it has answered the order to stop.
class Mailbox {
 public:
  explicit Mailbox(const boost::mpi::communicator& world) : world_(world) {}
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  void send(int rank, Message kind, std::string text);
  std::optional<Received> receive();
  /// Waits until everything has left.
  void flush();

 private:
  struct Sent {
    std::string text;
    boost::mpi::request request;
  };
  void forget_sent();

  boost::mpi::communicator world_;
  std::list<Sent> sent_;
};

}  // namespace npusim::tools
