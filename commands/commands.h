/* What the table's lines point to; each command has a file of its name. */
#ifndef COMMANDS_COMMANDS_H
#define COMMANDS_COMMANDS_H

#include "commands/call.h"

call_fn help_run, whoami_run, templates_run, list_run, show_prepare, show_run, quota_run,
    report_run;
call_fn create_prepare, create_run, create_form, create_submit_prepare, create_submit;
const char *const *create_switches(struct call *call);
call_fn extend_prepare, extend_submit_prepare, extend_run, extend_click, extend_submit;
call_fn delete_run, delete_click, withdraw_run, withdraw_click, retry_run, retry_click;
call_fn approve_run, approve_click, approve_submit, deny_run, deny_click, deny_submit;
call_fn takeback_run, changes_click;
call_fn ask_run, ask_click, ask_submit, answer_run, answer_click, answer_submit;
call_fn seen_click, end_click;
call_fn scale_prepare, scale_run, upgrade_run, sleep_run, wake_run, wake_click;
call_fn audit_run;
call_fn pause_run, resume_run;
call_fn logs_run, logs_click;

#endif
