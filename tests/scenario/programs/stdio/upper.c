/* Says each line in capitals, by printf and with no thought of buffers. */
#include <ctype.h>
#include <stdio.h>

int main(void)
{
    for (int c; (c = getchar()) != EOF;)
        printf("%c", toupper(c));
    return 0;
}
