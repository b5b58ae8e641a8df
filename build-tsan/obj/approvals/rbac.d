build-tsan/obj/approvals/rbac.o: approvals/rbac.c approvals/rbac.h \
 bot/base/error.h bot/base/text.h bot/base/tree.h bot/base/json.h
approvals/rbac.h:
bot/base/error.h:
bot/base/text.h:
bot/base/tree.h:
bot/base/json.h:
