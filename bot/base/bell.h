/* Wakes a thread that waits in poll(): rung from any thread or signal handler, heard once however
   often it rang. */
#ifndef BASE_BELL_H
#define BASE_BELL_H

struct bell {
    int fd; /* readable when rung: for poll() */
};

/* Aborts when the system has no file descriptors left: nothing works then. */
struct bell *bell_new(const void *ctx);
void bell_ring(struct bell *bell);
/* Takes the ringing away, so that poll() waits again. */
void bell_hear(struct bell *bell);

#endif
