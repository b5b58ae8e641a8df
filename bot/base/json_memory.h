/* Memory of cJSON's values. cJSON allocates each value and each key by itself, some thousands for
   one message, and libc's heap is one for all threads; so each thread keeps what it freed for the
   next. */
#ifndef BASE_JSON_MEMORY_H
#define BASE_JSON_MEMORY_H

/* From now on, in all threads; before the first value is made. A thread keeps 96 KB at most, and
   gives them back when it ends. Builds with sanitizers keep nothing: they watch what was freed. */
void json_memory_keep(void);

#endif
