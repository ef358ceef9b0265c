/* The machine's own limit: COUNT runs of a command, WIDTH at a time, and nothing else.

   usage: limit COUNT WIDTH COMMAND [ARG]...  */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  int left = atoi(argv[1]), width = atoi(argv[2]), running = 0;
  while (left > 0 || running > 0) {
    while (left > 0 && running < width) {
      pid_t child;
      if (posix_spawn(&child, argv[3], NULL, NULL, argv + 3, environ) != 0) return 1;
      left--, running++;
    }
    if (wait(NULL) > 0) running--;
  }
  return 0;
}
