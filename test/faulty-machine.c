// Preloaded into a server (LD_PRELOAD): a disk that fails, a process that dies at a chosen system call, a clock that is set.
//
// FAULT=<call>:<end of the file's name, or `socket`>:<n>:<what>
//   call: write or sync; what happens at the n-th of them on such a file, counted once FAULT_WHEN exists:
//   EIO, ENOSPC: it fails, and so does every later one; before: SIGKILL instead of it; after: SIGKILL once it is done
// FAULT_CLOCK=<file with seconds>: what the wall clock is ahead; read again twenty times a second

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static char call[8], end[64], what[8];
static int nth, seen;

__attribute__((constructor)) static void read_fault(void) {
  const char *fault = getenv("FAULT");
  if (fault && sscanf(fault, "%7[^:]:%63[^:]:%d:%7s", call, end, &nth, what) != 4) abort();
}

// Whether this call is the one, or a later one.
static int due(const char *kind, int fd) {
  char link[32], path[4096];
  if (strcmp(kind, call) != 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < (ssize_t)strlen(end)) return 0;
  // A socket's name is its kind and a number.
  const char *named = strcmp(end, "socket") == 0 ? path : path + length - strlen(end);
  if (memcmp(named, end, strlen(end)) != 0) return 0;
  const char *when = getenv("FAULT_WHEN");
  if (when && access(when, F_OK) != 0) return 0;
  return __sync_add_and_fetch(&seen, 1) >= nth;
}

static int fails(void) {
  if (strcmp(what, "before") == 0) raise(SIGKILL);
  errno = strcmp(what, "ENOSPC") == 0 ? ENOSPC : EIO;
  return strcmp(what, "after") != 0;
}

#define GUARD(kind, real)                      \
  int is_due = due(kind, fd);                  \
  if (is_due && fails()) return -1;            \
  __typeof__(real) result = real;              \
  if (is_due) raise(SIGKILL);                  \
  return result;

int fsync(int fd) { GUARD("sync", REAL(fsync)(fd)) }
int fdatasync(int fd) { GUARD("sync", REAL(fdatasync)(fd)) }
ssize_t write(int fd, const void *bytes, size_t size) { GUARD("write", REAL(write)(fd, bytes, size)) }
ssize_t writev(int fd, const struct iovec *parts, int count) { GUARD("write", REAL(writev)(fd, parts, count)) }
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { GUARD("write", REAL(pwrite)(fd, bytes, size, at)) }
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) { GUARD("write", REAL(pwrite64)(fd, bytes, size, at)) }

static long ahead(void) {
  static long seconds;
  static struct timespec read_at;
  const char *file = getenv("FAULT_CLOCK");
  if (!file) return 0;
  struct timespec now;
  REAL(clock_gettime)(CLOCK_MONOTONIC, &now);
  if ((now.tv_sec - read_at.tv_sec) * 1000 + (now.tv_nsec - read_at.tv_nsec) / 1000000 < 50) return seconds;
  read_at = now;
  int fd = open(file, O_RDONLY);
  char text[32] = "";
  if (fd < 0) return seconds;
  if (read(fd, text, sizeof text - 1) > 0) seconds = atol(text);
  close(fd);
  return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int result = REAL(clock_gettime)(clock, time);
  if (clock == CLOCK_REALTIME) time->tv_sec += ahead();
  return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  int result = REAL(gettimeofday)(time, zone);
  time->tv_sec += ahead();
  return result;
}
