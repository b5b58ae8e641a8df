build-tsan/obj/approvals/decide.o: approvals/decide.c approvals/decide.h \
 approvals/people.h approvals/rbac.h bot/base/error.h bot/config.h \
 bot/base/error.h bot/slack/web.h bot/base/json.h approvals/policy.h \
 bot/store/environments.h bot/store/db.h bot/store/audit.h \
 bot/base/duration.h bot/base/text.h bot/lifecycle/say.h \
 bot/lifecycle/states.h
approvals/decide.h:
approvals/people.h:
approvals/rbac.h:
bot/base/error.h:
bot/config.h:
bot/base/error.h:
bot/slack/web.h:
bot/base/json.h:
approvals/policy.h:
bot/store/environments.h:
bot/store/db.h:
bot/store/audit.h:
bot/base/duration.h:
bot/base/text.h:
bot/lifecycle/say.h:
bot/lifecycle/states.h:
