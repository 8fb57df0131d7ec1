// Crashes by writing through a null pointer, and has Crashpad's handler write and upload the minidump.
// Arguments: the handler's path, then its options.
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

// What the handler reads from the process that crashed: util/linux/exception_information.h of Crashpad.
struct __attribute__((packed, aligned(8))) ExceptionInformation {
  uint64_t siginfo_address;
  uint64_t context_address;
  int32_t thread_id;
};

static ExceptionInformation information;
static char trace_parent[64];
static std::vector<char*> handler;

static void run_handler(int, siginfo_t* siginfo, void* context) {
  information.siginfo_address = reinterpret_cast<uint64_t>(siginfo);
  information.context_address = reinterpret_cast<uint64_t>(context);
  information.thread_id = static_cast<int32_t>(syscall(SYS_gettid));
  snprintf(trace_parent, sizeof trace_parent, "--trace-parent-with-exception=0x%llx",
           static_cast<unsigned long long>(reinterpret_cast<uint64_t>(&information)));
  prctl(PR_SET_DUMPABLE, 1);
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  const pid_t child = fork();
  if (child == 0) {
    execv(handler[0], handler.data());
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  _exit(WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1);
}

static void crash_here(volatile int* address) { *address = 42; }

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  for (int i = 1; i < argc; i++) handler.push_back(argv[i]);
  handler.push_back(trace_parent);
  handler.push_back(nullptr);
  struct sigaction action = {};
  action.sa_sigaction = run_handler;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, nullptr);
  crash_here(nullptr);
  return 3;
}
