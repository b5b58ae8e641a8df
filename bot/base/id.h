/* Random names, from the kernel's generator. */
#ifndef BASE_ID_H
#define BASE_ID_H

/* Six letters and digits that are hard to confuse ("K7QX2M"), for a person to read to another. */
char *id_reference(const void *ctx);
/* Four small letters and digits, for a name that nobody chose ("small-x7k2"). */
char *id_suffix(const void *ctx);

#endif
