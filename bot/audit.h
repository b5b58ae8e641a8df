/* `envbot audit`: the story of an environment, the proof of the chain, exports. */
#ifndef AUDIT_H
#define AUDIT_H

#include "config.h"

/* Does what the words after `audit` say (NULL-terminated); the exit code. */
int audit_main(const struct config *config, const char *const *words);

#endif
