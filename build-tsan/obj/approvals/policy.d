build-tsan/obj/approvals/policy.o: approvals/policy.c approvals/policy.h \
 approvals/people.h approvals/rbac.h bot/base/error.h bot/config.h \
 bot/base/error.h bot/slack/web.h bot/base/json.h \
 bot/store/environments.h bot/store/db.h bot/base/duration.h \
 bot/base/text.h
approvals/policy.h:
approvals/people.h:
approvals/rbac.h:
bot/base/error.h:
bot/config.h:
bot/base/error.h:
bot/slack/web.h:
bot/base/json.h:
bot/store/environments.h:
bot/store/db.h:
bot/base/duration.h:
bot/base/text.h:
