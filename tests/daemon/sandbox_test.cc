#include "daemon/sandbox.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "support/child.h"
#include "support/temp_dir.h"

namespace wsproxy::daemon {
namespace {

namespace fs = std::filesystem;
using test::in_child;

// "ok", or what was wrong.
std::string tried(long result) { return result >= 0 ? "ok" : ::strerrorname_np(errno); }

// In this order: what an operator + evaluates first is not defined.
std::string all_of(std::initializer_list<std::string> results) {
  std::string text;
  for (const std::string& result : results) text += (text.empty() ? "" : " ") + result;
  return text;
}

std::string open_for(const std::string& path, int flags) {
  const UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  return tried(fd.get());
}

UniqueFd listener(std::uint16_t& port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(fd.get(), 5) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    ADD_FAILURE() << "cannot listen";
  }
  port = ntohs(address.sin_port);
  return fd;
}

std::string connect_to(std::uint16_t port) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return tried(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
}

class LandlockTest : public testing::Test {
 protected:
  void SetUp() override {
    if (landlock_abi() == 0) GTEST_SKIP() << "the kernel has no Landlock";
    fs::create_directories(in_ / "sub");
    fs::create_directories(out_);
    write(in_ / "file");
    write(in_ / "sub/file");
    write(out_ / "file");
  }

  static void write(const fs::path& path) { std::ofstream(path) << "content"; }

  // What `body` says behind `rules`.
  static std::string behind(const std::function<void(FileRules&)>& rules,
                            const std::function<std::string()>& body) {
    return in_child([&] {
      FileRules files;
      rules(files);
      if (const Status status = files.enforce(); !status) return status.error().message();
      return body();
    });
  }

