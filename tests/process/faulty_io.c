// Fails the I/O of a SQLite database while the file named by FAULTY_IO says so; its first letter is what fails:
// 'f' writes, as if the disk were full; 'w' writes; 's' syncs; 'c' the write of a frame that commits.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char order(void) {
  const char *path = getenv("FAULTY_IO");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  char letter = 0;
  if (file < 0) return 0;
  if (read(file, &letter, 1) != 1) letter = 0;
  close(file);
  return letter;
}

// The database or its log; its shared memory is mapped, and never synced.
static int of_database(int file, const char **suffix) {
  static __thread char name[4096];
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, name, sizeof name - 1);
  if (length < 0) return 0;
  name[length] = 0;
  *suffix = strstr(name, "keystile.db");
  return *suffix && (!strcmp(*suffix, "keystile.db") || !strcmp(*suffix, "keystile.db-wal"));
}

static int fails_to_write(int file, const void *bytes, size_t count) {
  const char *name;
  if (!of_database(file, &name)) return 0;
  switch (order()) {
    case 'f': errno = ENOSPC; return 1;
    case 'w': errno = EIO; return 1;
    case 'c': {
      // A frame's header has 24 bytes; only in the last frame of a transaction is the second number not zero.
      static const char none[4];
      if (strcmp(name, "keystile.db-wal") || count != 24 || !memcmp((const char *)bytes + 4, none, 4)) return 0;
      errno = EIO;
      return 1;
    }
    default: return 0;
  }
}

static int fails_to_sync(int file) {
  const char *name;
  if (!of_database(file, &name) || order() != 's') return 0;
  errno = EIO;
  return 1;
}

#define REAL(name) __typeof__(name) *real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

ssize_t write(int file, const void *bytes, size_t count) {
  REAL(write);
  return fails_to_write(file, bytes, count) ? -1 : real(file, bytes, count);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
  REAL(pwrite);
  return fails_to_write(file, bytes, count) ? -1 : real(file, bytes, count, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
  REAL(pwrite64);
  return fails_to_write(file, bytes, count) ? -1 : real(file, bytes, count, at);
}

int fsync(int file) {
  REAL(fsync);
  return fails_to_sync(file) ? -1 : real(file);
}

int fdatasync(int file) {
  REAL(fdatasync);
  return fails_to_sync(file) ? -1 : real(file);
}
