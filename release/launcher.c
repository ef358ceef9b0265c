/* Starts a program of the standalone build with the interpreter, loader and libraries beside it.
 *
 * Linked statically, so that it runs in an image of any C library, or of none. It names our
 * libraries to our loader on its command line: no variable of ours reaches workers. A user's
 * LD_PRELOAD is meant for the image's libraries, and could crash ours; it goes past the loader
 * under another name, and `standalone.py`'s programs put it back for the workers.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define OPTIONS 6 /* words before the user's own */
#define PRELOAD "LD_PRELOAD="
#define ASIDE "WATCHBOT_STANDALONE_PRELOAD="

static char place[PATH_MAX];

static int failed(const char *what) {
    fprintf(stderr, "watchbot: %s: %s; copy the whole directory of the standalone build\n", what,
            strerror(errno));
    return 1;
}

static char *within(const char *folder, const char *name) {
    char *path = NULL;
    return asprintf(&path, "%s/%s/%s", place, folder, name) < 0 ? NULL : path;
}

static void put_preload_aside(char **variables) {
    for (; *variables; variables++) {
        char *aside = NULL;
        if (strncmp(*variables, PRELOAD, strlen(PRELOAD)) == 0 &&
            asprintf(&aside, ASIDE "%s", *variables + strlen(PRELOAD)) >= 0)
            *variables = aside;
    }
}

int main(int count, char **words, char **variables) {
    char *called = (char *)getauxval(AT_EXECFN); /* also where no /proc is mounted */
    if (realpath(called, place) == NULL)
        return failed(called);
    dirname(dirname(place)); /* PLACE/bin/watchbot */

    char *loader = within("lib", "ld.so"), *libraries = within("lib", ""),
         *python = within("bin", "python"), *program = within("programs", basename(called));
    if (access(program, R_OK) != 0) /* a link may have any name */
        program = within("programs", "watchbot");

    char **run = calloc(OPTIONS + count + 1, sizeof *run);
    if (!loader || !libraries || !python || !program || !run)
        return failed("no memory");
    char *before[OPTIONS + 1] = {loader, "--inhibit-cache", "--library-path", libraries,
                                 python, "-I", program};
    memcpy(run, before, sizeof before);
    memcpy(run + OPTIONS + 1, words + 1, (count - 1) * sizeof *run);
    put_preload_aside(variables);
    execve(loader, run, variables);
    return failed(loader);
}
