/* SPDX-License-Identifier: MIT */
/* unready.c - loaded into httpsocketd by LD_PRELOAD, for supervisor.test.mjs: a serving process
 * comes no further than this. UNREADY=dies: it crashes; UNREADY=waits: it waits for ever. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((constructor)) static void stay_unready(void)
{
    const char *how = getenv("UNREADY");
    if (!how || !getenv("HTTPSOCKETD_SERVES"))
        return;
    if (strcmp(how, "dies") == 0) {
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    }
    for (;;)
        pause();
}