  // One below the temporary directory: those that are directly in / are treated apart.
  const test::TempDir folder_;
  const fs::path in_ = fs::path(folder_.path()) / "in";
  const fs::path out_ = fs::path(folder_.path()) / "out";
};

TEST_F(LandlockTest, WhatMayBeReadIsReadAndNothingElse) {
  EXPECT_EQ(
      behind([&](FileRules& files) { files.may_read(in_); },
             [&] {
               return all_of(
                   {open_for(in_ / "file", O_RDONLY), open_for(in_ / "sub/file", O_RDONLY),
                    open_for(in_ / "file", O_WRONLY), open_for(in_ / "new", O_WRONLY | O_CREAT),
                    open_for(out_ / "file", O_RDONLY), open_for("/etc/passwd", O_RDONLY)});
             }),
      "ok ok EACCES EACCES EACCES EACCES");
}

TEST_F(LandlockTest, ALinkLeadsNowhereElse) {
  fs::create_symlink(out_ / "file", in_ / "link");
  EXPECT_EQ(behind([&](FileRules& files) { files.may_read(in_); },
                   [&] { return open_for(in_ / "link", O_RDONLY); }),
            "EACCES");
}

TEST_F(LandlockTest, WhereFilesMayBeWrittenNoneIsReadOrRemoved) {
  EXPECT_EQ(behind([&](FileRules& files) { files.may_write_in(in_); },
                   [&] {
                     return all_of({open_for(in_ / "file", O_WRONLY | O_APPEND),
                                    open_for(in_ / "new", O_WRONLY | O_CREAT | O_EXCL),
                                    open_for(in_ / "file", O_RDONLY),
                                    tried(::unlink((in_ / "file").c_str())),
                                    tried(::mkdir((in_ / "dir").c_str(), 0700)),
                                    open_for(out_ / "new", O_WRONLY | O_CREAT)});
                   }),
            "ok ok EACCES EACCES EACCES EACCES");
}

TEST_F(LandlockTest, WhereNamesMayBeRemovedNothingIsOpened) {
  EXPECT_EQ(behind([&](FileRules& files) { files.may_remove_in(in_); },
                   [&] {
                     return all_of({open_for(in_ / "file", O_RDONLY),
                                    tried(::unlink((out_ / "file").c_str())),
                                    tried(::unlink((in_ / "file").c_str()))});
                   }),
            "EACCES EACCES ok");
}

TEST_F(LandlockTest, AFileThatIsReplacedByRenameStaysReadable) {
  EXPECT_EQ(behind([&](FileRules& files) { files.may_read_replaced(in_ / "file"); },
                   [&] { return open_for(in_ / "sub/file", O_RDONLY); }),
            "ok");
  EXPECT_EQ(in_child([&] {
              FileRules files;
              files.may_read_replaced(in_ / "file");
              write(in_ / "other");
              fs::rename(in_ / "other", in_ / "file");
              if (!files.enforce()) return std::string("not enforced");
              return all_of({open_for(in_ / "file", O_RDONLY), open_for(out_ / "file", O_RDONLY)});
            }),
            "ok EACCES");
}

// As certbot has it: live/cert -> ../archive/cert1, and cert2 the next time.
TEST_F(LandlockTest, SoDoesOneThatALinkLeadsTo) {
  fs::create_directories(in_ / "live");
  fs::create_directories(in_ / "archive");
  write(in_ / "archive/cert1");
  write(in_ / "archive/cert2");
  fs::create_symlink("../archive/cert1", in_ / "live/cert");
  EXPECT_EQ(behind([&](FileRules& files) { files.may_read_replaced(in_ / "live/cert"); },
                   [&] {
                     return all_of({open_for(in_ / "live/cert", O_RDONLY),
                                    open_for(in_ / "archive/cert2", O_RDONLY),
                                    open_for(in_ / "file", O_RDONLY)});
                   }),
            "ok ok EACCES");
}

TEST_F(LandlockTest, ALoopOfLinksIsNoTrouble) {
  fs::create_symlink(in_ / "b", in_ / "a");
  fs::create_symlink(in_ / "a", in_ / "b");
  EXPECT_EQ(behind([&](FileRules& files) { files.may_read_replaced(in_ / "a"); },
                   [&] { return open_for(in_ / "a", O_RDONLY); }),
            "ELOOP");
}

TEST_F(LandlockTest, AFileInOurHomeMakesNothingElseReadable) {
  EXPECT_EQ(
      in_child([&] {
        ::setenv("HOME", in_.c_str(), 1);
        FileRules files;
        files.may_read_replaced(in_ / "file");
        if (!files.enforce()) return std::string("not enforced");
        return all_of({open_for(in_ / "file", O_RDONLY), open_for(in_ / "sub/file", O_RDONLY)});
      }),
      "ok EACCES");
}

TEST_F(LandlockTest, WhatIsNotThereIsPassedOver) {
  EXPECT_EQ(behind(
                [&](FileRules& files) {
                  files.may_read(in_ / "none");
                  files.may_read_replaced(in_ / "none/deep");
                  files.may_write_in(in_ / "none");
                  files.may_read(in_ / "file");
                },
                [&] { return open_for(in_ / "file", O_RDONLY); }),
            "ok");
}

TEST_F(LandlockTest, OutOfReachIsToldFromOtherTroubles) {
  EXPECT_EQ(
      behind([&](FileRules& files) { files.may_read(in_); },
             [&] {
               std::string text;
               for (const fs::path& path : {out_ / "file", in_ / "file", out_ / "none", out_}) {
                 text += is_out_of_reach(path) ? "beyond " : "no ";
               }
               return text;
             }),
      "beyond no no beyond ");
  EXPECT_FALSE(is_out_of_reach(out_ / "file"));
}

TEST_F(LandlockTest, PortsThatAreNotNamedAreNotConnectedTo) {
  if (landlock_abi() < 4) GTEST_SKIP() << "this kernel limits no ports";
  std::uint16_t allowed = 0;
  std::uint16_t other = 0;
  const UniqueFd first = listener(allowed);
  const UniqueFd second = listener(other);
  const auto limited = [&](bool all) {
    return in_child([&] {
      if (!limit_tcp({allowed}, all)) return std::string("not limited");
      const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_in any{};
      any.sin_family = AF_INET;
      return all_of({connect_to(allowed), connect_to(other),
                     tried(::bind(fd.get(), reinterpret_cast<sockaddr*>(&any), sizeof any))});
    });
  };
  EXPECT_EQ(limited(false), "ok EACCES EACCES");
  EXPECT_EQ(limited(true), "ok ok EACCES");
}

class SystemCallsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (is_sanitized()) GTEST_SKIP() << "a sanitizer needs more";
    if (!can_limit_system_calls()) GTEST_SKIP() << "no seccomp in this build or kernel";
  }

  static std::string as(Role role, const std::function<std::string()>& body,
                        Denied denied = Denied::Enosys) {
    return in_child([&] {
      if (const Status status = limit_system_calls(role, denied); !status) {
        return status.error().message();
      }
      return body();
    });
  }
};

std::string run_true() {
  const char* const argv[] = {"/bin/true", nullptr};
  return tried(::execv(argv[0], const_cast<char* const*>(argv)));
}

TEST_F(SystemCallsTest, NobodyExecutesProgramsOrTracesOthers) {
  for (const Role role : {Role::Daemon, Role::LookUps, Role::Writer, Role::Starter}) {
    EXPECT_EQ(as(role,
                 [] {
                   return all_of({run_true(), tried(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)),
                                  tried(::unshare(0)), tried(::chroot("/"))});
                 }),
              "ENOSYS ENOSYS ENOSYS ENOSYS")
        << static_cast<int>(role);
  }
}

TEST_F(SystemCallsTest, TheDaemonForksNothingAndBindsNothing) {
  EXPECT_EQ(
      as(Role::Daemon,
         [] {
           const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
           sockaddr_in any{};
           any.sin_family = AF_INET;
           return all_of({tried(::fork()),
                          tried(::bind(fd.get(), reinterpret_cast<sockaddr*>(&any), sizeof any)),
                          tried(::listen(fd.get(), 1))});
         }),
      "ENOSYS ENOSYS ENOSYS");
}

