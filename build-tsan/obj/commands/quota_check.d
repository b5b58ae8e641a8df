build-tsan/obj/commands/quota_check.o: commands/quota_check.c \
 commands/quota_check.h commands/call.h approvals/people.h \
 approvals/rbac.h bot/base/error.h bot/config.h bot/base/error.h \
 bot/slack/web.h bot/base/json.h commands/words.h \
 bot/lifecycle/template.h bot/lifecycle/wording.h bot/slack/envelope.h \
 bot/store/audit.h bot/store/db.h bot/store/environments.h \
 bot/base/duration.h bot/base/text.h
commands/quota_check.h:
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
bot/base/duration.h:
bot/base/text.h:
