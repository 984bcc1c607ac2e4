// SPDX-License-Identifier: Apache-2.0
#include "tools/mpi/messages.h"

#include <cstring>
#include <exception>

namespace npusim::tools {

std::string with_ticket(std::uint64_t ticket, const std::string& text) {
  std::string message(sizeof ticket, '\0');
  std::memcpy(message.data(), &ticket, sizeof ticket);
  return message + text;
}

std::pair<std::uint64_t, std::string> without_ticket(const std::string& text) {
  std::uint64_t ticket = 0;
  std::memcpy(&ticket, text.data(), sizeof ticket);
  return {ticket, text.substr(sizeof ticket)};
}

Mailbox::~Mailbox() {
  try {
    flush();
  } catch (const std::exception&) {  // the job is at its end: MPI frees what is left
  }
}

void Mailbox::send(int rank, Message kind, std::string text) {
  forget_sent();
  sent_.push_back({std::move(text), {}});
  Sent& sent = sent_.back();
  sent.request = world_.isend(rank, static_cast<int>(kind), sent.text.data(),
                              static_cast<int>(sent.text.size()));
}

std::optional<Received> Mailbox::receive() {
  const auto arrived = world_.iprobe(boost::mpi::any_source, boost::mpi::any_tag);
  if (!arrived) return {};
  Received received;
  received.rank = arrived->source();
  received.kind = static_cast<Message>(arrived->tag());
  received.text.resize(static_cast<std::size_t>(*arrived->count<char>()));
  world_.recv(arrived->source(), arrived->tag(), received.text.data(),
              static_cast<int>(received.text.size()));
  return received;
}

void Mailbox::forget_sent() {
  for (auto it = sent_.begin(); it != sent_.end();)
    it = it->request.test() ? sent_.erase(it) : std::next(it);
}

void Mailbox::flush() {
  for (Sent& sent : sent_) sent.request.wait();
  sent_.clear();
}

}  // namespace npusim::tools