TEST_F(SystemCallsTest, TheDaemonOpensNoFileForWriting) {
  const test::TempDir folder;
  const std::string file = folder.path() + "/file";
  std::ofstream(file) << "content";
  EXPECT_EQ(as(Role::Daemon,
               [&] {
                 return all_of({open_for(file, O_RDONLY), open_for(file, O_WRONLY),
                                open_for(file, O_RDWR), open_for(file + "2", O_RDONLY | O_CREAT),
                                open_for(file, O_RDONLY | O_TRUNC)});
               }),
            "ok ENOSYS ENOSYS ENOSYS ENOSYS");
}

TEST_F(SystemCallsTest, TheDaemonMakesNoNewCode) {
  EXPECT_EQ(
      as(Role::Daemon,
         [] {
           constexpr std::size_t kSize = 4096;
           const auto map = [](int protection) {
             void* at = ::mmap(nullptr, kSize, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
             return at;
           };
           void* data = map(PROT_READ | PROT_WRITE);
           const std::string code = map(PROT_READ | PROT_EXEC) == MAP_FAILED ? "refused" : "made";
           return all_of({std::string(data == MAP_FAILED ? "no data " : "data ") + code,
                          tried(::mprotect(data, kSize, PROT_READ | PROT_EXEC))});
         }),
      "data refused ENOSYS");
}

TEST_F(SystemCallsTest, TheDaemonHasSocketsOfThreeFamilies) {
  EXPECT_EQ(as(Role::Daemon,
               [] {
                 std::string text;
                 for (const int family : {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK, AF_PACKET}) {
                   const UniqueFd fd(::socket(family, SOCK_DGRAM, 0));
                   text += fd || errno != ENOSYS ? "yes " : "no ";
                 }
                 return text;
               }),
            "yes yes yes no no ");
}

TEST_F(SystemCallsTest, AWriterHasNoSockets) {
  EXPECT_EQ(as(Role::Writer,
               [] { return all_of({tried(::socket(AF_INET, SOCK_STREAM, 0)), tried(::fork())}); }),
            "ENOSYS ENOSYS");
}

TEST_F(SystemCallsTest, LookUpsForkAndFindNames) {
  EXPECT_EQ(as(
                Role::LookUps,
                [] {
                  const pid_t child = ::fork();
                  if (child == 0) {
                    addrinfo* list = nullptr;
                    ::_exit(::getaddrinfo("localhost", nullptr, nullptr, &list) == 0 ? 0 : 1);
                  }
                  int status = -1;
                  ::waitpid(child, &status, 0);
                  return std::to_string(status);
                },
                Denied::Fatal),
            "0");
}

TEST_F(SystemCallsTest, WhoStartsOthersLimitsThemFurther) {
  EXPECT_EQ(as(Role::Starter,
               [] {
                 FileRules files;
                 const Confined confined = confine(files, {.role = Role::Writer, .ports = {}});
                 return all_of({tried(::fork()), confined.missing});
               }),
            "ENOSYS ");
}

TEST_F(SystemCallsTest, ADeniedCallIsFatalForTests) {
  test::Pipe errors = test::Pipe::make();
  const std::string end = as(
      Role::Daemon,
      [&] {
        ::dup2(errors.to.get(), STDERR_FILENO);
        return tried(::fork());
      },
      Denied::Fatal);
  errors.to.reset();
  EXPECT_TRUE(end.starts_with("ended: ")) << end;
  const std::string said = test::read_to_end(errors.from.get());
  EXPECT_TRUE(said.starts_with("wsproxy: sandbox: denied system call ")) << said;
}

TEST(Sandbox, SaysWhatItHasAndTheKernelAgrees) {
  if (is_sanitized()) GTEST_SKIP() << "a sanitizer needs more";
  const std::string text = in_child([] {
    FileRules files;
    files.may_read("/proc");
    const Confined confined =
        confine(files, {.role = Role::Daemon, .ports = std::vector<std::uint16_t>{80}});
    std::ifstream status("/proc/self/status");
    std::string line;
    std::string all = confined.has + "|" + confined.missing;
    while (std::getline(status, line)) {
      if (line.starts_with("NoNewPrivs") || line.starts_with("Seccomp:")) all += "|" + line;
    }
    return all;
  });
  if (landlock_abi() >= 4 && can_limit_system_calls()) {
    EXPECT_EQ(text, "files by Landlock " + std::to_string(landlock_abi()) +
                        ", TCP to the target's port alone, system calls by seccomp||"
                        "NoNewPrivs:\t1|Seccomp:\t2");
  } else {
    EXPECT_NE(text.find('|'), 0U) << "something is there, or it is said to be missing: " << text;
  }
}

}  // namespace
}  // namespace wsproxy::daemon
