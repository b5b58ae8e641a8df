#include "lifecycle/place.h"

#include <stdio.h>
#include <string.h>

/* Takes the end away; whether it was there. */
static bool take_end(char *text, const char *end)
{
    size_t length = strlen(text), most = strlen(end);
    bool there = length >= most && strcmp(text + length - most, end) == 0;
    if (there)
        text[length - most] = '\0';
    return there;
}

struct place place_read(const char *name)
{
    struct place place = {0};
    if (strcmp(name, "operators") == 0 || strcmp(name, "person") == 0)
        return place;
    snprintf(place.message, sizeof place.message, "%s",
             strcmp(name, "thread") == 0 ? "message-thread" : name);
    place.thread = take_end(place.message, "-thread");
    snprintf(place.kind, sizeof place.kind, "%s", place.message);
    place.escalated = take_end(place.kind, "-escalated");
    place.kind[strcspn(place.kind, "-")] = '\0'; /* change-7 */
    place.approvers = strcmp(place.kind, "message") != 0;
    return place;
}
