build-tsan/obj/commands/table.o: commands/table.c commands/table.h \
 commands/call.h approvals/people.h approvals/rbac.h bot/base/error.h \
 bot/config.h bot/base/error.h bot/slack/web.h bot/base/json.h \
 commands/words.h bot/lifecycle/template.h bot/lifecycle/wording.h \
 bot/slack/envelope.h bot/store/audit.h bot/store/db.h \
 bot/store/environments.h commands/commands.h
commands/table.h:
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
commands/commands.h:
