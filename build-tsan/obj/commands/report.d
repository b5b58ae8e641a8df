build-tsan/obj/commands/report.o: commands/report.c \
 bot/lifecycle/report.h bot/store/db.h bot/base/error.h bot/base/json.h \
 bot/base/duration.h bot/base/text.h commands/commands.h commands/call.h \
 approvals/people.h approvals/rbac.h bot/config.h bot/base/error.h \
 bot/slack/web.h commands/words.h bot/lifecycle/template.h \
 bot/lifecycle/wording.h bot/slack/envelope.h bot/store/audit.h \
 bot/store/environments.h bot/lifecycle/say.h
bot/lifecycle/report.h:
bot/store/db.h:
bot/base/error.h:
bot/base/json.h:
bot/base/duration.h:
bot/base/text.h:
commands/commands.h:
commands/call.h:
approvals/people.h:
approvals/rbac.h:
bot/config.h:
bot/base/error.h:
bot/slack/web.h:
commands/words.h:
bot/lifecycle/template.h:
bot/lifecycle/wording.h:
bot/slack/envelope.h:
bot/store/audit.h:
bot/store/environments.h:
bot/lifecycle/say.h:
