#include "supervisor/tree.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "supervisor/supervisor.h"

namespace skep::supervisor {
namespace {

std::atomic<pid_t> command_process{0};  // for the signal handler

// What the terminal sends goes to the whole group of processes, and the command gets it anyway.
void pass_on(int signal, siginfo_t* info, void*) {
  if (info->si_code != SI_KERNEL) ::kill(command_process.load(), signal);
}

void pass_signals_on() {
  struct sigaction action{};
  action.sa_sigaction = pass_on;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) ::sigaction(signal, &action, nullptr);
}

// ---- From the child to its parent: an errno each, the first with the listener if there is one

void say(int socket, int error, int listener = -1) {
  iovec bytes{&error, sizeof error};
  alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (listener >= 0) {
    message.msg_control = room;
    message.msg_controllen = sizeof room;
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(head), &listener, sizeof listener);
  }
  ::sendmsg(socket, &message, MSG_NOSIGNAL);
}

struct Heard {
  bool said = false;  // else the child's end was closed
  int error = 0;
  Fd listener;
};

Heard hear(int socket) {
  Heard heard;
  iovec bytes{&heard.error, sizeof heard.error};
  alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = room;
  message.msg_controllen = sizeof room;
  ssize_t got = 0;
  do got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  heard.said = got == sizeof heard.error;
  const cmsghdr* const head = CMSG_FIRSTHDR(&message);
  if (heard.said && head != nullptr && head->cmsg_type == SCM_RIGHTS) {
    int listener = -1;
    std::memcpy(&listener, CMSG_DATA(head), sizeof listener);
    heard.listener = Fd(listener);
  }
  return heard;
}

// ---- The child

[[noreturn]] void become(const Command& command, int socket) {
  {
    const Result<Fd> listener = install_filter(command.as);
    const int error = listener ? 0 : listener.error().code;
    say(socket, error, listener ? listener->get() : -1);
    if (error != 0 && error != EBUSY && command.must_be_filtered()) ::_exit(127);
  }
  std::vector<char*> arguments;
  for (const std::string& argument : command.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  ::execv(command.file.c_str(), arguments.data());
  say(socket, errno);
  ::_exit(127);
}

// ---- The parent

// Children that the command left behind become ours, so that we may go on tracing them.
int wait_for(pid_t command) {
  int status = 0;
  for (;;) {
    const pid_t ended = ::waitpid(-1, &status, 0);
    if (ended == command) return status;
    if (ended < 0 && errno != EINTR) return 0;
  }
}

void answer_in_background(Supervisor& supervisor) {
  if (::fork() != 0) return;
  ::setsid();
  const Fd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int standard : {0, 1, 2}) nothing ? ::dup2(nothing.get(), standard) : ::close(standard);
  supervisor.start();
  supervisor.wait();
  ::_exit(0);
}

}  // namespace

Result<int> run(const Command& command) {
  TRY_VOID(enter_overlay(command.overlay, command.hive, !command.needs_filter));
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return fail(errno, std::strerror(errno));
  const Fd ours(ends[0]);
  Fd theirs(ends[1]);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  const pid_t child = ::fork();
  if (child < 0) return fail(errno, std::strerror(errno));
  if (child == 0) become(command, theirs.get());
  theirs.reset();
  command_process.store(child);
  pass_signals_on();

  Heard filter = hear(ours.get());
  const bool has_filter = filter.error == 0 || filter.error == EBUSY;
  if (command.must_be_filtered() && !has_filter) {
    wait_for(child);
    const std::string why = command.needs_filter ? "it loads no library, so its bpf(2) must be caught by seccomp(2): "
                                                 : "that it is root can only be said by seccomp(2): ";
    return fail(filter.error, why + std::strerror(filter.error));
  }
  // Lives as long as this process: its threads are never told to end.
  Supervisor* const supervisor = filter.listener ? new Supervisor(std::move(filter.listener), command.hive) : nullptr;
  if (supervisor != nullptr) supervisor->start();
  const Heard executed = hear(ours.get());
  const int status = wait_for(child);
  if (executed.said) return fail(executed.error, std::strerror(executed.error));
  if (supervisor != nullptr && supervisor->is_needed()) {
    supervisor->stop();
    answer_in_background(*supervisor);
  }
  return status;
}

}  // namespace skep::supervisor
