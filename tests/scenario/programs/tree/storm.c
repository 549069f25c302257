/* At the end of its input it forks for ever, each time into a session of its own; the parent ends.
 * `storm 3`: three at a time. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void run_away(void)
{
    for (;;) {
        if (fork() != 0)
            _exit(0);
        setsid();
    }
}

int main(int argc, char **argv)
{
    signal(SIGTERM, SIG_IGN);
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    for (int i = argc > 1 ? atoi(argv[1]) : 1; i > 0; i--)
        if (fork() == 0)
            run_away();
    for (;;)
        pause();
}
