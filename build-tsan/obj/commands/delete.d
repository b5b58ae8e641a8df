build-tsan/obj/commands/delete.o: commands/delete.c commands/commands.h \
 commands/call.h approvals/people.h approvals/rbac.h bot/base/error.h \
 bot/config.h bot/base/error.h bot/slack/web.h bot/base/json.h \
 commands/words.h bot/lifecycle/template.h bot/lifecycle/wording.h \
 bot/slack/envelope.h bot/store/audit.h bot/store/db.h \
 bot/store/environments.h commands/quota_check.h bot/lifecycle/states.h
commands/commands.h:
commands/call.h:
approvals/people.h:
approvals/rbac.h:
bot/base/error.h:
bot/config.h:
bot/base/error.h:
bot/slack/web.h:
bot/base/json.h:
commands/words.h:
bot/lifecycle/template.h:
bot/lifecycle/wording.h:
bot/slack/envelope.h:
bot/store/audit.h:
bot/store/db.h:
bot/store/environments.h:
commands/quota_check.h:
bot/lifecycle/states.h:
