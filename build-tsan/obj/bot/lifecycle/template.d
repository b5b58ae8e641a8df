build-tsan/obj/bot/lifecycle/template.o: bot/lifecycle/template.c \
 bot/lifecycle/template.h bot/base/error.h bot/base/json.h \
 bot/base/duration.h bot/base/text.h bot/base/tree.h
bot/lifecycle/template.h:
bot/base/error.h:
bot/base/json.h:
bot/base/duration.h:
bot/base/text.h:
bot/base/tree.h:
