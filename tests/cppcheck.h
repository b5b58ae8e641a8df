/* What cppcheck has to know of macros whose headers it does not read. */
#define cJSON_ArrayForEach(element, array)                                                         \
    for (element = (array) ? (array)->child : 0; element; element = element->next)
