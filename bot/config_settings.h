/* The table of what envbot.yaml may hold: config.c reads by it. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

enum kind { TEXT, SECRET, URL, INTEGER, DURATION, BOOLEAN, DURATIONS };

/* Every value but the teams. alias: a variable of that usual name counts where ENVBOT_<PATH> is
   not set; NAME_file in the file is a path whose contents are the value (secrets only). */
struct setting {
    const char *path;
    enum kind kind;
    size_t offset; /* in struct config */
    const char *otherwise;
    int64_t least, most;
    const char *choices; /* "a|b" */
    const char *alias;
};

extern const struct setting config_settings[];
extern const size_t config_setting_count;

#endif
