/* What a build with sanitizers is told, whatever environment its programs are started with: linked
   into each program of such a build. REPORTS is where findings go, one file a process, so that one
   is found although the test passed or killed the process. */

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return "log_path=" REPORTS "/address:detect_stack_use_after_return=1:"
           "strict_string_checks=1:check_initialization_order=1";
}

const char *__ubsan_default_options(void)
{
    return "log_path=" REPORTS "/undefined:print_stacktrace=1";
}

const char *__tsan_default_options(void)
{
    return "log_path=" REPORTS "/thread:second_deadlock_stack=1";
}
