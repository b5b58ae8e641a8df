#include "http/metrics.h"
#include "base/metrics.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static double resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;
    if (file) {
        if (fscanf(file, "%*u %lu", &pages) != 1)
            pages = 0;
        fclose(file);
    }
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double processor_seconds(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

char *metrics_page(const void *ctx, struct metrics *metrics)
{
    struct series *memory =
        metric_series(metrics_gauge(metrics, "process_resident_memory_bytes", "Memory in use."));
    struct series *processor = metric_series(
        metrics_counter(metrics, "process_cpu_seconds_total", "Processor time used."));
    series_set(memory, resident_bytes());
    double more = processor_seconds() - series_value(processor);
    series_add(processor, more > 0 ? more : 0);
    return metrics_text(ctx, metrics);
}
