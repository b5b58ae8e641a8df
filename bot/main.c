#include <stdio.h>

int main(void)
{
    printf("envbot %s\n", ENVBOT_VERSION);
    return 0;
}
